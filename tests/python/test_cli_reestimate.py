"""Batch-norm statistics estimated at each point: against NumPy in fp64, resumed, identified, refused."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402

if not support.REASON:
    import h5py
    import numpy as np
    from onnx import TensorProto, helper

CHANNELS, WIDTH, CLASSES = 16, 6, 4
NORMS = {"n1": CHANNELS, "n2": CHANNELS, "n3": WIDTH}
EPSILON = 1e-5
TRAIN, TEST = 60, 21
STATISTICS = {"split": "train", "count": 23, "batch": 8}  # batches of 8, 8 and 7


def write_net(path, seed):
    """Two convolutions and two dense layers with norms behind three of them; returns all initializers."""
    random = np.random.default_rng(seed)
    weights = {"c1": random.normal(size=(CHANNELS, 2, 3, 3)) / 4, "c2": random.normal(size=(CHANNELS, CHANNELS, 3, 3)) / 12,
               "d1": random.normal(size=(WIDTH, CHANNELS)), "d2": random.normal(size=(CLASSES, WIDTH)),
               "b2": random.normal(size=CLASSES)}
    for name, channels in NORMS.items():
        weights[f"{name}.weight"] = random.uniform(0.5, 1.5, channels)
        weights[f"{name}.bias"] = random.normal(size=channels) / 2
        weights[f"{name}.running_mean"] = random.normal(size=channels)
        weights[f"{name}.running_var"] = random.uniform(0.5, 1.5, channels)
    weights = {name: value.astype(np.float32) for name, value in weights.items()}

    def norm(name, source, target):
        parts = [f"{name}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
        return helper.make_node("BatchNormalization", [source, *parts], [target], name=name, epsilon=EPSILON)
    nodes = [helper.make_node("Conv", ["x", "c1"], ["a"], pads=[1, 1, 1, 1]), norm("n1", "a", "b"),
             helper.make_node("Relu", ["b"], ["c"]), helper.make_node("Conv", ["c", "c2"], ["d"], pads=[1, 1, 1, 1]),
             norm("n2", "d", "e"), helper.make_node("Relu", ["e"], ["f"]), helper.make_node("GlobalAveragePool", ["f"], ["g"]),
             helper.make_node("Flatten", ["g"], ["h"]), helper.make_node("Gemm", ["h", "d1"], ["i"], transB=1),
             norm("n3", "i", "j"), helper.make_node("Relu", ["j"], ["k"]),
             helper.make_node("Gemm", ["k", "d2", "b2"], ["y"], transB=1)]
    support.save(nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, 8, 8])],
                 [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", CLASSES])], weights, path)
    return weights


def conv(x, w):
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, w, optimize=True)


def forward(weights, x, running, batch_statistics=None):
    """Logits; in training mode, where `batch_statistics` is a dictionary, norms use the batch's own statistics and put
    (mean, unbiased variance) into it."""
    w = {name: np.asarray(value, np.float64) for name, value in weights.items()}

    def norm(name, x):
        axes = tuple(k for k in range(x.ndim) if k != 1)
        shape = [1, -1] + [1] * (x.ndim - 2)
        if batch_statistics is None:
            mean, variance = running[name]
        else:
            mean, variance = x.mean(axis=axes), x.var(axis=axes)
            count = x.size // x.shape[1]
            batch_statistics[name] = mean, variance * count / (count - 1)
        y = (x - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + EPSILON)
        return y * w[f"{name}.weight"].reshape(shape) + w[f"{name}.bias"].reshape(shape)
    x = np.maximum(norm("n1", conv(np.asarray(x, np.float64), w["c1"])), 0)
    x = np.maximum(norm("n2", conv(x, w["c2"])), 0).mean(axis=(2, 3))
    return np.maximum(norm("n3", x @ w["d1"].T), 0) @ w["d2"].T + w["b2"]


def estimate(weights, x, batch):
    """Cumulative averages over batches, all of the same weight."""
    totals, batches = {name: [0.0, 0.0] for name in NORMS}, 0
    for first in range(0, len(x), batch):
        one = {}
        forward(weights, x[first:first + batch], None, one)
        for name, (mean, variance) in one.items():
            totals[name] = [totals[name][0] + mean, totals[name][1] + variance]
        batches += 1
    return {name: (mean / batches, variance / batches) for name, (mean, variance) in totals.items()}


def loss_of(weights, x, y, running):
    logits = forward(weights, x, running)
    shifted = logits - logits.max(axis=1, keepdims=True)
    return (np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]).mean()


def write_images(path, count, seed):
    random = np.random.default_rng(seed)
    x = random.normal(0.3, 1.2, size=(count, 2, 8, 8)).astype(np.float32)
    y = random.integers(0, CLASSES, size=count)
    np.savez(path, x=x, y=y)
    return x, y


@unittest.skipIf(support.REASON, support.REASON)
class Reestimate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.keep.name)
        cls.weights = [write_net(cls.folder / "from.onnx", 1), write_net(cls.folder / "to.onnx", 2)]
        cls.samples = {"train": write_images(cls.folder / "train.npz", TRAIN, 3), "test": write_images(cls.folder / "test.npz", TEST, 4)}
        cls.config = {"name": "line", "experiment": "interpolation", "model": "from.onnx", "to": "to.onnx",
                      "move": "reestimate", "statistics": STATISTICS,
                      "data": {"format": "npz", "train": "train.npz", "test": "test.npz", "chunk": 9,
                               "subset": {"train": {"start": 30, "count": 20}}},
                      "x": support.axis(-0.5, 1.5, 9)}
        cls.out = cls.run_it("out", cls.config)

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    @classmethod
    def run_it(cls, name, config, *arguments):
        file = support.write_config(cls.folder, config)
        support.run_lossmap("run", file, "--out", cls.folder / name, "--progress", "none", *arguments)
        return cls.folder / name

    @staticmethod
    def losses(out, split="train"):
        with h5py.File(out / "surface.h5") as file:
            return file[f"{split}_loss"][()]

    def at(self, a):
        """Weights at a point; the statistics of the first network stay in it and must not matter."""
        first, second = self.weights
        return {name: value + np.float32(a) * (second[name] - value) for name, value in first.items()}

    def test_losses_agree_with_numpy(self):
        statistics_x = self.samples["train"][0][:STATISTICS["count"]]
        used = {"train": [v[30:50] for v in self.samples["train"]], "test": self.samples["test"]}
        for split, (x, y) in used.items():
            loss = self.losses(self.out, split)
            for k, a in enumerate(np.linspace(-0.5, 1.5, 9)):
                weights = self.at(a)
                expected = loss_of(weights, x, y, estimate(weights, statistics_x, STATISTICS["batch"]))
                self.assertAlmostEqual(loss[k], expected, delta=2e-5 * expected, msg=f"{split} at {a}")

    def test_one_batch_and_a_plane(self):
        config = {**self.config, "experiment": "surface", "splits": ["test"], "x": support.axis(0, 1, 3), "y": support.axis(-1, 1, 2),
                  "directions": {"x": {"kind": "difference", "models": ["to.onnx"], "move": "reestimate",
                                       "statistics": {"split": "test", "count": 10, "batch": 100}},
                                 "y": {"kind": "random", "seed": 5}}}
        for key in ("to", "move", "statistics"):
            del config[key]
        out = self.run_it("plane", config)
        with h5py.File(out / "surface.h5") as surface, h5py.File(out / "direction.h5") as directions:
            names = [directions["ydirection"][str(k)].attrs["parameter"] for k in range(len(directions["ydirection"]))]
            up = {name: directions["ydirection"][str(k)][()] for k, name in enumerate(names)}
            loss = surface["test_loss"][()]
        x, y = self.samples["test"]
        for iy, b in enumerate((-1.0, 1.0)):
            for ix, a in enumerate((0.0, 0.5, 1.0)):
                weights = self.at(a)
                for name, direction in up.items():
                    weights[name] = weights[name] + np.float32(b) * direction
                expected = loss_of(weights, x, y, estimate(weights, x[:10], 10))
                self.assertAlmostEqual(loss[iy, ix], expected, delta=5e-5 * expected)

    def test_threads_and_chunks_do_not_matter(self):
        single = self.run_it("single", self.config, "--threads", "1")
        self.assertEqual(self.losses(single).tobytes(), self.losses(self.out).tobytes())
        small = self.run_it("chunks", {**self.config, "data": {**self.config["data"], "chunk": 3}})
        np.testing.assert_allclose(self.losses(small), self.losses(self.out), rtol=1e-12)

    def test_resumed_equals_fresh(self):
        file = support.write_config(self.folder, {**self.config, "x": support.axis(-0.5, 1.5, 401)}, "long.json")
        support.run_lossmap("run", file, "--out", self.folder / "unbroken", "--progress", "none")
        status, _ = support.stop_in_the_middle(file, self.folder / "stopped", support.INTERRUPT)
        if (self.folder / "stopped" / "report.html").exists():
            self.skipTest("the run was over before the signal came")
        self.assertEqual(status, 130)
        after = support.run_lossmap("run", file, "--out", self.folder / "stopped", "--progress", "none")
        self.assertIn("going on: ", after.stderr)
        self.assertEqual((self.folder / "stopped" / "surface.h5").read_bytes(), (self.folder / "unbroken" / "surface.h5").read_bytes())

    def test_statistics_are_part_of_the_identity(self):
        resolved = json.loads((self.out / "config.resolved.json").read_text())
        self.assertEqual(resolved["statistics"], STATISTICS)
        self.assertEqual(resolved["provenance"]["statistics"]["samples"], 23)
        again = support.run_lossmap("run", self.out / "config.resolved.json", "--out", self.out, "--progress", "none")
        self.assertIn("units are in the journal", again.stderr)
        for change in ({"batch": 7}, {"count": 22}, {"split": "test", "count": 21}):
            file = support.write_config(self.folder, {**self.config, "statistics": {**STATISTICS, **change}}, "other.json")
            refused = support.run_lossmap("run", file, "--out", self.out, "--progress", "none", expect=2)
            self.assertIn("statistics", refused.stderr)
        self.assertIn("first 23 samples of 'train' in batches of 8", (self.out / "log.txt").read_text())

    def test_validate_counts_the_work(self):
        file = support.write_config(self.folder, self.config, "valid.json")
        output = support.run_lossmap("validate", file).stdout
        self.assertIn(f"{9 * 41} (points x samples)", output)
        self.assertIn(f"{9 * 23} (points x samples), of batch norms", output)

    def refusal(self, **changes):
        file = support.write_config(self.folder, {**self.config, **changes}, "wrong.json")
        return support.run_lossmap("run", file, "--out", self.folder / "wrong", "--progress", "none", expect=2).stderr

    def test_refused(self):
        support.write_mlp(self.folder / "plain.onnx")
        support.write_samples(self.folder / "plain.npz", count=40)
        self.assertIn("there are no statistics to re-estimate",
                      self.refusal(model="plain.onnx", to="plain.onnx", data={"format": "npz", "train": "plain.npz"}))
        self.assertIn("takes 61 samples from sample 0 on, but there are 60", self.refusal(statistics={"count": 61, "batch": 8}))
        self.assertIn("a batch of 1 samples gives 1 values a channel", self.refusal(statistics={"count": 9, "batch": 8}))
        self.assertFalse((self.folder / "wrong").exists())

    def test_not_finite_statistics_are_results(self):
        x, y = self.samples["train"]
        x = x.copy()
        x[2, 0, 0, 0] = np.inf
        np.savez(self.folder / "inf.npz", x=x, y=y)
        out = self.run_it("inf", {**self.config, "data": {**self.config["data"], "train": "inf.npz"}, "x": support.axis(0, 1, 2)})
        with h5py.File(out / "surface.h5") as file:
            self.assertTrue(np.isnan(file["train_loss"][()]).all())
            self.assertTrue((file["train_done"][()] == 1).all())
            self.assertTrue((file["train_non_finite"][()] == 20).all())


if __name__ == "__main__":
    unittest.main(verbosity=2)
