"""Ranks of MPI that compute a run together: the bytes of one process, whatever their number, stopped or failing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402
import test_cli_reestimate as reestimated  # noqa: E402
import test_cli_resume as resumed  # noqa: E402

# Open MPI starts neither as root nor more ranks than cores unless it is told to.
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
               "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_mpi_yield_when_idle": "1",
               "OMPI_MCA_hwloc_base_binding_policy": "none"}  # else ranks see other numbers of cores


def why_not():
    if support.REASON:
        return support.REASON
    if "mpi: not built" in support.run_lossmap("devices").stdout:
        return "lossmap was built without MPI"
    return "" if shutil.which("mpiexec") else "there is no mpiexec"


REASON = why_not()


@unittest.skipIf(REASON, REASON)
class Ranks(unittest.TestCase):
    def setUp(self):
        keep = tempfile.TemporaryDirectory()
        self.addCleanup(keep.cleanup)
        self.folder = Path(keep.name)

    def command(self, ranks, file, out, *arguments):
        return ["mpiexec", "-n", str(ranks), support.BINARY, "run", str(file), "--out", str(out), "--mpi",
                "--threads", "1", *arguments]

    def run_ranks(self, ranks, file, out, *arguments, expect=0):
        process = subprocess.run(self.command(ranks, file, out, "--progress", "none", *arguments), capture_output=True,
                                 text=True, env=ENVIRONMENT, timeout=120, check=False)
        self.assertEqual(process.returncode, expect, process.stderr)
        return process

    def alone(self, file, out, *arguments):
        support.run_lossmap("run", file, "--out", out, "--progress", "none", "--threads", "1", *arguments)

    def same_files(self, one, other, names=("surface.h5", "direction.h5")):
        for name in names:
            self.assertEqual((one / name).read_bytes(), (other / name).read_bytes(), name)

    def same_as_alone(self, config, rank_counts=(1, 3), names=("surface.h5", "direction.h5")):
        file = support.write_config(self.folder, config)
        self.alone(file, self.folder / "alone")
        for ranks in rank_counts:
            process = self.run_ranks(ranks, file, self.folder / f"ranks{ranks}")
            self.assertIn(f"{ranks} rank{'s' if ranks > 1 else ''} on ", process.stderr)
            self.assertIn("report.html", process.stdout)
            self.assertEqual(process.stdout.count("report.html"), 1, "rank 0 alone speaks")
            self.same_files(self.folder / f"ranks{ranks}", self.folder / "alone", names)

    def test_a_plane_over_two_splits(self):
        config = support.line_config(self.folder, y=support.axis(-0.5, 1, 3), splits=["train", "test"])
        support.write_samples(self.folder / "test.npz", count=11, seed=8)
        config["data"].update(test=["test.npz"], chunk=7)
        self.same_as_alone(config)

    def test_a_refined_grid(self):
        config = support.line_config(self.folder, refine={"initial": 5, "tolerance": 0.02}, x=support.axis(-2, 2, 33),
                                     y=support.axis(-1, 1.5, 21))
        self.same_as_alone(config, (2,))

    def test_statistics_estimated_at_each_point(self):
        for seed, name in enumerate(("from", "to")):
            reestimated.write_net(self.folder / f"{name}.onnx", seed)
        reestimated.write_images(self.folder / "train.npz", reestimated.TRAIN, 3)
        self.same_as_alone({"name": "line", "experiment": "interpolation", "model": "from.onnx", "to": "to.onnx",
                            "move": "reestimate", "statistics": reestimated.STATISTICS,
                            "data": {"format": "npz", "train": "train.npz", "chunk": 9},
                            "x": support.axis(-0.5, 1.5, 5)}, (2,), ("surface.h5",))

    def test_repetitions(self):
        config = support.line_config(self.folder, experiment="repeat", count=3)
        self.same_as_alone(config, (2,), ("surface.h5",))

    def test_a_path(self):
        support.write_samples(self.folder / "samples.npz")
        for seed in range(4):
            support.write_mlp(self.folder / f"e_{seed}.onnx", seed)
        self.same_as_alone({"name": "path", "experiment": "trajectory", "checkpoints": "e_*.onnx",
                            "plane": {"kind": "pca", "ignore": []}, "data": {"format": "npz", "train": ["samples.npz"]},
                            "x": {"points": 4, "margin": 0.25}, "y": {"min": -1, "max": 2, "points": 3}},
                           (3,), ("surface.h5", "direction.h5", "trajectory.h5"))

    def test_losses_of_several_networks(self):
        support.write_samples(self.folder / "samples.npz")
        for seed in range(4):
            support.write_mlp(self.folder / f"e_{seed}.onnx", seed)
        self.same_as_alone({"name": "nets", "experiment": "evaluate", "models": "e_*.onnx",
                            "data": {"format": "npz", "train": ["samples.npz"]}, "splits": ["train"]}, (2,), ("table.csv",))

    def test_a_sweep(self):
        config = support.line_config(self.folder, x=support.axis(0.5, 1, 3), y=support.axis(-1, 1, 2),
                                     sweep=[{"pointer": "/directions/seed", "values": [1, 2]}])
        file = support.write_config(self.folder, config)
        self.alone(file, self.folder / "alone")
        out = self.folder / "ranks"
        process = self.run_ranks(3, file, out)
        self.assertEqual(process.stdout.count("sweep.json"), 0)
        self.assertEqual(process.stdout.count("table.csv"), 1, process.stdout)
        names = sorted(str(path.relative_to(self.folder / "alone")) for path in (self.folder / "alone").rglob("*")
                       if path.suffix in (".h5", ".csv", ".svg", ".json") and path.name != "config.resolved.json")
        self.assertGreater(len([name for name in names if name.endswith("surface.h5")]), 1)
        self.assertIn("table.csv", names)
        self.same_files(out, self.folder / "alone", names)

    def test_a_larger_grid_of_an_earlier_run(self):
        small = support.line_config(self.folder)
        self.alone(support.write_config(self.folder, small, "small.json"), self.folder / "small")
        self.same_as_alone({**small, "grow": True, "from": "small", "x": support.axis(-1, 1, 9)}, (3,))

    def test_what_one_process_began_ranks_go_on_with(self):
        file = support.write_config(self.folder, resumed.plane(self.folder))
        self.alone(file, self.folder / "alone")
        out = self.folder / "stopped"
        support.stop_in_the_middle(file, out, support.KILL)
        process = self.run_ranks(3, file, out)
        self.assertIn("going on: ", process.stderr)
        self.same_files(out, self.folder / "alone")

    def test_a_signal_to_one_rank_stops_all(self):
        config = resumed.plane(self.folder)
        config["data"]["count"] = 4500
        file = support.write_config(self.folder, config)
        self.alone(file, self.folder / "alone")
        out = self.folder / "stopped"
        # The ranks write their numbers down, so that the last one can be reached.
        script = self.folder / "rank.sh"
        script.write_text(f'#!/bin/sh\necho $$ > "{self.folder}/pid$OMPI_COMM_WORLD_RANK$PMI_RANK"\n'
                          f'exec "{support.BINARY}" "$@"\n')
        script.chmod(0o755)
        command = [str(script) if part == support.BINARY else part
                   for part in self.command(2, file, out, "--progress", "json")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=ENVIRONMENT) as process:
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "progress" and 0 < event["finished_units"] < event["total_units"]:
                    os.kill(int((self.folder / "pid1").read_text()), signal.SIGTERM)
                    break
            _, messages = process.communicate(timeout=60)
        if (out / "report.html").exists():
            self.skipTest("the run was over before the signal came")
        self.assertEqual(process.returncode, 130, messages)
        self.assertEqual(messages.count("lossmap: error: interrupted after"), 1, messages)
        self.assertIn("going on: ", self.run_ranks(3, file, out).stderr)
        self.same_files(out, self.folder / "alone")

    def test_wrong_input_is_one_sentence(self):
        config = support.line_config(self.folder)
        norms = {"name": "norms", "experiment": "weight_norm", "model": "net.onnx", "checkpoints": ["net.onnx"]}
        for wrong, message in (({**config, "model": "absent.onnx"}, "absent.onnx"),
                               ({**config, "sweep": [{"pointer": "/loss", "values": ["mse", "none"]}]}, "none"),
                               (norms, "nothing for ranks to share")):
            with self.subTest(message):
                file = support.write_config(self.folder, wrong)
                process = self.run_ranks(3, file, self.folder / "out", "--log-level", "off", expect=2)
                self.assertIn(message, process.stderr)
                self.assertEqual(process.stderr.count("lossmap: "), 1, process.stderr)
                self.assertFalse((self.folder / "out").exists())

    def test_one_share_is_computed_together(self):
        file = support.write_config(self.folder, support.line_config(self.folder))
        self.alone(file, self.folder / "alone", "--shard", "2/2")
        process = self.run_ranks(2, file, self.folder / "ranks", "--shard", "2/2")
        self.assertIn("share 2/2: 3 of 3 points are done", process.stderr)
        self.same_files(self.folder / "ranks", self.folder / "alone")

    def disagree(self, *option):
        """Three ranks, of which one has an option more; returns what they say."""
        file = support.write_config(self.folder, support.line_config(self.folder))
        script = self.folder / "rank.sh"
        script.write_text(f'#!/bin/sh\n[ "$OMPI_COMM_WORLD_RANK$PMI_RANK" = 1 ] && set -- "$@" {" ".join(option)}\n'
                          f'exec "{support.BINARY}" "$@"\n')
        script.chmod(0o755)
        command = [str(script) if part == support.BINARY else part
                   for part in self.command(3, file, self.folder / "out", "--log-level", "off")]
        process = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=120, check=False)
        self.assertEqual(process.returncode, 2, process.stderr)
        self.assertEqual(process.stderr.count("lossmap: "), 1, process.stderr)
        return process.stderr

    def test_ranks_that_see_other_files(self):
        support.write_mlp(self.folder / "other.onnx", seed=9)
        self.assertRegex(self.disagree("--set", "/model=other.onnx"), r"lossmap: error: rank 1 on .*: sees another run than rank 0 does "
                                         r"\(it differs in: model, directions\)")

    def test_ranks_of_different_shares(self):
        self.assertIn("has another --shard than rank 0", self.disagree("--shard", "1/2"))


@unittest.skipIf(support.REASON, support.REASON)
class Without(unittest.TestCase):
    def test_is_refused_by_name(self):
        if "mpi: not built" not in support.run_lossmap("devices").stdout:
            self.skipTest("lossmap was built with MPI")
        with tempfile.TemporaryDirectory() as folder:
            file = support.write_config(folder, support.line_config(folder))
            process = support.run_lossmap("run", file, "--out", Path(folder) / "out", "--mpi", expect=2)
            self.assertIn("MPI: not built (configure with -DLOSSMAP_MPI=ON)", process.stderr)
            self.assertFalse((Path(folder) / "out").exists())


if __name__ == "__main__":
    unittest.main()
