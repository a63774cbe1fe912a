"""One configuration, several runs: each equals a run of its own, and pictures, tables and page stand over all."""

import csv
import json
import os
import shutil
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


def plane(folder):
    """Two networks x two normalisations over 3 x 3 points; the data have a test split that no plane is computed of."""
    support.write_mlp(folder / "tanh.onnx")
    support.write_mlp(folder / "relu.onnx", seed=5, activation="Relu")
    support.write_samples(folder / "train.npz")
    support.write_samples(folder / "test.npz", seed=8, count=12)
    return {"name": "both", "experiment": "surface", "model": "tanh.onnx",
            "data": {"format": "npz", "train": ["train.npz"], "test": ["test.npz"]}, "splits": ["train"],
            "directions": {"kind": "random", "seed": 1, "normalization": "filter", "ignore": ["1d"]},
            "x": support.axis(-1, 1, 3), "y": support.axis(-0.5, 0.5, 3),
            "sweep": [{"pointer": "/model", "values": ["tanh.onnx", "relu.onnx"], "labels": ["tanh net", "relu/net"]},
                      {"pointer": "/directions/normalization", "values": ["filter", "none"]}]}


class Case(unittest.TestCase):
    def setUp(self):
        keep = tempfile.TemporaryDirectory()
        self.addCleanup(keep.cleanup)
        self.folder = Path(keep.name)
        self.draws(False)
        self.config = plane(self.folder)
        self.out = self.folder / "out"

    def draws(self, really):
        """Most tests do not look at pictures, which take longer than all the rest."""
        stand_in = self.folder / "gnuplot"
        stand_in.write_text("#!/bin/sh\necho drawn > picture\n")
        stand_in.chmod(0o700)
        os.environ["LOSSMAP_GNUPLOT"] = "" if really else str(stand_in)
        self.addCleanup(os.environ.pop, "LOSSMAP_GNUPLOT", None)

    def run_config(self, *arguments, out=None, expect=0, command="run", progress="none"):
        file = support.write_config(self.folder, self.config)
        more = ["--out", out or self.out, "--progress", progress] if command == "run" else []
        return support.run_lossmap(command, file, *more, *arguments, expect=expect)

    def rows(self):
        with open(self.out / "table.csv", newline="") as file:
            return list(csv.DictReader(file))


@unittest.skipIf(support.REASON, support.REASON)
class Sweep(Case):
    """What one sweep has written, looked at from all sides."""

    FOLDERS = ["001-tanh_net-filter", "002-tanh_net-none", "003-relu_net-filter", "004-relu_net-none"]

    @classmethod
    def setUpClass(cls):
        keep = tempfile.TemporaryDirectory()
        cls.addClassCleanup(keep.cleanup)
        folder = Path(keep.name)
        file = support.write_config(folder, plane(folder))
        cls.finished = folder / "out"
        cls.listed = support.run_lossmap("run", file, "--out", cls.finished, "--progress", "none").stdout.split()

    def setUp(self):
        super().setUp()
        self.out = self.finished

    def test_each_combination_is_a_run_of_its_own(self):
        for name in self.FOLDERS:
            self.assertIn(str(self.out / name), self.listed)
        sweep = self.config.pop("sweep")
        for number, name in enumerate(self.FOLDERS):
            self.config["model"] = sweep[0]["values"][number // 2]
            self.config["directions"]["normalization"] = sweep[1]["values"][number % 2]
            self.run_config(out=self.folder / "alone", expect=0)
            with h5py.File(self.out / name / "surface.h5") as part, h5py.File(self.folder / "alone/surface.h5") as alone:
                for data in ("xcoordinates", "ycoordinates", "train_loss", "train_acc", "train_done"):
                    self.assertEqual(part[data][()].tobytes(), alone[data][()].tobytes(), (name, data))
                self.assertEqual((self.out / name / "plots" / "train_filled.svg").exists(), True)
            shutil.rmtree(self.folder / "alone")
            resolved = json.loads((self.out / name / "config.resolved.json").read_text())
            self.assertNotIn("sweep", resolved)
            self.assertEqual(resolved["name"], f"{['tanh net', 'relu:net'][number // 2]}, {['filter', 'none'][number % 2]}")

    def test_results_over_all(self):
        rows = self.rows()
        self.assertEqual([row["folder"] for row in rows], self.FOLDERS)
        self.assertEqual(list(rows[0]), ["folder", "model", "normalization", "train_loss", "train_error", "test_loss",
                                         "test_error"])
        for row in rows:
            with h5py.File(self.out / row["folder"] / "surface.h5") as file:
                self.assertEqual(float(row["train_loss"]), file["train_loss"][1, 1])
                self.assertAlmostEqual(float(row["train_error"]), 100 - file["train_acc"][1, 1], places=9)
        samples = np.load(self.folder / "test.npz")
        weights = support.write_mlp(self.folder / "tanh.onnx")
        hidden = np.tanh(samples["x"].astype(float) @ weights["fc1.weight"].astype(float).T + weights["fc1.bias"])
        scores = hidden @ weights["fc2.weight"].astype(float).T + weights["fc2.bias"]
        loss = np.mean(np.log(np.exp(scores).sum(1)) - scores[np.arange(12), samples["y"]])
        error = 100 * np.mean(scores.argmax(1) != samples["y"])
        self.assertAlmostEqual(float(rows[0]["test_loss"]) / loss, 1, places=5)
        self.assertAlmostEqual(float(rows[0]["test_error"]), error, places=6)
        self.assertIn("| tanh net | none |", (self.out / "table.md").read_text())
        self.assertIn("tanh net & none &", (self.out / "table.tex").read_text())
        page = (self.out / "report.html").read_text()
        self.assertIn("All combinations of both", page)
        for title in ("tanh net, filter", "relu\\u002fnet, none"):
            self.assertTrue(title in page or title.replace("\\u002f", "/") in page, title)
        picture = (self.out / "plots" / "train_filled.svg").read_text()
        for text in ("both", "tanh net, filter", "relu/net, none", f"test error {error:.2f} %"):
            self.assertIn(text, picture)
        for kind in ("contour", "heatmap"):
            self.assertTrue((self.out / "plots" / f"train_{kind}.svg").exists())
        listing = json.loads((self.out / "sweep.json").read_text())
        self.assertEqual([one["folder"] for one in listing["combinations"]], self.FOLDERS)

    def test_pictures_and_page_of_the_folder(self):
        fresh = {file.name: file.read_bytes() for file in (self.out / "plots").iterdir()}
        page = (self.out / "report.html").read_bytes()
        self.draws(True)
        listed = support.run_lossmap("plot", self.out).stdout.split()
        self.assertEqual(sorted(Path(file).name for file in listed), sorted(fresh))
        for file in listed:
            self.assertEqual(Path(file).read_bytes(), fresh[Path(file).name], file)
        support.run_lossmap("report", self.out, "--out", self.folder / "again.html")
        self.assertEqual((self.folder / "again.html").read_bytes(), page)
        one = support.run_lossmap("plot", self.out, "--kind", "heatmap", "--log", "--format", "png", "--out",
                                  self.folder / "pictures").stdout.split()
        self.assertEqual(one, [str(self.folder / "pictures" / "out_train_heatmap.png")])
        self.assertEqual(Path(one[0]).read_bytes()[1:4], b"PNG")
        refused = support.run_lossmap("export", self.out, "--format", "vtp", expect=2).stderr
        self.assertIn("is a sweep, name one of the runs in it", refused)

    def test_a_part_of_a_folder(self):
        self.out = shutil.copytree(self.finished, self.folder / "part")
        (self.out / "002-tanh_net-none" / "surface.h5").unlink()
        process = support.run_lossmap("report", self.out)
        self.assertIn("002-tanh_net-none: no results yet", process.stderr)
        self.assertNotIn("tanh net, none", (self.out / "report.html").read_text())
        listing = json.loads((self.out / "sweep.json").read_text())
        listing["combinations"][0]["folder"] = "../elsewhere"
        (self.out / "sweep.json").write_text(json.dumps(listing))
        self.assertIn("no list of a sweep's combinations", support.run_lossmap("plot", self.out, expect=2).stderr)

    def test_again_computes_nothing_and_changes_nothing(self):
        self.out = self.folder / "out"
        self.run_config()
        before = {file: file.read_bytes() for file in self.out.rglob("*.h5")}
        table = (self.out / "table.csv").read_bytes()
        again = self.run_config()
        self.assertEqual(again.stderr.count("9 of 9 units are in the journal"), 4)
        self.assertEqual((self.out / "table.csv").read_bytes(), table)
        for file, content in before.items():
            self.assertEqual(file.read_bytes(), content, file)

    def test_another_value_in_a_folder_is_refused_before_anything_is_computed(self):
        self.config["sweep"][1]["values"] = ["filter", "layer"]
        self.config["sweep"][1]["labels"] = ["filter", "none"]
        process = self.run_config(expect=2)
        self.assertIn("combination 2 of 4 (tanh net, none)", process.stderr)
        self.assertIn("it differs in: directions", process.stderr)


@unittest.skipIf(support.REASON, support.REASON)
class Folder(Case):
    def test_a_folder_of_other_things_is_left_alone(self):
        self.out.mkdir()
        (self.out / "notes.txt").write_text("mine")
        self.assertIn("holds no sweep of lossmap", self.run_config(expect=2).stderr)
        self.assertEqual([file.name for file in self.out.iterdir()], ["notes.txt"])

    def test_a_missing_file_of_the_last_combination_shows_at_once(self):
        self.config["sweep"][0]["values"][1] = "none.onnx"
        process = self.run_config(expect=2)
        self.assertIn("combination 3 of 4 (relu/net, filter)", process.stderr)
        self.assertIn("none.onnx", process.stderr)
        self.assertFalse(self.out.exists())

    def test_validate_counts(self):
        for process in (self.run_config(command="validate"), self.run_config("--dry-run")):
            self.assertIn("combinations  4 (2 model x 2 normalization)", process.stdout)
            # 4 planes of 9 points over 20 samples, and 4 origins over 12.
            self.assertIn(f"evaluations   {4 * (9 * 20 + 12)} ", process.stdout)
        self.assertFalse(self.out.exists())

    def test_progress_says_which_run(self):
        process = self.run_config(progress="json")
        events = [json.loads(line) for line in process.stdout.splitlines()]
        self.assertEqual({(event["run"], event["runs"]) for event in events if event["event"] == "progress"},
                         {(number, 4) for number in range(1, 5)})


@unittest.skipIf(support.REASON, support.REASON)
class Prepared(Case):
    def test_what_was_prepared_for_checking_is_computed(self):
        # A network that is gone once computing has begun is not missed: nothing is prepared a second time.
        support.write_convnet(self.folder / "first.onnx")
        support.write_convnet(self.folder / "last.onnx", seed=2)
        self.config.update(data={"format": "synthetic", "count": 400, "seed": 4, "chunk": 100})
        self.config["sweep"] = [{"pointer": "/model", "values": ["first.onnx", "last.onnx"]}]
        file = support.write_config(self.folder, self.config)
        process = subprocess.Popen([support.BINARY, "run", str(file), "--out", str(self.out), "--progress", "json"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(json.loads(process.stdout.readline())["run"], 1)
        (self.folder / "last.onnx").unlink()
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, errors)
        self.assertLess(errors.index("combination 1 of 2"), errors.index("combination 2 of 2"))
        self.assertEqual(errors.count("train: 400 samples"), 2)  # what preparing said is said once a run
        self.assertIn("train: 400 samples", (self.out / "002-last.onnx" / "log.txt").read_text())

    def test_more_combinations_than_are_kept(self):
        del self.config["y"]
        self.config["data"].pop("test")
        self.config["sweep"] = [{"pointer": "/directions/seed", "values": list(range(34))}]
        process = self.run_config()
        self.assertEqual(len(self.rows()), 34)
        self.assertEqual(process.stderr.count("of 34 ("), 34)
        for seed in (0, 33):
            self.config.pop("sweep", None)
            self.config["directions"]["seed"] = seed
            self.run_config(out=self.folder / f"alone{seed}")
            name = f"{seed + 1:03}-{seed}"
            with h5py.File(self.out / name / "surface.h5") as part, \
                    h5py.File(self.folder / f"alone{seed}" / "surface.h5") as alone:
                self.assertEqual(part["train_loss"][()].tobytes(), alone["train_loss"][()].tobytes())


@unittest.skipIf(support.REASON, support.REASON)
class OtherExperiments(Case):
    def test_lines_without_the_origin(self):
        del self.config["y"]
        self.config["x"] = support.axis(0.5, 1, 2)
        self.config["loss"] = "mse"
        self.config["sweep"] = [{"pointer": "/directions/seed", "values": [1, 2, 3]},
                                {"pointer": "/loss", "values": ["cross_entropy", {"kind": "mse", "targets": "one_hot"}],
                                 "labels": ["ce", "mse"]}]
        self.run_config()
        rows = self.rows()
        self.assertEqual([(row["seed"], row["loss"]) for row in rows],
                         [(seed, loss) for seed in "123" for loss in ("ce", "mse")])
        self.assertEqual(len({row["train_loss"] for row in rows}), 2)  # the seed does not matter at the origin
        self.assertTrue((self.out / "plots" / "line.svg").exists())

    def test_evaluate(self):
        for key in ("model", "directions", "x", "y"):
            del self.config[key]
        self.config.update(experiment="evaluate", models=["tanh.onnx", "relu.onnx"], splits=["train"])
        self.config["sweep"] = [{"pointer": "/data/subset/train/count", "values": [5, 20]}]
        self.run_config()
        rows = self.rows()
        self.assertEqual([(row["count"], row["evaluated"]) for row in rows],
                         [(count, model) for count in ("5", "20") for model in ("tanh.onnx", "relu.onnx")])
        with open(self.out / "002-20" / "table.csv", newline="") as file:
            alone = list(csv.DictReader(file))
        self.assertEqual([row["train_loss"] for row in rows[2:]], [row["train_loss"] for row in alone])
        self.assertFalse((self.out / "plots").exists())
        page = (self.out / "report.html").read_bytes()
        support.run_lossmap("report", self.out)
        self.assertEqual((self.out / "report.html").read_bytes(), page)

    def test_norms_of_several_trainings(self):
        for key in ("model", "directions", "x", "y", "data", "splits"):
            del self.config[key]
        support.write_mlp(self.folder / "tanh2.onnx", seed=2)
        self.config.update(experiment="weight_norm", epochs=[0, 3])
        self.config["sweep"] = [{"pointer": "/checkpoints", "labels": ["one", "other"],
                                 "values": [["tanh.onnx", "tanh2.onnx"], ["tanh2.onnx", "relu.onnx"]]}]
        self.draws(True)
        self.run_config()
        rows = self.rows()
        self.assertEqual(list(rows[0]), ["folder", "checkpoints", "checkpoint", "epoch", "weight_norm", "filter_norm"])
        self.assertEqual([(row["checkpoints"], row["checkpoint"], row["epoch"]) for row in rows],
                         [("one", "tanh.onnx", "0"), ("one", "tanh2.onnx", "3"), ("other", "tanh2.onnx", "0"),
                          ("other", "relu.onnx", "3")])
        self.assertEqual(rows[1]["weight_norm"], rows[2]["weight_norm"])
        weights = support.write_mlp(self.folder / "tanh.onnx")
        norm = np.linalg.norm(np.concatenate([value.astype(float).ravel() for value in weights.values()]))
        self.assertAlmostEqual(float(rows[0]["weight_norm"]), norm, delta=1e-12)
        self.assertEqual([file.name for file in (self.out / "plots").iterdir()], ["weight_norm_epoch.svg"])
        picture = (self.out / "plots" / "weight_norm_epoch.svg").read_bytes()
        self.assertIn(b"other", picture)
        self.assertIn("All combinations of both", (self.out / "report.html").read_text())
        listed = support.run_lossmap("plot", self.out).stdout.split()
        self.assertEqual(listed, [str(self.out / "plots" / "weight_norm_epoch.svg")])
        self.assertEqual(Path(listed[0]).read_bytes(), picture)

    def test_more_curves_than_colours(self):
        for key in ("model", "directions", "x", "y", "data", "splits"):
            del self.config[key]
        self.config.update(experiment="weight_norm", epochs=[0, 3])
        self.config["sweep"] = [{"pointer": "/checkpoints", "labels": [f"training {k}" for k in range(9)],
                                 "values": [["tanh.onnx", "relu.onnx"]] * 9}]
        told = self.run_config().stderr
        self.assertIn("no picture of 9 curves over each other: there are colours for 8", told)
        self.assertEqual(len(self.rows()), 18)
        self.assertFalse((self.out / "plots" / "weight_norm_epoch.svg").exists())

    def test_repeated_lines(self):
        del self.config["y"]
        self.config.update(experiment="repeat", count=3)
        self.config["sweep"] = [{"pointer": "/model", "values": ["tanh.onnx", "relu.onnx"], "labels": ["one", "other"]}]
        self.draws(True)
        self.run_config()
        names = ["train_repeats_error.svg", "train_repeats_loss.svg"]
        self.assertEqual(sorted(file.name for file in (self.out / "plots").iterdir()), names)
        pictures = [(self.out / "plots" / name).read_bytes() for name in names]
        for text in (b"one", b"other", b"train loss", b"standard deviation"):
            self.assertIn(text, pictures[1])
        self.assertEqual([row["model"] for row in self.rows()], ["one", "other"])
        page = (self.out / "report.html").read_bytes()
        self.assertEqual(len(support.run_lossmap("plot", self.out).stdout.split()), 2)
        support.run_lossmap("report", self.out)
        self.assertEqual([(self.out / "plots" / name).read_bytes() for name in names], pictures)
        self.assertEqual((self.out / "report.html").read_bytes(), page)

    def test_trajectory_and_interpolation(self):
        for key in ("directions", "y"):
            del self.config[key]
        self.config.update(experiment="interpolation", to="relu.onnx", x=support.axis(0, 1, 3))
        support.write_mlp(self.folder / "tanh2.onnx", seed=2)
        self.config["sweep"] = [{"pointer": "/to", "values": ["tanh2.onnx", "tanh.onnx"], "labels": ["a", "b"]}]
        self.run_config()
        self.assertTrue((self.out / "plots" / "line.svg").exists())
        for key in ("model", "to", "x"):
            del self.config[key]
        support.write_mlp(self.folder / "tanh3.onnx", seed=3)
        self.config.update(experiment="trajectory", checkpoints=["tanh3.onnx", "tanh2.onnx", "tanh.onnx"],
                           x={"points": 3}, y={"points": 3}, plane={"kind": "pca"})
        self.config["sweep"] = [{"pointer": "/plane/center", "values": [True, False]}]
        self.draws(True)
        self.run_config(out=self.folder / "path")
        picture = (self.folder / "path" / "plots" / "train_trajectory.svg").read_text()
        self.assertIn("test error", picture)


@unittest.skipIf(support.REASON, support.REASON)
class Stopped(Case):
    def test_goes_on_where_it_was(self):
        support.write_convnet(self.folder / "net.onnx")
        self.config.update(model="net.onnx", data={"format": "synthetic", "count": 800, "seed": 4, "chunk": 100},
                           x=support.axis(-1, 1, 5), y=support.axis(-1, 1, 5))
        self.config["sweep"] = [{"pointer": "/directions/seed", "values": [1, 2]}]
        self.run_config(out=self.folder / "unbroken")
        file = support.write_config(self.folder, self.config)
        status, errors = support.stop_in_the_middle(file, self.out, support.INTERRUPT, run=2)
        if (self.out / "report.html").exists():
            self.skipTest("the sweep was over before the signal came")
        self.assertEqual(status, 130)
        self.assertIn("lossmap: error: interrupted", errors)
        after = self.run_config()
        self.assertIn("200 of 200 units are in the journal", after.stderr)
        self.assertEqual(after.stderr.count("going on: "), 2)
        for name in ("001-1/surface.h5", "002-2/surface.h5", "table.csv"):
            self.assertEqual((self.out / name).read_bytes(), (self.folder / "unbroken" / name).read_bytes(), name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
