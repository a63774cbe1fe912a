"""Experiments over trained networks: a path in its principal plane and the line between two networks, against NumPy."""

import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402
from test_cli_results import NAMES, mlp_loss  # noqa: E402

if not support.REASON:
    import h5py
    import numpy as np

EPOCHS = 5


def flat(weights):
    return np.concatenate([np.asarray(weights[name], np.float64).ravel() for name in NAMES])


def moved(weights, offset):
    """Weights plus a flat offset."""
    result, start = {}, 0
    for name in NAMES:
        size = weights[name].size
        result[name] = np.asarray(weights[name], np.float64) + offset[start:start + size].reshape(weights[name].shape)
        start += size
    return result


@unittest.skipIf(support.REASON, support.REASON)
class Path2D(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.keep.name)
        cls.weights = [support.write_mlp(cls.folder / f"e_{k}.onnx", k) for k in range(EPOCHS)]
        cls.samples = support.write_samples(cls.folder / "samples.npz")
        cls.config = {"name": "path", "experiment": "trajectory", "checkpoints": "e_*.onnx", "lr_drops": [2],
                      "plane": {"kind": "pca", "ignore": []}, "data": {"format": "npz", "train": ["samples.npz"]},
                      "x": {"points": 4, "margin": 0.25}, "y": {"min": -1, "max": 2, "points": 3}}
        cls.out = cls.run_it("out", cls.config)
        rows = np.stack([flat(w) - flat(cls.weights[-1]) for w in cls.weights])
        _, cls.singular, vectors = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
        cls.rows, cls.vectors = rows, vectors[:2]

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    @classmethod
    def run_it(cls, name, config):
        support.run_lossmap("run", support.write_config(cls.folder, config), "--out", cls.folder / name,
                            "--progress", "none")
        return cls.folder / name

    def axes(self, out):
        with h5py.File(out / "direction.h5") as file:
            return [np.concatenate([file[group][str(k)][()].astype(np.float64).ravel() for k in range(len(NAMES))])
                    for group in ("xdirection", "ydirection")]

    def test_components_and_variance(self):
        for ours, theirs in zip(self.axes(self.out), self.vectors):
            self.assertAlmostEqual(abs(ours @ theirs), 1.0, delta=1e-6)
        with h5py.File(self.out / "direction.h5") as file:
            np.testing.assert_allclose(file["singular_values_"][()], self.singular[:2], rtol=1e-6)
            np.testing.assert_allclose(file["all_singular_values"][:EPOCHS - 1], self.singular[:EPOCHS - 1], rtol=1e-6)
            ratio = self.singular ** 2 / (self.singular ** 2).sum()
            np.testing.assert_allclose(file["explained_variance_ratio_"][()], ratio[:2], rtol=1e-6)
            np.testing.assert_allclose(file["explained_variance_"][()], self.singular[:2] ** 2 / (EPOCHS - 1), rtol=1e-6)
            self.assertEqual(len(file["all_explained_variance_ratio"]), EPOCHS)

    def check_path(self, out):
        axes = np.stack(self.axes(out))
        np.testing.assert_allclose(np.linalg.norm(axes, axis=1), 1, rtol=1e-6)
        projected = self.rows @ axes.T
        with h5py.File(out / "trajectory.h5") as file:
            content = {name: file[name][()] for name in file}
        np.testing.assert_allclose(content["proj_xcoord"], projected[:, 0], atol=1e-5)
        np.testing.assert_allclose(content["proj_ycoord"], projected[:, 1], atol=1e-5)
        np.testing.assert_allclose(content["norm"], np.linalg.norm(self.rows, axis=1), rtol=1e-6)
        np.testing.assert_allclose(content["weight_norm"], [np.linalg.norm(flat(w)) for w in self.weights], rtol=1e-6)
        for k, weights in enumerate(self.weights):
            self.assertAlmostEqual(content["train_checkpoint_loss"][k], mlp_loss(weights, *self.samples)[0], delta=1e-4)
            offset = content["proj_xcoord"][k] * axes[0] + content["proj_ycoord"][k] * axes[1]
            self.assertAlmostEqual(content["train_plane_loss"][k],
                                   mlp_loss(moved(self.weights[-1], offset), *self.samples)[0], delta=1e-4)
        return content, axes

    def test_path_losses_and_plane(self):
        content, axes = self.check_path(self.out)
        np.testing.assert_array_equal(content["lr_drops"], [2])
        self.assertEqual([name.decode() for name in content["checkpoints"]], [f"e_{k}.onnx" for k in range(EPOCHS)])
        self.assertRegex(content["axis_labels"][0].decode(), r"^1st PC: \d+\.\d\d %$")
        inside = ((self.rows @ axes.T) @ axes)
        np.testing.assert_allclose(content["distance"], np.linalg.norm(self.rows - inside, axis=1), atol=1e-4)
        with h5py.File(self.out / "surface.h5") as file:
            x, y, loss = file["xcoordinates"][()], file["ycoordinates"][()], file["train_loss"][()]
        low, high = content["proj_xcoord"].min(), content["proj_xcoord"].max()
        np.testing.assert_allclose([x[0], x[-1]], [low - 0.25 * (high - low), high + 0.25 * (high - low)], rtol=1e-12)
        np.testing.assert_array_equal(y, [-1, 0.5, 2])
        self.assertEqual(loss.shape, (3, 4))
        for iy in range(3):
            for ix in range(4):
                expected = mlp_loss(moved(self.weights[-1], x[ix] * axes[0] + y[iy] * axes[1]), *self.samples)[0]
                self.assertAlmostEqual(loss[iy, ix], expected, delta=1e-4)

    def test_pictures_and_page(self):
        self.assertTrue((self.out / "plots" / "train_trajectory.svg").stat().st_size > 1000)
        self.assertIn('"drops":[2]', (self.out / "report.html").read_text())
        support.run_lossmap("plot", self.out, "--kind", "trajectory", "--format", "png")
        self.assertTrue((self.out / "plots" / "train_trajectory.png").exists())

    def test_exported_path(self):
        mesh, path = support.run_lossmap("export", self.out, "--format", "vtp").stdout.split()
        self.assertEqual((mesh, path), (str(self.out / "surface.vtp"), str(self.out / "surface_path.vtp")))
        piece = ElementTree.parse(path).getroot().find("PolyData/Piece")
        self.assertEqual((piece.get("NumberOfPoints"), piece.get("NumberOfLines")), (str(EPOCHS), "1"))
        points = np.array(piece.find("Points/DataArray").text.split(), float).reshape(-1, 3)
        with h5py.File(self.out / "trajectory.h5") as file:
            np.testing.assert_array_equal(points.T, [file["proj_xcoord"], file["proj_ycoord"], file["train_plane_loss"]])
        self.assertEqual(len(support.run_lossmap("export", self.out, "--format", "stl").stdout.split()), 1)

    def test_random_and_difference_plane(self):
        plane = {"x": {"kind": "difference", "models": ["e_0.onnx"]}, "y": {"kind": "random", "seed": 2}}
        self.check_path(self.run_it("mixed", {**self.config, "plane": plane}))

    def test_resolved_configuration_is_the_same_run(self):
        support.run_lossmap("run", self.out / "config.resolved.json", "--out", self.out, "--progress", "none")

    def test_surface_over_principal_components(self):
        config = {"name": "pca", "experiment": "surface", "model": "e_4.onnx", "data": self.config["data"],
                  "directions": {"kind": "pca", "checkpoints": "e_*.onnx", "ignore": []}, "x": support.axis(-1, 1, 2),
                  "y": support.axis(-1, 1, 2)}
        for ours, theirs in zip(self.axes(self.run_it("surface", config)), self.vectors):
            self.assertAlmostEqual(abs(ours @ theirs), 1.0, delta=1e-6)


@unittest.skipIf(support.REASON, support.REASON)
class Runs(unittest.TestCase):
    """Two training runs on the plane of all their checkpoints."""

    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.keep.name)
        cls.weights = {name: [support.write_mlp(cls.folder / f"{name}_{k}.onnx", 10 * seed + k) for k in range(count)]
                       for seed, (name, count) in enumerate({"a": 4, "b": 3}.items())}
        cls.samples = support.write_samples(cls.folder / "samples.npz")
        cls.config = {"name": "runs", "experiment": "trajectory", "plane": {"kind": "pca", "ignore": []},
                      "runs": [{"label": "first", "checkpoints": "a_*.onnx", "epochs": [0, 1, 2, 5], "lr_drops": [2]},
                               {"label": "second <b>", "checkpoints": "b_*.onnx"}],
                      "data": {"format": "npz", "train": ["samples.npz"]}, "x": {"points": 3}, "y": {"points": 2}}
        cls.out = cls.folder / "out"
        support.run_lossmap("run", support.write_config(cls.folder, cls.config), "--out", cls.out, "--progress", "none")

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    def test_both_paths_are_projected_and_evaluated(self):
        origin = self.weights["a"][-1]
        rows = {name: np.stack([flat(w) - flat(origin) for w in self.weights[name]]) for name in "ab"}
        every = np.concatenate([rows["a"], rows["b"]])
        _, singular, vectors = np.linalg.svd(every - every.mean(axis=0), full_matrices=False)
        with h5py.File(self.out / "direction.h5") as file:
            np.testing.assert_allclose(file["singular_values_"][()], singular[:2], rtol=1e-6)
            axes = np.stack([np.concatenate([file[group][str(k)][()].astype(np.float64).ravel() for k in range(len(NAMES))])
                             for group in ("xdirection", "ydirection")])
        np.testing.assert_allclose(np.abs(np.sum(axes * vectors[:2], axis=1)), 1, atol=1e-6)
        with h5py.File(self.out / "trajectory.h5") as file:
            self.assertEqual([file["runs"][k].attrs["label"] for k in "01"], ["first", "second <b>"])
            np.testing.assert_array_equal(file["proj_xcoord"][()], file["runs/0/proj_xcoord"][()])
            for group, name in (("runs/0", "a"), ("runs/1", "b")):
                run = file[group]
                projected = rows[name] @ axes.T
                np.testing.assert_allclose(run["proj_xcoord"][()], projected[:, 0], atol=1e-5)
                np.testing.assert_allclose(run["proj_ycoord"][()], projected[:, 1], atol=1e-5)
                inside = projected @ axes
                np.testing.assert_allclose(run["distance"][()], np.linalg.norm(rows[name] - inside, axis=1), atol=1e-4)
                for k, weights in enumerate(self.weights[name]):
                    self.assertAlmostEqual(run["train_checkpoint_loss"][k], mlp_loss(weights, *self.samples)[0], delta=1e-4)
                    self.assertAlmostEqual(run["train_plane_loss"][k], mlp_loss(moved(origin, inside[k]), *self.samples)[0], delta=1e-4)
            both = np.concatenate([file["runs/0/proj_xcoord"], file["runs/1/proj_xcoord"]])
        with h5py.File(self.out / "surface.h5") as file:
            x = file["xcoordinates"][()]
        margin = 0.2 * np.ptp(both)
        np.testing.assert_allclose([x[0], x[-1]], [both.min() - margin, both.max() + margin], rtol=1e-12)

    def test_picture_and_page_name_both(self):
        picture = (self.out / "plots" / "train_trajectory.svg").read_text()
        self.assertIn("first", picture)
        self.assertIn("second &lt;b>", picture)
        self.assertIn('"label":"second \\u003cb\\u003e"', (self.out / "report.html").read_text())
        support.run_lossmap("plot", self.out, "--kind", "trajectory", "--format", "png")

    def test_random_plane_says_why_it_fails(self):
        config = {**self.config, "plane": {"kind": "random", "seed": 3, "normalization": "none", "ignore": []}}
        out = self.folder / "random"
        process = support.run_lossmap("run", support.write_config(self.folder, config), "--out", out, "--progress", "none")
        self.assertIn("nearly at right angles", process.stderr)
        with h5py.File(out / "trajectory.h5") as file:
            cosine = file["proj_xcoord"][0] / file["norm"][0]
            notes = [note.decode() for note in file["notes"]]
        self.assertIn(f"cosine of the way of first with the axes: {cosine:.4f}", notes[0])
        self.assertIn("nearly at right angles", (out / "report.html").read_text())


@unittest.skipIf(support.REASON, support.REASON)
class StoppedPath(unittest.TestCase):
    def test_killed_half_way_ends_with_the_same_numbers(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for k in range(3):
                support.write_convnet(folder / f"e_{k}.onnx", seed=k)
            config = {"name": "path", "experiment": "trajectory", "checkpoints": "e_*.onnx",
                      "data": {"format": "synthetic", "count": 1000, "seed": 4, "chunk": 250}, "splits": ["train"],
                      "x": {"points": 21}, "y": {"points": 15}}
            file = support.write_config(folder, config)
            support.run_lossmap("run", file, "--out", folder / "unbroken", "--progress", "none")
            status, _ = support.stop_in_the_middle(file, folder / "stopped", support.KILL)
            self.assertEqual(status, -support.KILL)
            after = support.run_lossmap("run", file, "--out", folder / "stopped", "--progress", "none")
            self.assertIn("going on: ", after.stderr)
            for result in ("surface.h5", "trajectory.h5", "direction.h5"):
                self.assertEqual((folder / "stopped" / result).read_bytes(), (folder / "unbroken" / result).read_bytes(), result)


@unittest.skipIf(support.REASON, support.REASON)
class Tables(unittest.TestCase):
    def test_page_of_models_and_of_what_is_stored(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            support.write_mlp(folder / "a.onnx", 1)
            support.write_samples(folder / "samples.npz")
            config = {"name": "table", "experiment": "evaluate", "models": ["a.onnx"],
                      "data": {"format": "npz", "train": ["samples.npz"]}}
            out = folder / "out"
            support.run_lossmap("run", support.write_config(folder, config), "--out", out, "--progress", "none")
            self.assertIn('"heads":["model","train loss"', (out / "report.html").read_text())
            support.run_lossmap("report", out, "--out", folder / "stored.html")
            self.assertEqual((folder / "stored.html").read_bytes(), (out / "report.html").read_bytes())


@unittest.skipIf(support.REASON, support.REASON)
class Interpolation(unittest.TestCase):
    def test_line_between_two_networks(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            a, b = (support.write_mlp(folder / f"{k}.onnx", seed) for seed, k in enumerate("ab"))
            samples = support.write_samples(folder / "samples.npz")
            config = {"name": "line", "experiment": "interpolation", "model": "a.onnx", "to": "b.onnx",
                      "data": {"format": "npz", "train": ["samples.npz"]}}
            out = folder / "out"
            support.run_lossmap("run", support.write_config(folder, config), "--out", out, "--progress", "none")
            with h5py.File(out / "surface.h5") as file:
                x, loss = file["xcoordinates"][()], file["train_loss"][()]
            np.testing.assert_array_equal(x, np.linspace(-0.5, 1.5, 51))
            for k in range(0, 51, 5):
                expected = mlp_loss(moved(a, x[k] * (flat(b) - flat(a))), *samples)[0]
                self.assertAlmostEqual(loss[k], expected, delta=1e-4 * max(1, expected))
            self.assertTrue((out / "direction.h5").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
