"""--precision on the CPU: bf16 where the machine multiplies it, a sentence everywhere else."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402

if not support.REASON:
    import h5py
    import numpy as np


def run_limited(instructions, *arguments):
    """lossmap on a machine that has no more than these instructions, as far as oneDNN is concerned."""
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": instructions}
    return subprocess.run([support.BINARY, *map(str, arguments)], env=environment, capture_output=True, text=True)


@unittest.skipIf(support.REASON, support.REASON)
class Precision(unittest.TestCase):
    def setUp(self):
        keep = tempfile.TemporaryDirectory()
        self.addCleanup(keep.cleanup)
        self.folder = Path(keep.name)
        cpu = next(line for line in support.run_lossmap("devices").stdout.splitlines() if line.startswith("  cpu "))
        self.has_bf16 = cpu.endswith("; fp32, bf16")
        self.cpu = cpu.strip()

    def need_bf16(self):
        if not self.has_bf16:
            self.skipTest(f"no bf16 here: {self.cpu}")

    def plane(self):
        support.write_convnet(self.folder / "net.onnx")
        return support.write_config(self.folder, {
            "name": "plane", "experiment": "surface", "model": "net.onnx",
            "data": {"format": "synthetic", "count": 300, "seed": 4, "chunk": 50}, "splits": ["train"], "device": "cpu",
            "directions": {"kind": "random", "seed": 2, "normalization": "filter", "ignore": ["1d"]},
            "x": support.axis(-1, 1, 5), "y": support.axis(-0.5, 1, 4)})

    def run_to(self, file, name, *arguments, **options):
        out = self.folder / name
        process = support.run_lossmap("run", file, "--out", out, "--progress", "none", *arguments, **options)
        return out, process

    def losses(self, out):
        with h5py.File(out / "surface.h5") as surface:
            return surface["train_loss"][:]

    def test_a_plane_in_bf16(self):
        self.need_bf16()
        file = self.plane()
        exact, _ = self.run_to(file, "exact")
        half, process = self.run_to(file, "half", "--precision", "bf16")
        difference = np.abs(self.losses(half) / self.losses(exact) - 1)
        self.assertLess(difference.max(), 0.05)
        self.assertGreater(difference.max(), 1e-6)
        record = json.loads((half / "config.resolved.json").read_text())
        self.assertEqual(record["precision"], "bf16")
        provenance = json.dumps(record["provenance"])
        self.assertIn("precision_error", provenance)
        self.assertIn("bf16: mean losses of 256 samples at 3 points are within", process.stderr)
        single, _ = self.run_to(file, "single", "--precision", "bf16", "--threads", "1")
        self.assertEqual(self.losses(single).tobytes(), self.losses(half).tobytes())
        # The runs are two: one does not go on with the other's points.
        self.run_to(file, "exact", "--precision", "bf16", expect=2)

    def test_a_stopped_run_goes_on_with_the_same_bits(self):
        self.need_bf16()
        file = self.plane()
        config = json.loads(file.read_text())
        config.update(precision="bf16")
        config["data"]["count"] = 1500
        file = support.write_config(self.folder, config)
        unbroken, _ = self.run_to(file, "unbroken")
        out = self.folder / "stopped"
        support.stop_in_the_middle(file, out, support.KILL)
        if (out / "report.html").exists():
            self.skipTest("the run was over before the signal came")
        self.assertIn("going on: ", self.run_to(file, "stopped")[1].stderr)
        self.assertEqual((out / "surface.h5").read_bytes(), (unbroken / "surface.h5").read_bytes())

    def test_networks_that_come_one_after_the_other(self):
        self.need_bf16()
        config = json.loads(self.plane().read_text())
        del config["y"]
        config.update(precision="bf16", experiment="repeat", count=2, x=support.axis(-1, 1, 3))
        _, process = self.run_to(support.write_config(self.folder, config), "repeat")
        self.assertIn("bf16: mean losses of 256 samples at 3 points are within", process.stderr)
        models = {key: value for key, value in config.items() if key not in ("model", "directions", "x", "count")}
        models.update(experiment="evaluate", models=["net.onnx", "net.onnx"])
        _, process = self.run_to(support.write_config(self.folder, models), "evaluate")
        self.assertIn("bf16: mean losses of 256 samples at 2 points are within", process.stderr)

    def test_layers_profile_and_rate(self):
        self.need_bf16()
        file = self.plane()
        _, process = self.run_to(file, "none", "--precision", "bf16", "--check-against", "cpu")
        self.assertTrue(process.stdout.startswith("cpu in bf16 against cpu in fp32, layers on 4 samples"), process.stdout)
        _, process = self.run_to(file, "none", "--precision", "bf16", "--profile")
        self.assertIn(" on cpu in bf16, ", process.stdout)
        file = self.folder / "bench.json"
        process = support.run_lossmap("bench", self.folder / "net.onnx", "--points", "2", "--samples", "8", "--min-time", "0.02",
                                      "--threads", "1", "--precision", "bf16", "--json", file)
        self.assertIn("net/points:2/samples:8/bf16", process.stdout)
        self.assertIn("matrices in bf16, 1 thread", json.dumps(json.loads(file.read_text())["context"]))

    def test_what_the_cpu_does_not_compute_in_is_refused(self):
        file = self.plane()
        for precision in ("tf32", "fp16"):
            _, process = self.run_to(file, "none", "--precision", precision, expect=2)
            self.assertIn(f"the CPU backend computes in fp32 and bf16, not in {precision}", process.stderr)

    def test_a_machine_without_bf16_says_so(self):
        if subprocess.run(["uname", "-m"], capture_output=True, text=True).stdout.strip() != "x86_64":
            self.skipTest("oneDNN's limit of instructions is for x86-64")
        file = self.plane()
        for instructions, name in (("AVX2", "avx2"), ("AVX512_CORE", "avx512_core")):
            with self.subTest(instructions):
                listed = run_limited(instructions, "devices").stdout
                self.assertNotIn("bf16", listed)
                if f", {name}, " not in listed:
                    self.skipTest(f"this machine has no {name}")
                process = run_limited(instructions, "run", file, "--out", self.folder / "none", "--precision", "bf16")
                self.assertEqual(process.returncode, 2)
                self.assertIn(f"bf16 on the CPU needs AVX-512 with bf16, or AMX; here oneDNN has {name}", process.stderr)
                self.assertFalse((self.folder / "none").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
