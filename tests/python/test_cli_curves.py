"""Training curves and weight norms of checkpoints: the numbers against NumPy, and the pictures that come of them."""

import csv
import re
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402
from test_cli_results import mlp_loss  # noqa: E402

if not support.REASON:
    import numpy as np

COUNT = 3


def norm_of(weights, matrices_only=False):
    parts = [np.asarray(value, np.float64).ravel() for value in weights.values() if value.ndim > 1 or not matrices_only]
    return np.linalg.norm(np.concatenate(parts))


@unittest.skipIf(support.REASON, support.REASON)
class Curves(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.keep.name)
        cls.weights = [support.write_mlp(cls.folder / f"e_{k}.onnx", k) for k in range(COUNT)]
        np.savez(cls.folder / "other.npz", **cls.weights[2])
        cls.samples = support.write_samples(cls.folder / "samples.npz")
        cls.data = {"format": "npz", "train": ["samples.npz"], "test": ["samples.npz"],
                    "subset": {"test": {"start": 0, "count": 7}}}
        cls.two_runs = [{"label": "first, run", "checkpoints": "e_*.onnx", "epochs": [0, 4, 9], "iterations": [0, 40, 90]},
                        {"label": "second", "model": "e_0.onnx", "checkpoints": ["other.npz"], "epochs": [3],
                         "iterations": [30]}]

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    def run_it(self, name, config):
        file = support.write_config(self.folder, {"name": name, **config}, name + ".json")
        support.run_lossmap("run", file, "--out", self.folder / name, "--progress", "none")
        with open(self.folder / name / "table.csv", newline="") as table:
            return self.folder / name, list(csv.DictReader(table))

    def pictures(self, out):
        return sorted(file.name for file in (out / "plots").glob("*")) if (out / "plots").exists() else []

    def test_weight_norms(self):
        out, rows = self.run_it("norms", {"experiment": "weight_norm", "checkpoints": "e_*.onnx"})
        self.assertEqual(list(rows[0]), ["model", "weight_norm", "filter_norm"])
        self.assertEqual(len(rows), COUNT)
        for row, weights in zip(rows, self.weights):
            self.assertAlmostEqual(float(row["weight_norm"]), norm_of(weights), delta=1e-12)
            self.assertAlmostEqual(float(row["filter_norm"]), norm_of(weights, True), delta=1e-12)
        self.assertEqual(self.pictures(out), ["weight_norm_checkpoint.svg"])
        self.assertIn("L2 norm of the weights", (out / "plots" / "weight_norm_checkpoint.svg").read_text())
        self.stored_equals_fresh(out)
        # The resolved configuration is the same run.
        support.run_lossmap("run", out / "config.resolved.json", "--out", out, "--progress", "none")

    def stored_equals_fresh(self, out):
        """Pictures and page made from the folder are those that the run has made."""
        fresh = {file.name: file.read_bytes() for file in (out / "plots").iterdir()}
        page = self.rounded_page(out)
        listed = support.run_lossmap("plot", out).stdout.split()
        self.assertEqual(sorted(Path(file).name for file in listed), sorted(fresh))
        for file in listed:
            self.assertEqual(Path(file).read_bytes(), fresh[Path(file).name], file)
        support.run_lossmap("report", out)
        self.assertEqual(self.rounded_page(out), page)

    def rounded_page(self, out):
        """table.csv holds errors to ten digits."""
        return re.sub(r"\d+\.\d{8,}", lambda number: f"{float(number.group()):.8g}", (out / "report.html").read_text())

    def test_weight_norms_of_several_runs(self):
        out, rows = self.run_it("norm_runs", {"experiment": "weight_norm", "runs": self.two_runs})
        self.assertEqual([(row["run"], row["epoch"], row["iteration"]) for row in rows],
                         [("first, run", "0", "0"), ("first, run", "4", "40"), ("first, run", "9", "90"),
                          ("second", "3", "30")])
        self.assertAlmostEqual(float(rows[3]["weight_norm"]), norm_of(self.weights[2]), delta=1e-12)
        self.assertEqual(self.pictures(out), ["weight_norm_epoch.svg", "weight_norm_iteration.svg"])
        self.assertIn("second", (out / "plots" / "weight_norm_epoch.svg").read_text())
        self.stored_equals_fresh(out)

    def test_weight_norm_is_checked_without_running(self):
        file = support.write_config(self.folder, {"experiment": "weight_norm", "checkpoints": "e_*.onnx"}, "v.json")
        shown = support.run_lossmap("validate", file).stdout
        self.assertIn("weight_norm, 3 checkpoints", shown)
        self.assertIn("identity", shown)

    def test_training_curves(self):
        out, rows = self.run_it("training", {"experiment": "evaluate", "models": "e_*.onnx", "epochs": [0, 4, 9],
                                             "labels": ["start", "middle", "end"], "data": self.data})
        self.assertEqual([(row["model"], row["epoch"]) for row in rows], [("start", "0"), ("middle", "4"), ("end", "9")])
        x, y = self.samples
        for row, weights in zip(rows, self.weights):
            for split, samples in (("train", (x, y)), ("test", (x[:7], y[:7]))):
                loss = mlp_loss(weights, *samples)[0]
                self.assertAlmostEqual(float(row[split + "_loss"]), loss, delta=1e-4 * loss)
        self.assertEqual(self.pictures(out), ["training_epoch.svg"])
        picture = (out / "plots" / "training_epoch.svg").read_text()
        for text in ("train loss", "test loss", "train error", "test error", "error (%)", "epoch"):
            self.assertIn(text, picture)
        self.stored_equals_fresh(out)
        support.run_lossmap("plot", out, "--format", "pdf", "--out", self.folder / "one.pdf")
        self.assertEqual((self.folder / "one.pdf").read_bytes()[:5], b"%PDF-")
        refused = support.run_lossmap("plot", out, "--kind", "contour", expect=2).stderr
        self.assertIn("curves of models are drawn as line, not contour", refused)
        self.assertIn("without --log", support.run_lossmap("plot", out, "--log", expect=2).stderr)
        self.assertIn("there is no surface to export",
                      support.run_lossmap("export", out, "--format", "vtp", expect=2).stderr)

    def test_training_curves_of_several_runs(self):
        runs = [{key: value for key, value in run.items() if key != "iterations"} for run in self.two_runs]
        out, rows = self.run_it("training_runs", {"experiment": "evaluate", "runs": runs, "data": self.data})
        self.assertEqual([row["run"] for row in rows], ["first, run"] * 3 + ["second"])
        self.assertEqual(rows[3]["train_loss"], rows[2]["train_loss"])
        self.assertEqual(self.pictures(out), ["training_error_epoch.svg", "training_loss_epoch.svg"])
        self.stored_equals_fresh(out)

    def test_a_mere_list_has_no_curves(self):
        out, rows = self.run_it("list", {"experiment": "evaluate", "models": ["e_0.onnx", "e_2.onnx"], "data": self.data})
        self.assertEqual(len(rows), 2)
        self.assertEqual(self.pictures(out), [])
        page = (out / "report.html").read_bytes()
        support.run_lossmap("report", out)
        self.assertEqual((out / "report.html").read_bytes(), page)
        self.assertIn("have a table and no curves", support.run_lossmap("plot", out, expect=2).stderr)
        table = (out / "table.csv").read_text()
        (out / "table.csv").write_text(table.replace(rows[0]["train_loss"], "much"))
        self.assertIn("table.csv: line 2, column 'train_loss': 'much' is no number",
                      support.run_lossmap("report", out, expect=2).stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
