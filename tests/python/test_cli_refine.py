"""Refined grids: the points of a plain run, chosen and interpolated as a second implementation of the rule says."""

import csv
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402
import test_cli_reestimate as reestimated  # noqa: E402

if not support.REASON:
    import h5py
    import numpy as np

    from tests.support.refinement_reference import Refinement

NX, NY, INITIAL, TOLERANCE = 33, 21, 5, 0.02
OF_A_PLAIN_RUN = ("loss", "acc", "done", "non_finite", "samples", "standard_error")


def plane(folder, **changes):
    config = support.line_config(folder)
    config["data"]["chunk"] = 7
    config.update(name="plane", x=support.axis(-2, 2, NX), y=support.axis(-1, 1.5, NY), **changes)
    return config


def datasets(file):
    with h5py.File(file) as stored:
        return {name: stored[name][()] for name in stored}


@unittest.skipIf(support.REASON, support.REASON)
class Refined(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.keep.name)
        cls.plain = cls.run_plane("plain")
        cls.refined = cls.run_plane("refined", refine={"initial": INITIAL, "tolerance": TOLERANCE})

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    @classmethod
    def run_plane(cls, name, *arguments, out=None, **changes):
        file = support.write_config(cls.folder, plane(cls.folder, **changes), f"{name}.json")
        out = out or cls.folder / name
        process = support.run_lossmap("run", file, "--out", out, "--progress", "none", *arguments)
        cls.messages = process.stderr
        return out

    def test_points_values_and_errors_are_those_of_the_rule(self):
        plain, refined = datasets(self.plain / "surface.h5"), datasets(self.refined / "surface.h5")
        rule = Refinement([plain["train_loss"]], INITIAL, TOLERANCE)
        rule.run()
        done = refined["train_done"] == 1
        np.testing.assert_array_equal(done, rule.known)
        self.assertTrue(INITIAL ** 2 < done.sum() < 0.9 * done.size, done.sum())
        value, error, _ = rule.fill(0, rule.last)
        np.testing.assert_allclose(refined["train_interpolated_loss"], value, rtol=1e-10)
        np.testing.assert_allclose(refined["train_error_estimate"], error, rtol=1e-6, atol=1e-12)
        self.assertLessEqual((refined["train_error_estimate"] / refined["train_interpolated_loss"]).max(), TOLERANCE)
        off = abs(refined["train_interpolated_loss"] - plain["train_loss"]) / plain["train_loss"]
        self.assertLess(off.max(), TOLERANCE)

    def test_computed_points_are_those_of_a_plain_run_and_others_are_marked(self):
        plain, refined = datasets(self.plain / "surface.h5"), datasets(self.refined / "surface.h5")
        done = refined["train_done"] == 1
        for name in OF_A_PLAIN_RUN:
            self.assertEqual(refined[f"train_{name}"][done].tobytes(), plain[f"train_{name}"][done].tobytes(), name)
        self.assertTrue((refined["train_loss"][~done] == -1).all())
        self.assertTrue((refined["train_error_estimate"][done] == 0).all())
        self.assertTrue((refined["train_error_estimate"][~done] > 0).all())
        np.testing.assert_array_equal(refined["train_interpolated_loss"][done], plain["train_loss"][done])
        self.assertTrue(((refined["train_interpolated_acc"] >= 0) & (refined["train_interpolated_acc"] <= 100)).all())

    def test_without_tolerance_the_files_are_those_of_a_plain_run(self):
        whole = self.run_plane("whole", refine={"initial": INITIAL, "tolerance": 0})
        for name in ("surface.h5", "direction.h5"):
            self.assertEqual((whole / name).read_bytes(), (self.plain / name).read_bytes(), name)

    def test_goes_on_to_the_full_grid_and_back_in_one_folder(self):
        out = self.run_plane("steps", refine={"initial": INITIAL, "tolerance": 0.2})
        some = (datasets(out / "surface.h5")["train_done"] == 1).sum()
        self.run_plane("steps", out=out, refine={"initial": INITIAL, "tolerance": TOLERANCE})
        self.assertIn("units are in the journal", self.messages)
        refined = datasets(out / "surface.h5")
        self.assertGreater((refined["train_done"] == 1).sum(), some)
        self.run_plane("steps", out=out)
        self.assertEqual((out / "surface.h5").read_bytes(), (self.plain / "surface.h5").read_bytes())
        self.run_plane("steps", out=out, refine={"initial": INITIAL, "tolerance": TOLERANCE})
        self.assertEqual((out / "surface.h5").read_bytes(), (self.plain / "surface.h5").read_bytes(),
                         "what is computed is shown")

    def test_stopped_after_any_unit_it_ends_with_the_same_bytes(self):
        file = support.write_config(self.folder, plane(self.folder, refine={"initial": INITIAL, "tolerance": TOLERANCE}))
        out = self.folder / "stopped"
        support.stop_in_the_middle(file, out, support.KILL)
        support.run_lossmap("run", file, "--out", out, "--progress", "none")
        self.assertEqual((out / "surface.h5").read_bytes(), (self.refined / "surface.h5").read_bytes())

    def test_the_preview_comes_first(self):
        log = (self.refined / "log.txt").read_text()
        self.assertIn("preview: ", log)
        self.assertLess(log.index("preview: "), log.index("evaluations in"))
        self.assertIn("the others are interpolated", log)
        picture = (self.refined / "plots" / "train_contour.svg").read_text()
        self.assertIn("points computed, the others interpolated", picture)
        self.assertIn("error_estimate", (self.refined / "report.html").read_text())

    def test_exports_say_what_is_interpolated(self):
        out = self.folder / "surface.npz"
        process = support.run_lossmap("export", self.refined, "--format", "npz", "--out", out)
        self.assertIn("the others interpolated", process.stderr)
        arrays, stored = np.load(out), datasets(self.refined / "surface.h5")
        for name in ("interpolated_loss", "interpolated_acc", "error_estimate"):
            np.testing.assert_array_equal(arrays[f"train_{name}"], stored[f"train_{name}"])
        self.assertTrue(np.isnan(arrays["train_loss"][stored["train_done"] == 0]).all())

    def test_a_line_with_two_splits(self):
        config = support.line_config(self.folder, x=support.axis(-2, 2, 41), splits=["train", "test"])
        config["data"]["test"] = ["other.npz"]
        support.write_samples(self.folder / "other.npz", count=11, seed=8)
        curves = {}
        for name, refine in (("line", None), ("refined_line", {"initial": 9, "tolerance": 0.01})):
            chosen = {**config, "refine": refine} if refine else config
            file = support.write_config(self.folder, chosen, f"{name}.json")
            support.run_lossmap("run", file, "--out", self.folder / name, "--progress", "none")
            curves[name] = datasets(self.folder / name / "surface.h5")
        losses = [curves["line"][f"{split}_loss"][None, :] for split in ("train", "test")]
        rule = Refinement(losses, 9, 0.01)
        rule.run()
        for split in ("train", "test"):
            np.testing.assert_array_equal(curves["refined_line"][f"{split}_done"] == 1, rule.known[0])

    def test_refused(self):
        for refine, message in (({"initial": 1}, "/refine/initial: expected"), ({"tolerance": -1}, "a number from 0 to 1"),
                                ({"tolerance": 2}, "a number from 0 to 1"), ({"step": 2}, "/refine/step"),
                                (True, "/refine: expected")):
            file = support.write_config(self.folder, plane(self.folder, refine=refine), "bad.json")
            process = support.run_lossmap("validate", file, expect=2)
            self.assertIn(message, process.stderr)


@unittest.skipIf(support.REASON, support.REASON)
class RefinedElsewhere(unittest.TestCase):
    """A refined grid in a trajectory, with statistics estimated at each point, and in a sweep."""

    def setUp(self):
        keep = tempfile.TemporaryDirectory()
        self.addCleanup(keep.cleanup)
        self.folder = Path(keep.name)

    def run_it(self, name, config):
        file = support.write_config(self.folder, config, f"{name}.json")
        support.run_lossmap("run", file, "--out", self.folder / name, "--progress", "none")
        return self.folder / name

    def both(self, config, initial, tolerance):
        """The folders of the plain run and the refined one, whose computed points are checked."""
        plain = self.run_it("plain", config)
        refined = self.run_it("refined", {**config, "refine": {"initial": initial, "tolerance": tolerance}})
        whole, some = datasets(plain / "surface.h5"), datasets(refined / "surface.h5")
        done = some["train_done"] == 1
        self.assertTrue(initial ** done.ndim <= done.sum() < done.size, done.sum())
        for name in OF_A_PLAIN_RUN:
            self.assertEqual(some[f"train_{name}"][done].tobytes(), whole[f"train_{name}"][done].tobytes(), name)
        rule = Refinement([np.atleast_2d(whole["train_loss"])], initial, tolerance)
        rule.run()
        np.testing.assert_array_equal(np.atleast_2d(done), rule.known)
        return plain, refined

    def test_the_path_over_a_refined_plane_is_that_of_a_plain_run(self):
        for k in range(4):
            support.write_mlp(self.folder / f"e_{k}.onnx", k)
        support.write_samples(self.folder / "samples.npz")
        plain, refined = self.both({"name": "path", "experiment": "trajectory", "checkpoints": "e_*.onnx",
                                    "plane": {"kind": "pca", "ignore": []},
                                    "data": {"format": "npz", "train": ["samples.npz"], "chunk": 7},
                                    "x": {"points": 17}, "y": {"points": 17}}, 5, 0.05)
        self.assertEqual((refined / "trajectory.h5").read_bytes(), (plain / "trajectory.h5").read_bytes())
        self.assertTrue((refined / "plots" / "train_trajectory.svg").exists())

    def test_statistics_estimated_at_each_point(self):
        for seed, name in ((1, "from.onnx"), (2, "to.onnx")):
            reestimated.write_net(self.folder / name, seed)
        reestimated.write_images(self.folder / "train.npz", 20, 3)
        self.both({"name": "line", "experiment": "interpolation", "model": "from.onnx", "to": "to.onnx",
                   "move": "reestimate", "statistics": {"split": "train", "count": 12, "batch": 8},
                   "data": {"format": "npz", "train": "train.npz", "chunk": 9}, "x": support.axis(-0.5, 1.5, 33)}, 9, 0.02)

    def test_a_sweep_over_tolerances(self):
        config = plane(self.folder, refine={"initial": INITIAL, "tolerance": TOLERANCE})
        plain = self.run_it("plain", plane(self.folder))
        alone = self.run_it("alone", config)
        out = self.run_it("swept", {**config, "sweep": [{"pointer": "/refine/tolerance", "values": [TOLERANCE, 0],
                                                         "labels": ["refined", "whole"]}]})
        for folder, same in (("001-refined", alone), ("002-whole", plain)):
            numbers, expected = datasets(out / folder / "surface.h5"), datasets(same / "surface.h5")
            self.assertEqual(set(numbers), set(expected))
            for name, values in expected.items():
                np.testing.assert_array_equal(numbers[name], values, f"{folder} {name}")
        with open(out / "table.csv", newline="") as file:  # the origin of the refined run is computed, whatever the grid has
            rows = list(csv.DictReader(file))
        self.assertEqual(rows[0]["train_loss"], rows[1]["train_loss"])
        self.assertGreater(float(rows[0]["train_loss"]), 0)
        pictures = [file.read_text() for file in (out / "plots").glob("*.svg")]
        self.assertTrue(any("computed, the others interpolated" in picture for picture in pictures), len(pictures))


if __name__ == "__main__":
    unittest.main(verbosity=2)
