"""Grids that take over the points of an earlier run or of a surface file of the reference implementation."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402

if not support.REASON:
    import h5py
    import numpy as np


def plane(folder, x, y, **changes):
    config = support.line_config(folder)
    config["data"]["chunk"] = 7
    config.update(name="plane", x=x, y=y, **changes)
    return config


def datasets(file):
    with h5py.File(file) as stored:
        return {name: stored[name][()] for name in stored}


class InAFolder(unittest.TestCase):
    def setUp(self):
        keep = tempfile.TemporaryDirectory()
        self.addCleanup(keep.cleanup)
        self.folder = Path(keep.name)

    def run_config(self, name, config, expect=0):
        file = support.write_config(self.folder, config, f"{name}.json")
        out = self.folder / name
        self.messages = support.run_lossmap("run", file, "--out", out, "--progress", "none", expect=expect).stderr
        return out


@unittest.skipIf(support.REASON, support.REASON)
class Grown(InAFolder):
    @classmethod
    def setUpClass(cls):
        keep = tempfile.TemporaryDirectory()
        cls.addClassCleanup(keep.cleanup)
        cls.small = Path(keep.name) / "small"
        config = plane(keep.name, support.axis(-1, 1, 5), support.axis(-0.5, 0.5, 3))
        support.run_lossmap("run", support.write_config(keep.name, config), "--out", cls.small, "--progress", "none")

    def compare(self, x, y, taken, of):
        fresh = self.run_config("fresh", plane(self.folder, x, y))
        grown = self.run_config("grown", plane(self.folder, x, y, grow=True, **{"from": str(self.small)}))
        self.assertIn(f"{taken} of {of} points are taken over", self.messages)
        self.assertIn(f"going on: {3 * taken} of {3 * of} units", self.messages)
        for name in ("surface.h5", "direction.h5"):
            self.assertEqual((grown / name).read_bytes(), (fresh / name).read_bytes(), name)
        return grown

    def test_a_finer_grid(self):
        self.compare(support.axis(-1, 1, 9), support.axis(-0.5, 0.5, 5), 15, 45)

    def test_a_larger_grid_of_which_some_points_are_the_same(self):
        self.compare(support.axis(-2, 1, 7), support.axis(0, 1, 3), 10, 21)

    def test_a_third_of_the_step_does_not_depend_on_rounding(self):
        # In fp64 some of these coordinates differ in the last bit; in fp32, which arithmetic uses, they do not.
        self.compare(support.axis(-1, 1, 13), support.axis(-0.5, 0.5, 7), 15, 91)

    def test_again_without_the_earlier_run(self):
        grown = self.compare(support.axis(-1, 1, 9), support.axis(-0.5, 0.5, 5), 15, 45)
        before = (grown / "surface.h5").read_bytes()
        self.run_config("grown", plane(self.folder, support.axis(-1, 1, 9), support.axis(-0.5, 0.5, 5)))
        self.assertEqual((grown / "surface.h5").read_bytes(), before, "it is a run like any other")

    def test_together_with_refinement(self):
        x, y = support.axis(-1, 1, 9), support.axis(-0.5, 0.5, 5)
        refine = {"initial": 3, "tolerance": 0}
        grown = self.run_config("grown", plane(self.folder, x, y, grow=True, refine=refine, **{"from": str(self.small)}))
        fresh = self.run_config("fresh", plane(self.folder, x, y))
        self.assertEqual((grown / "surface.h5").read_bytes(), (fresh / "surface.h5").read_bytes())

    def test_other_runs_are_refused_by_what_differs(self):
        good = plane(self.folder, support.axis(-1, 1, 9), support.axis(-0.5, 0.5, 5), grow=True, **{"from": str(self.small)})
        for change, message in (({"directions": {"kind": "random", "seed": 2}}, "differs in: directions;"),
                                ({"loss": "mse"}, ""),
                                ({"loss": {"kind": "cross_entropy", "label_smoothing": 0.1}}, "differs in: loss;"),
                                ({"data": {**good["data"], "chunk": 5}}, "differs in: chunking;"),
                                ({"from": "nowhere"}, "no such file or folder"), ({"from": "."}, "holds no run"),
                                ({"grow": False}, "/from: is used with"), ({"y": None}, "")):
            config = {key: value for key, value in {**good, **change}.items() if value is not None}
            self.run_config("bad", config, expect=2)
            self.assertIn(message, self.messages)
            self.assertFalse((self.folder / "bad" / "surface.h5").exists())
        config = dict(good)
        del config["from"]
        self.run_config("bad", config, expect=2)
        self.assertIn("/from", self.messages)
        support.write_samples(self.folder / "other.npz", seed=9)
        self.run_config("bad", {**good, "data": {"format": "npz", "train": ["other.npz"], "chunk": 7}}, expect=2)
        self.assertIn("differs in: data;", self.messages)


@unittest.skipIf(support.REASON, support.REASON)
class FromTheReferenceImplementation(InAFolder):
    """Files as plot_surface.py writes them: [nx, ny] filled y-major, -1 where it was stopped."""

    NX, NY = 5, 4

    def setUp(self):
        super().setUp()
        self.x, self.y = support.axis(-1, 1, self.NX), support.axis(-0.5, 1, self.NY)
        first = self.run_config("first", plane(self.folder, self.x, self.y))
        self.expected = datasets(first / "surface.h5")
        with h5py.File(first / "direction.h5") as ours, h5py.File(self.folder / "d.h5", "w") as theirs:
            for axis in ("xdirection", "ydirection"):
                group = theirs.create_group(axis)
                for k in range(len(ours[axis])):
                    group.create_dataset(str(k), data=ours[axis][str(k)][()])
        self.write_surface()

    def write_surface(self, factor=1.0):
        loss, acc = self.expected["train_loss"].ravel() * factor, self.expected["train_acc"].ravel().copy()
        loss[12:] = acc[12:] = -1.0
        with h5py.File(self.folder / "theirs.h5", "w") as file:
            file["dir_file"] = "/home/somebody/d.h5"
            file["xcoordinates"] = np.linspace(-1, 1, self.NX)
            file["ycoordinates"] = np.linspace(-0.5, 1, self.NY)
            file["train_loss"] = loss.reshape(self.NX, self.NY)
            file["train_acc"] = acc.reshape(self.NX, self.NY)

    def config(self, x=None, y=None, **changes):
        return plane(self.folder, x or self.x, y or self.y, grow=True, directions={"kind": "file", "path": "d.h5"},
                     **{"from": "theirs.h5"}, **changes)

    def test_a_stopped_surface_is_finished(self):
        out = self.run_config("resumed", self.config())
        self.assertIn("12 values are taken over", self.messages)
        found = datasets(out / "surface.h5")
        np.testing.assert_array_equal(found["train_loss"], self.expected["train_loss"])
        np.testing.assert_array_equal(found["train_acc"], self.expected["train_acc"])
        self.assertTrue((found["train_done"] == 1).all())
        unknown = (found["train_samples"] == 0).ravel()
        self.assertEqual(unknown.sum(), 10, "12 points but for the two that were checked")
        self.assertTrue((found["train_standard_error"].ravel()[unknown] == -1).all())
        self.assertTrue((found["train_standard_error"].ravel()[~unknown] >= 0).all())
        before = (out / "surface.h5").read_bytes()
        self.run_config("resumed", self.config())
        self.assertEqual((out / "surface.h5").read_bytes(), before)

    def test_a_finer_grid_of_it_with_refinement(self):
        x, y = support.axis(-1, 1, 2 * self.NX - 1), support.axis(-0.5, 1, 2 * self.NY - 1)
        out = self.run_config("finer", self.config(x, y, refine={"initial": 3, "tolerance": 0}))
        fresh = self.run_config("plain", plane(self.folder, x, y))
        np.testing.assert_array_equal(datasets(out / "surface.h5")["train_loss"],
                                      datasets(fresh / "surface.h5")["train_loss"])

    def test_values_of_another_net_are_found_out(self):
        self.write_surface(factor=1.01)
        self.run_config("bad", self.config(), expect=2)
        self.assertIn("it was computed with another model, data set, loss or direction", self.messages)
        self.assertFalse((self.folder / "bad" / "surface.h5").exists())

    def test_changed_values_make_another_run(self):
        self.run_config("resumed", self.config())
        self.write_surface(factor=1.0 + 1e-6)
        self.run_config("resumed", self.config(), expect=2)
        self.assertIn("differs in: from", self.messages)

    def test_our_own_file_is_refused(self):
        self.run_config("bad", {**self.config(), "from": "first/surface.h5"}, expect=2)
        self.assertIn("name its folder", self.messages)

    def test_pictures_exports_and_page(self):
        with h5py.File(self.folder / "d.h5", "a") as file:
            file["explained_variance_ratio_"] = [0.4932, 0.2]
            file["singular_values_"] = [3.0, 2.0]
            file["explained_variance_"] = [9.0, 4.0]
        with h5py.File(self.folder / "d.h5_proj_cos.h5", "w") as file:
            file["proj_xcoord"] = np.array([-0.9, -0.4, 0.0], np.float32)
            file["proj_ycoord"] = np.array([0.8, 0.3, 0.0], np.float32)
        surface = self.folder / "theirs.h5"
        support.run_lossmap("plot", surface, "--out", self.folder / "pictures")
        picture = (self.folder / "pictures" / "theirs_train_trajectory.svg").read_text()
        self.assertIn("1st PC: 49.32 %", picture)
        self.assertIn("8 of 20 points not computed", picture)
        support.run_lossmap("report", surface, "--out", self.folder / "page.html")
        self.assertIn("1st PC: 49.32 %", (self.folder / "page.html").read_text())
        support.run_lossmap("export", surface, "--format", "npz", "--out", self.folder / "theirs.npz")
        loss = np.load(self.folder / "theirs.npz")["train_loss"].ravel()
        np.testing.assert_array_equal(loss[:12], self.expected["train_loss"].ravel()[:12])
        self.assertTrue(np.isnan(loss[12:]).all())

    def test_other_files_of_it_are_told_apart(self):
        with h5py.File(self.folder / "hessian.h5", "w") as file:
            file["xcoordinates"] = file["ycoordinates"] = np.linspace(-1, 1, 3)
            file["min_eig"] = file["max_eig"] = np.ones((3, 3))
        with h5py.File(self.folder / "proj.h5", "w") as file:
            file["proj_xcoord"] = file["proj_ycoord"] = np.zeros(3)
        for name, message in (("d.h5", "it holds directions"), ("hessian.h5", "eigenvalues of the Hessian"),
                              ("proj.h5", "the path of a training run")):
            for command in (["plot"], ["report"], ["export", "--format", "csv"]):
                process = support.run_lossmap(*command, self.folder / name, expect=2)
                self.assertIn(message, process.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
