"""lossmap against PyTorch: the reference surfaces, at 1e-4 relative in fp32 (reference/README.md of the reference folder).

Every comparison runs the program as a user does: a configuration, `lossmap run`, and the HDF5 file read back by h5py. The plane
takes every second point of either axis; LOSSMAP_FULL_REFERENCE=1 takes all 77.
"""

import csv
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.support.reference_files import CIFAR, IMAGENET, REFERENCE, run_config, unpack_cifar, why_absent  # noqa: E402

try:
    import h5py
    import numpy as np
    REASON = why_absent()
except ImportError as error:
    REASON = f"{error.name} is not installed"

TOLERANCE = 1e-4
EVERY = 1 if os.environ.get("LOSSMAP_FULL_REFERENCE") else 2
ONE_SAMPLE = 0.1 + 1e-9  # percent, of 1,000 samples


def setUpModule():
    if REASON:
        raise unittest.SkipTest(REASON)
    global FOLDER, KEEP
    KEEP = tempfile.TemporaryDirectory()
    FOLDER = Path(KEEP.name)


def tearDownModule():
    KEEP.cleanup()


def data_of(split, record, normalize, count=1000):
    """The `data` object: the first `count` records of one CIFAR-10 file as `split`."""
    return {"format": "cifar10", split: [str(unpack_cifar(record, FOLDER))], "normalize": normalize,
            "subset": {split: {"start": 0, "count": count}}}


def axis(low, high, points):
    return {"min": low, "max": high, "points": points}


class Surfaces(unittest.TestCase):
    def compare(self, out, reference, split, every=1):
        with h5py.File(out / "surface.h5") as ours, h5py.File(REFERENCE / "reference" / reference) as theirs:
            grid = (slice(None, None, every),) * theirs[f"{split}_loss"].ndim
            loss, expected = ours[f"{split}_loss"][()], theirs[f"{split}_loss"][()][grid]
            self.assertEqual(loss.shape, expected.shape)
            np.testing.assert_allclose(ours["xcoordinates"][()], theirs["xcoordinates"][()][::every], atol=1e-15)
            self.assertTrue((ours[f"{split}_done"][()] == 1).all())
            finite = np.isfinite(expected)
            np.testing.assert_array_equal(np.isfinite(loss), finite)
            np.testing.assert_array_equal(np.isnan(loss), np.isnan(expected))
            worst = np.max(np.abs(loss[finite] - expected[finite]) / np.abs(expected[finite]))
            accuracy = np.max(np.abs(ours[f"{split}_acc"][()][finite] - theirs[f"{split}_acc"][()][grid][finite]))
        print(f"{reference}: largest relative difference {worst:.2e}, accuracy {accuracy:.3f} %", flush=True)
        self.assertLessEqual(worst, TOLERANCE)
        self.assertLessEqual(accuracy, ONE_SAMPLE)

    def test_gold_resnet56_plane(self):
        out = run_config({
            "experiment": "surface", "model": str(REFERENCE / "models" / "gold_resnet56.onnx"),
            "data": data_of("train", "data_batch_1.bin", CIFAR), "splits": ["train"], "loss": "cross_entropy",
            "directions": {"kind": "file", "path": str(REFERENCE / "reference" / "gold_resnet56_direction.h5")},
            "x": axis(-1, 1, 10 // EVERY + 1), "y": axis(-0.5, 1, 6 // EVERY + 1)}, FOLDER, "gold_plane")
        self.compare(out, "gold_resnet56_surface.h5", "train", EVERY)

    def test_resnet20_lines(self):
        for kind in ("filter", "layer", "weight", "dfilter", "dlayer", "none", "filter_keep1d"):
            reach = 0.2 if kind == "none" else 1
            with self.subTest(kind):
                out = run_config({
                    "experiment": "surface", "model": str(REFERENCE / "models" / "resnet20.onnx"),
                    "data": data_of("test", "test_batch.bin", IMAGENET), "splits": ["test"], "loss": "cross_entropy",
                    "directions": {"kind": "file",
                                   "path": str(REFERENCE / "reference" / f"resnet20_{kind}_direction.h5")},
                    "x": axis(-reach, reach, 11)}, FOLDER, f"resnet20_{kind}")
                self.compare(out, f"resnet20_{kind}_surface.h5", "test")

    def test_interpolation(self):
        for move, missing in (("states", 7), ("weights", 0)):
            with self.subTest(move):
                small = REFERENCE / "models" / "small"
                out = run_config({
                    "experiment": "interpolation", "model": str(small / "sgd_bs128" / "epoch_14.onnx"),
                    "to": str(small / "sgd_bs2048" / "epoch_14.onnx"), "move": move,
                    "data": data_of("train", "data_batch_1.bin", CIFAR), "splits": ["train"], "loss": "cross_entropy",
                    "x": axis(-0.5, 1.5, 21)}, FOLDER, f"interpolation_{move}")
                self.compare(out, f"small_interpolation_{move}.h5", "train")
                with h5py.File(out / "surface.h5") as ours:
                    self.assertEqual(np.isnan(ours["train_loss"][()]).sum(), missing)


class Paths(unittest.TestCase):
    def check(self, batch, group, ignore, center):
        out = run_config({
            "experiment": "trajectory", "plane": {"kind": "pca", "ignore": ignore, "center": center},
            "checkpoints": str(REFERENCE / "models" / "small" / f"sgd_{batch}" / "epoch_*.onnx"),
            "data": data_of("train", "data_batch_1.bin", CIFAR, 8), "splits": ["train"], "loss": "cross_entropy",
            "x": {"points": 2}, "y": {"points": 2}}, FOLDER, f"path_{batch}_{group.replace('/', '_')}")
        with h5py.File(REFERENCE / "reference" / f"small_sgd_{batch}_pca.h5") as file:
            theirs = {name: file[group][name][()] for name in file[group]}
            norms = file["weight_norm"][()]
        with h5py.File(out / "direction.h5") as file:
            np.testing.assert_allclose(file["all_explained_variance_ratio"][()], theirs["explained_variance_ratio"],
                                       rtol=0, atol=1e-6)
            np.testing.assert_allclose(file["singular_values_"][()], theirs["singular_values"][:2], rtol=1e-5)
        with h5py.File(out / "trajectory.h5") as file:
            np.testing.assert_allclose(file["weight_norm"][()], norms, rtol=1e-6)
            for axis_name, expected in zip(("proj_xcoord", "proj_ycoord"), theirs["projection"].T):
                ours = file[axis_name][()]
                sign = 1 if ours @ expected > 0 else -1
                np.testing.assert_allclose(ours, sign * expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())

    def test_principal_components(self):
        self.check("bs128", "ignore_1d/centered", ["1d"], True)
        self.check("bs2048", "keep_1d/uncentered", [], False)

    def test_weight_norms(self):
        for batch in ("bs128", "bs2048"):
            out = run_config({"experiment": "weight_norm", "checkpoints": str(
                REFERENCE / "models" / "small" / f"sgd_{batch}" / "epoch_*.onnx")}, FOLDER, f"norms_{batch}")
            with open(out / "table.csv", newline="") as table:
                ours = [float(row["weight_norm"]) for row in csv.DictReader(table)]
            with h5py.File(REFERENCE / "reference" / f"small_sgd_{batch}_pca.h5") as file:
                np.testing.assert_allclose(ours, file["weight_norm"][()], rtol=1e-6)


class Origin(unittest.TestCase):
    def check(self, model, normalize, loss, error):
        out = run_config({
            "experiment": "evaluate", "models": [str(REFERENCE / "models" / model)],
            "data": data_of("test", "test_batch.bin", normalize, 10000), "splits": ["test"], "loss": "cross_entropy"},
            FOLDER, Path(model).stem + "_origin")
        rows = [line.split(",") for line in (out / "table.csv").read_text().splitlines() if line]
        row = dict(zip(rows[0], rows[1]))
        print(model, row, flush=True)
        self.assertAlmostEqual(float(row["test_loss"]), loss, delta=1e-4 * loss)
        self.assertAlmostEqual(float(row["test_error"]), error, delta=0.01 + 1e-9)

    def test_resnet20_full_test_set(self):
        self.check("resnet20.onnx", IMAGENET, 0.373266, 8.27)

    def test_gold_resnet56_full_test_set(self):
        self.check("gold_resnet56.onnx", CIFAR, 0.287342, 6.33)


class SameNetworkOtherFile(unittest.TestCase):
    def run_line(self, model, normalize, name):
        return run_config({
            "experiment": "surface", "model": str(REFERENCE / "models" / model),
            "data": data_of("train", "data_batch_1.bin", normalize, 60), "splits": ["train"], "loss": "cross_entropy",
            "directions": {"kind": "random", "seed": 5, "normalization": "filter", "ignore": ["1d"]},
            "x": axis(-0.5, 0.5, 3)}, FOLDER, name)

    def read(self, out, file, name):
        with h5py.File(out / file) as content:
            return content[name][()]

    def test_shared_initializers_give_the_same_bits(self):
        plain = self.run_line("gold_resnet56.onnx", CIFAR, "plain")
        shared = self.run_line("gold_resnet56_dedup.onnx", CIFAR, "shared")
        with h5py.File(plain / "direction.h5") as a, h5py.File(shared / "direction.h5") as b:
            self.assertEqual(len(a["xdirection"]), 173)
            for key in a["xdirection"]:
                np.testing.assert_array_equal(a["xdirection"][key][()], b["xdirection"][key][()])
        np.testing.assert_array_equal(self.read(plain, "surface.h5", "train_loss"),
                                      self.read(shared, "surface.h5", "train_loss"))

    def test_folded_shape_arithmetic_agrees(self):
        long = self.run_line("resnet20.onnx", IMAGENET, "long")
        folded = self.run_line("resnet20_folded.onnx", IMAGENET, "folded")
        np.testing.assert_array_equal(self.read(long, "surface.h5", "train_loss"),
                                      self.read(folded, "surface.h5", "train_loss"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
