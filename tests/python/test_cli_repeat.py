"""Repeated directions: each repetition is a run of its own, their spread against NumPy, and what shows them."""

import csv
import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402

if not support.REASON:
    import h5py
    import numpy as np

SEED, COUNT = 4, 3
DATA = ("loss", "acc", "done", "non_finite", "samples", "standard_error")


def without_pictures(case, folder):
    """Most tests do not look at pictures, which take longer than all the rest."""
    stand_in = Path(folder) / "gnuplot"
    stand_in.write_text("#!/bin/sh\necho drawn > picture\n")
    stand_in.chmod(0o700)
    os.environ["LOSSMAP_GNUPLOT"] = str(stand_in)
    case.addCleanup(os.environ.pop, "LOSSMAP_GNUPLOT", None)


def repeat_config(folder, **changes):
    config = support.line_config(folder, name="several <b>", experiment="repeat", count=COUNT, splits=["train", "test"], **changes)
    support.write_samples(Path(folder) / "test.npz", count=9, seed=8)
    config["data"].update(test="test.npz", chunk=7)
    config["directions"]["seed"] = SEED
    return config


def spread(values):
    """Mean, sample standard deviation, least, greatest and number of the finite values along the first axis."""
    kept = np.ma.masked_invalid(values)
    columns = [kept.mean(0), kept.std(0, ddof=1), kept.min(0), kept.max(0)]
    return [np.ma.filled(column.astype(float), np.nan).ravel() for column in columns] + [kept.count(0).ravel()]


class Repeat:
    """Run once, looked at from all sides."""

    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.keep.name)
        cls.config = repeat_config(cls.folder, **cls.axes())
        cls.file = support.write_config(cls.folder, cls.config)
        cls.out = cls.folder / "out"
        listed = support.run_lossmap("run", cls.file, "--out", cls.out, "--progress", "none").stdout
        cls.listed = {str(Path(line).relative_to(cls.out)) for line in listed.splitlines()}

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    def test_each_repetition_has_the_bits_of_a_surface_of_its_own(self):
        without_pictures(self, self.folder)
        with h5py.File(self.out / "surface.h5") as all_of_them:
            np.testing.assert_array_equal(all_of_them["seeds"][()], [SEED, SEED + 1, SEED + 2])
            for number in range(COUNT):
                one = {**self.config, "experiment": "surface"}
                del one["count"]
                one["directions"] = {**self.config["directions"], "seed": SEED + number}
                out = self.folder / f"alone_{number}"
                support.run_lossmap("run", support.write_config(self.folder, one, "one.json"), "--out", out, "--progress", "none")
                with h5py.File(out / "surface.h5") as alone:
                    names = ["xcoordinates"] + (["ycoordinates"] if "y" in self.config else [])
                    for name in names:
                        self.assertEqual(all_of_them[name][()].tobytes(), alone[name][()].tobytes())
                    for name in (f"{split}_{data}" for split in ("train", "test") for data in DATA):
                        self.assertEqual(all_of_them[name].shape, (COUNT, *alone[name].shape))
                        self.assertEqual(all_of_them[name][number].tobytes(), alone[name][()].tobytes(), (number, name))
            self.assertGreater(np.ptp(all_of_them["train_loss"][()], axis=0).max(), 0.01)

    def test_spread_against_numpy(self):
        with open(self.out / "table.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        with h5py.File(self.out / "surface.h5") as file:
            for split in ("train", "test"):
                for quantity, values in (("loss", file[split + "_loss"][()]), ("error", 100 - file[split + "_acc"][()])):
                    for name, expected in zip(("mean", "std", "min", "max", "count"), spread(values)):
                        found = [float(row[f"{split}_{quantity}_{name}"]) for row in rows]
                        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13, err_msg=f"{split} {quantity} {name}")
            xs = file["xcoordinates"][()]
            self.assertEqual([float(row["x"]) for row in rows[:len(xs)]], list(xs))
            brief = {(row[1], row[2]): row[3:6] for row in
                     ([cell.strip() for cell in line.split("|")] for line in (self.out / "table.md").read_text().splitlines()[2:])}
            deviation = spread(file["test_loss"][()])[1]
            ranges = np.ptp(file["test_loss"][()], axis=0)
            np.testing.assert_allclose([float(cell) for cell in brief["test", "loss"]],
                                       [deviation.mean(), deviation.max(), ranges.max()], rtol=1e-3)

    def test_a_change_of_seed_or_count_is_another_run(self):
        for change in ("/count=4", f"/directions/seed={SEED + 1}"):
            process = support.run_lossmap("run", self.file, "--out", self.out, "--set", change, expect=2)
            self.assertIn("it differs in: directions", process.stderr)

    def test_the_resolved_configuration_is_the_same_run(self):
        without_pictures(self, self.folder)
        process = support.run_lossmap("run", self.out / "config.resolved.json", "--out", self.out, "--progress", "none")
        self.assertIn("units are in the journal", process.stderr)

    def page_of(self, name):
        support.run_lossmap("report", self.out, "--out", self.folder / name)
        text = (self.folder / name).read_text()
        self.assertEqual(text.split('type="application/json"')[1], (self.out / "report.html").read_text().split('type="application/json"')[1])
        data = text.split('type="application/json"')[1].split(">", 1)[1].split("</script")[0]
        page = json.loads(data)["runs"][0]
        self.assertEqual(page["title"], "several <b>")
        self.assertEqual(page["tables"][0]["title"], "Spread over 3 random directions, seeds 4 to 6")
        return page

    def exported(self):
        file = self.folder / "out.csv"
        support.run_lossmap("export", self.out, "--format", "csv", "--out", file)
        with open(file, newline="") as stream:
            return list(csv.DictReader(stream))

    def test_exported_table_has_the_summary_and_every_repetition(self):
        rows = self.exported()
        with h5py.File(self.out / "surface.h5") as file:
            loss, accuracy = file["test_loss"][()], file["test_acc"][()]
        for number in range(COUNT):
            self.assertEqual([float(row[f"test_seed_{SEED + number}_loss"]) for row in rows], list(loss[number].ravel()))
        for name, expected in (("mean_loss", loss.mean(0)), ("std_loss", loss.std(0, ddof=1)), ("range_loss", np.ptp(loss, axis=0)),
                               ("mean_accuracy", accuracy.mean(0)), ("std_accuracy", accuracy.std(0, ddof=1))):
            np.testing.assert_allclose([float(row["test_" + name]) for row in rows], expected.ravel(), rtol=1e-12, atol=1e-13)


@unittest.skipIf(support.REASON, support.REASON)
class Lines(Repeat, unittest.TestCase):
    @staticmethod
    def axes():
        return {"x": support.axis(-1, 1, 5)}

    def test_files(self):
        self.assertEqual(self.listed, {"config.resolved.json", "surface.h5", "table.csv", "table.md", "table.tex", "report.html",
                                       "plots/train_repeats_line.svg", "plots/test_repeats_line.svg"})
        picture = (self.out / "plots" / "test_repeats_line.svg").read_text()
        for text in ("test loss, mean", "test loss ± std", "test error, mean", "error (%)", "3 random directions, seeds 4 to 6"):
            self.assertIn(text, picture)

    def test_page_draws_every_line_the_mean_and_the_band(self):
        page = self.page_of("lines.html")
        self.assertEqual(page["splits"], [])
        self.assertEqual(len(page["curves"]), 2)
        with h5py.File(self.out / "surface.h5") as file:
            loss = file["train_loss"][()]
        figure = page["curves"][0]
        faint = [curve["y"] for curve in figure["curves"] if curve["faint"] and not curve["second_axis"]]
        np.testing.assert_array_equal(faint, loss)
        mean = next(curve for curve in figure["curves"] if curve["name"] == "train loss, mean")
        np.testing.assert_allclose(mean["y"], loss.mean(0), rtol=1e-12)
        band = next(one for one in figure["bands"] if not one["second_axis"])
        np.testing.assert_allclose(band["low"], loss.mean(0) - loss.std(0, ddof=1), rtol=1e-12)
        np.testing.assert_allclose(band["high"], loss.mean(0) + loss.std(0, ddof=1), rtol=1e-12)

    def test_plot_of_the_stored_run(self):
        drawn = support.run_lossmap("plot", self.out, "--out", self.folder / "again").stdout.split()
        self.assertEqual([Path(file).name for file in drawn], ["out_train_repeats_line.svg", "out_test_repeats_line.svg"])
        self.assertEqual(Path(drawn[0]).read_bytes(), (self.out / "plots" / "train_repeats_line.svg").read_bytes())
        refused = support.run_lossmap("plot", self.out, "--kind", "contour", "--out", self.folder / "c.svg", expect=2)
        self.assertIn("repeated lines are drawn as line, not contour", refused.stderr)
        refused = support.run_lossmap("plot", self.out, "--log", "--out", self.folder / "c.svg", expect=2)
        self.assertIn("without --log", refused.stderr)


@unittest.skipIf(support.REASON, support.REASON)
class Planes(Repeat, unittest.TestCase):
    @staticmethod
    def axes():
        return {"x": support.axis(-1, 1, 5), "y": support.axis(-0.5, 1, 3)}

    def test_files(self):
        self.assertEqual(self.listed, {"config.resolved.json", "surface.h5", "table.csv", "table.md", "table.tex", "report.html",
                                       "plots/train_repeats_contour.svg", "plots/test_repeats_contour.svg",
                                       "plots/train_spread.svg", "plots/test_spread.svg"})
        picture = (self.out / "plots" / "train_repeats_contour.svg").read_text()
        for text in ("seed 4", "seed 5", "seed 6"):
            self.assertIn(text, picture)
        picture = (self.out / "plots" / "train_spread.svg").read_text()
        for text in ("standard deviation", "range (max - min)", "train loss over 3 seeds", "spread of the loss"):
            self.assertIn(text, picture)

    def test_page_shows_the_summary(self):
        page = self.page_of("planes.html")
        self.assertEqual([split["name"] for split in page["splits"]],
                         [f"{split}_{name}" for split in ("train", "test") for name in ("mean", "std", "range")])
        with h5py.File(self.out / "surface.h5") as file:
            loss = file["train_loss"][()]
        np.testing.assert_allclose(page["splits"][0]["loss"], loss.mean(0).ravel(), rtol=1e-12)
        np.testing.assert_allclose(page["splits"][1]["loss"], loss.std(0, ddof=1).ravel(), rtol=1e-11, atol=1e-14)

    def test_plot_and_mesh_of_the_stored_run(self):
        file = self.folder / "filled.svg"
        support.run_lossmap("plot", self.out, "--kind", "filled", "--out", file)
        self.assertIn("seed 6", file.read_text())
        refused = support.run_lossmap("plot", self.out, "--kind", "surface3d", "--out", file, expect=2)
        self.assertIn("repeated planes are drawn as contour, filled or heatmap, not surface3d", refused.stderr)
        mesh = support.run_lossmap("export", self.out, "--format", "vtp", "--out", self.folder / "mean.vtp")
        self.assertIn("train_mean, of 3 repetitions; --split takes train_std, train_range, train_seed_4", mesh.stderr)
        refused = support.run_lossmap("export", self.out, "--format", "vtp", "--split", "train", expect=2)
        self.assertIn("has no split 'train'; it has train_mean", refused.stderr)


@unittest.skipIf(support.REASON, support.REASON)
class Other(unittest.TestCase):
    def setUp(self):
        keep = tempfile.TemporaryDirectory()
        self.addCleanup(keep.cleanup)
        self.folder = Path(keep.name)
        without_pictures(self, self.folder)

    def test_stopped_in_the_middle_equals_unbroken(self):
        support.write_convnet(self.folder / "net.onnx")
        config = {"name": "stopped", "experiment": "repeat", "model": "net.onnx", "count": 3,
                  "data": {"format": "synthetic", "count": 800, "seed": 4, "chunk": 100},
                  "directions": {"kind": "random", "seed": 1}, "x": support.axis(-1, 1, 5), "y": support.axis(-1, 1, 3)}
        file = support.write_config(self.folder, config)
        support.run_lossmap("run", file, "--out", self.folder / "unbroken", "--progress", "none")
        out = self.folder / "out"
        status, _ = support.stop_in_the_middle(file, out, support.INTERRUPT)
        if (out / "report.html").exists():
            self.skipTest("the run was over before the signal came")
        self.assertEqual(status, 130)
        self.assertIn("going on: ", support.run_lossmap("run", file, "--out", out, "--progress", "none").stderr)
        for name in ("surface.h5", "table.csv"):
            self.assertEqual((out / name).read_bytes(), (self.folder / "unbroken" / name).read_bytes(), name)

    def test_sweep_runs_it(self):
        config = repeat_config(self.folder, x=support.axis(-1, 1, 3), y=support.axis(-1, 1, 3),
                               sweep=[{"pointer": "/directions/normalization", "values": ["filter", "none"]}])
        out = self.folder / "sweep"
        support.run_lossmap("run", support.write_config(self.folder, config), "--out", out, "--progress", "none")
        with open(out / "table.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([row["normalization"] for row in rows], ["filter", "none"])
        with h5py.File(out / "001-filter" / "surface.h5") as file:
            for number in range(COUNT):  # the origin is the same in all repetitions
                self.assertEqual(float(rows[0]["train_loss"]), file["train_loss"][number, 1, 1])
        self.assertTrue((out / "plots" / "train_mean_contour.svg").exists())
        self.assertIn("train_mean", (out / "report.html").read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
