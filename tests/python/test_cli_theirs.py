"""Our files through the accesses that the reference implementation's own scripts make.

plot_1D.py, plot_2D.py, h52vtp.py, h5_util.py and plot_surface.py open files by name with h5py: each access of theirs that
reaches a file is made here the same way, with numpy checking what comes back.
"""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402

if not support.REASON:
    import h5py
    import numpy as np


@unittest.skipIf(support.REASON, support.REASON)
class TheirAccesses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.keep.name)
        config = support.line_config(cls.folder)
        config["data"]["test"] = ["samples.npz"]
        config["splits"] = ["train", "test"]
        cls.run_config("line", config)
        cls.run_config("square", {**config, "y": support.axis(-1, 1, 5)})
        cls.run_config("wide", {**config, "x": support.axis(-1, 1, 6), "y": support.axis(0, 2, 3)})
        checkpoints = []
        for seed in range(5):
            support.write_mlp(cls.folder / f"epoch_{seed}.onnx", seed=seed)
            checkpoints.append(f"epoch_{seed}.onnx")
        path = {key: config[key] for key in ("data", "splits", "loss")}
        cls.run_config("path", {**path, "name": "path", "experiment": "trajectory", "checkpoints": checkpoints,
                                "x": {"min": "auto", "max": "auto", "points": 5},
                                "y": {"min": "auto", "max": "auto", "points": 4}})

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    @classmethod
    def run_config(cls, name, config):
        file = support.write_config(cls.folder, config, f"{name}.json")
        support.run_lossmap("run", file, "--out", cls.folder / name, "--progress", "none")

    def test_lines(self):
        with h5py.File(self.folder / "line" / "surface.h5", "r") as f:
            x = f["xcoordinates"][:]
            np.testing.assert_array_equal(x, np.linspace(-1, 1, 5))
            self.assertNotIn("ycoordinates", f.keys())
            for split in ("train", "test"):
                self.assertIn(f"{split}_loss", f.keys())
                loss, acc = f[f"{split}_loss"][:], f[f"{split}_acc"][:]
                self.assertEqual((loss.shape, loss.dtype, acc.shape, acc.dtype), (x.shape, np.float64) * 2)
                self.assertTrue((acc >= 0).all() and (acc <= 100).all())

    def planes(self):
        for name, shape in (("square", (5, 5)), ("wide", (3, 6)), ("path", (4, 5))):
            yield self.folder / name / "surface.h5", shape

    def test_planes(self):
        for file, shape in self.planes():
            with h5py.File(file, "r") as f:
                x, y = np.array(f["xcoordinates"][:]), np.array(f["ycoordinates"][:])
                X, Y = np.meshgrid(x, y)
                for key in ("train_loss", "train_acc", "test_loss", "test_acc"):
                    Z = np.array(f[key][:])
                    self.assertEqual((Z.shape, X.shape, Y.shape), (shape,) * 3, "contour(X, Y, Z) takes them together")
                    self.assertEqual(Z.dtype, np.float64)

    def test_meshes(self):
        for file, shape in self.planes():
            with h5py.File(file, "r") as f:
                [xcoordinates, ycoordinates] = np.meshgrid(f["xcoordinates"][:], f["ycoordinates"][:][:])
                z = f["train_loss"][:].ravel()
                self.assertEqual(len(z), shape[0] * shape[1])
                self.assertEqual(xcoordinates.ravel().shape, z.shape)
                self.assertEqual(ycoordinates.ravel().shape, z.shape)

    def test_their_run_finds_nothing_left_to_do(self):
        for file, _ in self.planes():
            with h5py.File(file, "r+") as f:  # crunch() opens a surface for writing
                self.assertEqual(f["dir_file"][()].decode() if isinstance(f["dir_file"][()], bytes) else f["dir_file"][()],
                                 "direction.h5")
                losses = f["train_loss"][:]
                self.assertEqual(np.flatnonzero(losses.ravel() <= 0).tolist(), [])
                f["train_loss"][:] = losses
                f.flush()

    def test_directions(self):
        shapes = [(support.HIDDEN, support.FEATURES), (support.HIDDEN,), (support.CLASSES, support.HIDDEN),
                  (support.CLASSES,)]
        for name, axes in (("line", ["xdirection"]), ("square", ["xdirection", "ydirection"]),
                           ("path", ["xdirection", "ydirection"])):
            with h5py.File(self.folder / name / "direction.h5", "r") as f:
                self.assertEqual([axis for axis in ("xdirection", "ydirection") if axis in f.keys()], axes)
                for axis in axes:
                    group = f[axis]
                    tensors = [group[str(i)] for i in range(len(group))]
                    self.assertEqual([tensor.shape for tensor in tensors], shapes)
                    self.assertEqual({tensor.dtype for tensor in tensors}, {np.dtype(np.float32)})

    def test_paths(self):
        with h5py.File(self.folder / "path" / "trajectory.h5", "r") as f:
            x, y = np.asarray(f["proj_xcoord"]), np.asarray(f["proj_ycoord"])
            self.assertEqual((x.shape, y.shape), ((5,), (5,)))
            self.assertEqual((x[-1], y[-1]), (0.0, 0.0), "the last checkpoint is the origin")
        with h5py.File(self.folder / "path" / "direction.h5", "r") as f:
            self.assertIn("explained_variance_ratio_", f.keys())
            ratio_x, ratio_y = f["explained_variance_ratio_"][0], f["explained_variance_ratio_"][1]
            self.assertTrue(1 >= ratio_x >= ratio_y >= 0)
            for key in ("explained_variance_ratio_", "singular_values_", "explained_variance_"):
                self.assertEqual(f[key].shape, (2,))


if __name__ == "__main__":
    unittest.main(verbosity=2)
