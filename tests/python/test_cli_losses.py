"""Every loss through the program against numpy in fp64, with PyTorch's definitions of the mean; checkpoints of each format."""

import csv
import json
import tempfile
import unittest
from pathlib import Path

import cli_support as support

if not support.REASON:
    import numpy as np
    from onnx import TensorProto, helper

COUNT, FEATURES, TOKENS, CLASSES = 23, 4, 5, 3


def log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def cross_entropy(logits, labels, weights=None, smoothing=0.0, ignored=None):
    """torch.nn.functional.cross_entropy, reduction mean, over logits [.., classes] in fp64: with class weights the mean
    is weighted by the weights of the labels, the smoothed part by every class's own."""
    weights = np.ones(logits.shape[-1]) if weights is None else np.asarray(weights)
    logits, labels = logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)
    keep = np.ones(len(labels), bool) if ignored is None else labels != ignored
    logs, labels = log_softmax(logits[keep]), labels[keep]
    plain = -weights[labels] * logs[np.arange(len(labels)), labels]
    smooth = -(logs * weights).sum(axis=1) / logits.shape[-1]
    return ((1 - smoothing) * plain + smoothing * smooth).sum() / weights[labels].sum()


@unittest.skipIf(support.REASON, support.REASON)
class LossTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        random = np.random.default_rng(5)
        self.weights = {"w": random.normal(size=(FEATURES, CLASSES)).astype(np.float32),
                        "b": random.normal(size=CLASSES).astype(np.float32)}
        self.random = random

    def write(self, shape, target, output="y", transpose=False):
        """A linear layer over the last axis of x; returns its output in fp64, classes last."""
        x = self.random.normal(size=(COUNT, *shape, FEATURES)).astype(np.float32)
        np.savez(self.folder / "samples.npz", x=x, y=target)
        nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Add", ["m", "b"], ["z"])]
        if transpose:
            nodes.append(helper.make_node("Transpose", ["z"], [output], perm=[0, 2, 1]))
        else:
            nodes.append(helper.make_node("Identity", ["z"], [output]))
        support.save(nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape, FEATURES])],
                     [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)], self.weights, self.folder / "net.onnx")
        return x.astype(np.float64) @ self.weights["w"].astype(np.float64) + self.weights["b"].astype(np.float64)

    def row(self, loss, model="net.onnx"):
        config = {"experiment": "evaluate", "models": [model], "loss": loss,
                  "data": {"format": "npz", "train": ["samples.npz"], "chunk": 10}}
        out = self.folder / "out"
        support.run_lossmap("run", support.write_config(self.folder, config), "--out", out, "--fresh", "--progress", "none")
        with open(out / "table.csv", newline="") as file:
            return next(csv.DictReader(file))

    def check(self, loss, expected):
        self.assertAlmostEqual(float(self.row(loss)["train_loss"]), expected, delta=1e-6 * abs(expected))

    def test_cross_entropy_of_classes(self):
        labels = self.random.integers(0, CLASSES, COUNT)
        logits = self.write((), labels)
        self.check("cross_entropy", cross_entropy(logits, labels))
        self.check({"kind": "cross_entropy", "label_smoothing": 0.2}, cross_entropy(logits, labels, smoothing=0.2))
        weights = [0.5, 2.0, 1.25]
        self.check({"kind": "cross_entropy", "class_weights": weights}, cross_entropy(logits, labels, weights))
        self.check({"kind": "cross_entropy", "class_weights": weights, "label_smoothing": 0.3},
                   cross_entropy(logits, labels, weights, 0.3))

    def test_cross_entropy_of_tokens(self):
        labels = self.random.integers(0, CLASSES, (COUNT, TOKENS))
        labels[self.random.random(labels.shape) < 0.3] = -100
        logits = self.write((TOKENS,), labels)
        for axis in (2, -1):
            options = {"kind": "cross_entropy", "class_axis": axis, "ignore_index": -100}
            self.check(options, cross_entropy(logits, labels, ignored=-100))
        self.check({**options, "class_weights": [1, 3, 0.5], "label_smoothing": 0.1},
                   cross_entropy(logits, labels, [1, 3, 0.5], 0.1, -100))

    def test_cross_entropy_of_pixels_has_the_classes_on_axis_1(self):
        labels = self.random.integers(0, CLASSES, (COUNT, TOKENS))
        logits = self.write((TOKENS,), labels, transpose=True)
        row = self.row({"kind": "cross_entropy", "ignore_index": 1})
        self.assertAlmostEqual(float(row["train_loss"]), cross_entropy(logits, labels, ignored=1), delta=1e-6)
        counted = labels != 1
        error = 100 * (logits.argmax(-1) != labels)[counted].mean()
        self.assertAlmostEqual(float(row["train_error"]), error, delta=1e-4)

    def test_losses_of_numbers(self):
        target = self.random.normal(size=(COUNT, TOKENS, CLASSES)).astype(np.float32)
        difference = self.write((TOKENS,), target) - target
        self.check("mse", (difference ** 2).mean())
        self.check("mae", np.abs(difference).mean())
        for delta in (1.0, 0.4):
            huber = np.where(np.abs(difference) <= delta, difference ** 2 / 2, delta * (np.abs(difference) - delta / 2))
            self.check({"kind": "huber", "delta": delta}, huber.mean())

    def test_binary_cross_entropy(self):
        target = (self.random.random((COUNT, CLASSES)) < 0.4).astype(np.float32)
        logits = self.write((), target)
        self.check("bce_with_logits", (np.logaddexp(0, logits) - target * logits).mean())

    def test_the_graphs_own_output(self):
        """Two outputs; the loss is the second, chosen by name, one number a sample."""
        x = self.random.normal(size=(COUNT, FEATURES)).astype(np.float32)
        np.savez(self.folder / "samples.npz", x=x, y=np.zeros(COUNT, np.int64))
        nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Add", ["m", "b"], ["z"]),
                 helper.make_node("ReduceLogSumExp", ["z"], ["energy"], axes=[1], keepdims=0)]
        support.save(nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", FEATURES])],
                     [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("z", "energy")],
                     self.weights, self.folder / "net.onnx")
        logits = x.astype(np.float64) @ self.weights["w"] + self.weights["b"]
        self.check({"kind": "output", "name": "energy"}, np.log(np.exp(logits).sum(axis=1)).mean())


@unittest.skipIf(support.REASON, support.REASON)
class CheckpointTest(unittest.TestCase):
    """npz, safetensors and ONNX checkpoints give the loss of the network whose weights they hold."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        support.write_mlp(self.folder / "net.onnx", 0)
        self.weights = support.write_mlp(self.folder / "other.onnx", 7)
        support.write_samples(self.folder / "samples.npz")

    def loss(self, model, expect=0):
        config = {"experiment": "evaluate", "models": [model], "data": {"format": "npz", "train": ["samples.npz"]}}
        out = self.folder / "out"
        process = support.run_lossmap("run", support.write_config(self.folder, config), "--out", out, "--fresh",
                                      "--progress", "none", expect=expect)
        if expect:
            return process.stderr
        with open(out / "table.csv", newline="") as file:
            return float(next(csv.DictReader(file))["train_loss"])

    def test_each_format(self):
        np.savez(self.folder / "other.npz", **self.weights)
        write_safetensors(self.folder / "other.safetensors", self.weights)
        wanted = self.loss("other.onnx")
        self.assertNotAlmostEqual(wanted, self.loss("net.onnx"), delta=1e-3)
        for file in ("other.npz", "other.safetensors", "other.onnx"):
            self.assertEqual(self.loss({"path": "net.onnx", "parameters": file}), wanted, file)

    def test_mismatches_are_listed_name_by_name(self):
        wrong = {"fc1.weight": self.weights["fc1.weight"], "fc1.bias": np.zeros(6, np.float32),
                 "module.fc2.weight": self.weights["fc2.weight"], "step": np.zeros(1, np.float32)}
        np.savez(self.folder / "wrong.npz", **wrong)
        write_safetensors(self.folder / "wrong.safetensors", wrong)
        for file in ("wrong.npz", "wrong.safetensors"):
            message = self.loss({"path": "net.onnx", "parameters": file}, expect=2)
            for part in (file, "missing: fc2.weight, fc2.bias", "fc1.bias ([6] instead of [5])",
                         "not in the model: module.fc2.weight, step"):
                self.assertIn(part, message)


def write_safetensors(path, arrays):
    """The format as its specification has it: length of the header, header as JSON, bytes."""
    header, offset = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(array.tobytes() for array in arrays.values()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
