"""Networks shaped as converters other than PyTorch's write them: Keras (tf2onnx), scikit-learn (skl2onnx), quantisers, and
files with If, Loop and local functions. Losses against numpy; parameters as the framework that made them has them."""

import csv
import json
import tempfile
import unittest
from pathlib import Path

import cli_support as support

if not support.REASON:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

COUNT, CLASSES = 12, 3


def cross_entropy(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean())


def convolution(x, kernel):
    """Valid convolution, x [N, C, H, W], kernel [O, C, h, w], in fp64."""
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), kernel.shape[2:], (2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, kernel.astype(np.float64))


@unittest.skipIf(support.REASON, support.REASON)
class ConverterTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.random = np.random.default_rng(8)

    def normal(self, *shape):
        return self.random.normal(size=shape).astype(np.float32)

    def write(self, nodes, weights, inputs, output="y", functions=(), producer=""):
        """Saves the graph and the samples `inputs`, by name; labels are drawn."""
        self.labels = self.random.integers(0, CLASSES, COUNT)
        np.savez(self.folder / "samples.npz", y=self.labels, **{name.replace("/", "_"): x for name, x in inputs.items()})
        graph = helper.make_graph(
            nodes, "net", [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), ["n", *x.shape[1:]])
                           for name, x in inputs.items()],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, name) for name, value in weights.items()])
        imports = [helper.make_opsetid(*domain) for domain in (("", 13), ("ai.onnx.ml", 3), ("local", 1))]
        model = helper.make_model(graph, opset_imports=imports, functions=list(functions), producer_name=producer)
        model.ir_version = 8
        onnx.save(model, str(self.folder / "net.onnx"))
        self.inputs = {name: name.replace("/", "_") for name in inputs}

    def config(self):
        return support.write_config(self.folder, {
            "experiment": "evaluate", "models": ["net.onnx"],
            "data": {"format": "npz", "train": ["samples.npz"], "inputs": self.inputs, "target": "y"}})

    def check(self, logits):
        """The program's loss is that of these logits."""
        out = self.folder / "out"
        support.run_lossmap("run", self.config(), "--out", out, "--progress", "none")
        with open(out / "table.csv", newline="") as file:
            loss = float(next(csv.DictReader(file))["train_loss"])
        expected = cross_entropy(logits, self.labels)
        self.assertAlmostEqual(loss, expected, delta=1e-5 * expected)

    def parameters(self):
        summary = json.loads(support.run_lossmap("inspect", self.folder / "net.onnx", "--json").stdout)
        return {p["name"]: (p["role"], p["filter_axis"]) for p in summary["parameters"]}

    def test_keras(self):
        """Samples with channels last: a Transpose in front of the convolution and one behind; dense layers are MatMul + Add."""
        scope = "StatefulPartitionedCall/sequential/"
        kernel, bias = self.normal(4, 2, 3, 3), self.normal(4)
        dense, dense_bias = self.normal(4 * 4 * 4, CLASSES), self.normal(CLASSES)
        weights = {scope + "conv2d/Conv2D/ReadVariableOp:0": kernel, scope + "conv2d/BiasAdd/ReadVariableOp:0": bias,
                   scope + "dense/MatMul/ReadVariableOp:0": dense, scope + "dense/BiasAdd/ReadVariableOp:0": dense_bias,
                   "const_fold_opt__12": np.array([-1, 64], np.int64)}
        names = list(weights)
        nodes = [helper.make_node("Transpose", ["input_1"], ["t"], perm=[0, 3, 1, 2], name=scope + "conv2d/Conv2D__6"),
                 helper.make_node("Conv", ["t", names[0], names[1]], ["c"], kernel_shape=[3, 3], auto_pad="VALID"),
                 helper.make_node("Relu", ["c"], ["r"]), helper.make_node("Transpose", ["r"], ["b"], perm=[0, 2, 3, 1]),
                 helper.make_node("Reshape", ["b", names[4]], ["f"]), helper.make_node("MatMul", ["f", names[2]], ["m"]),
                 helper.make_node("Add", ["m", names[3]], ["dense"])]
        x = self.normal(COUNT, 6, 6, 2)
        self.write(nodes, weights, {"input_1": x}, "dense", producer="tf2onnx")
        features = np.maximum(convolution(x.transpose(0, 3, 1, 2), kernel) + bias[:, None, None], 0)
        self.check(features.transpose(0, 2, 3, 1).reshape(COUNT, -1) @ dense + dense_bias)
        self.assertEqual(self.parameters(), {names[0]: ("filter_weight", 0), names[1]: ("bias", None),
                                             names[2]: ("filter_weight", 1), names[3]: ("bias", None)})

    def test_scikit_learn_network(self):
        """MLPClassifier: Cast, MatMul with [in, out] coefficients, Add of [1, out] intercepts."""
        weights = {"coefficient": self.normal(5, 7), "intercepts": self.normal(1, 7), "coefficient1": self.normal(7, CLASSES),
                   "intercepts1": self.normal(1, CLASSES)}
        nodes = [helper.make_node("Cast", ["X"], ["cast"], to=TensorProto.FLOAT),
                 helper.make_node("MatMul", ["cast", "coefficient"], ["mul"]),
                 helper.make_node("Add", ["mul", "intercepts"], ["add"]), helper.make_node("Relu", ["add"], ["next"]),
                 helper.make_node("MatMul", ["next", "coefficient1"], ["mul1"]),
                 helper.make_node("Add", ["mul1", "intercepts1"], ["out"])]
        x = self.normal(COUNT, 5)
        self.write(nodes, weights, {"X": x}, "out", producer="skl2onnx")
        hidden = np.maximum(x @ weights["coefficient"].astype(np.float64) + weights["intercepts"], 0)
        self.check(hidden @ weights["coefficient1"] + weights["intercepts1"])
        self.assertEqual(self.parameters(), {"coefficient": ("filter_weight", 1), "intercepts": ("bias", None),
                                             "coefficient1": ("filter_weight", 1), "intercepts1": ("bias", None)})

    def test_scikit_learn_trees_are_refused_by_name_all_at_once(self):
        nodes = [helper.make_node("Scaler", ["X"], ["s"], domain="ai.onnx.ml", offset=[0.0], scale=[1.0]),
                 helper.make_node("TreeEnsembleClassifier", ["s"], ["l", "y"], domain="ai.onnx.ml", name="Trees")]
        self.write(nodes, {}, {"X": self.normal(COUNT, 5)})
        (self.folder / "samples.npz").unlink()  # refused before any data are read
        message = support.run_lossmap("run", self.config(), "--out", self.folder / "out", expect=2).stderr
        for part in ("net.onnx", "2 nodes", "'Scaler' of domain 'ai.onnx.ml'", "TreeEnsembleClassifier", "'Trees'"):
            self.assertIn(part, message)

    def test_quantised(self):
        """QDQ: activations quantised to uint8, weights stored as int8 a channel: what is stored in integers does not move."""
        weight, scale = self.random.integers(-127, 128, (CLASSES, 5), np.int8), self.random.random(CLASSES).astype(np.float32) / 50
        bias = self.normal(CLASSES)
        nodes = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
                 helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
                 helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["dw"], axis=0),
                 helper.make_node("Gemm", ["d", "dw", "bias"], ["y"], transB=1)]
        x = self.normal(COUNT, 5)
        self.write(nodes, {"s": np.float32(0.03), "z": np.uint8(120), "w": weight, "ws": scale,
                           "wz": np.zeros(CLASSES, np.int8), "bias": bias}, {"x": x})
        quantised = np.clip(np.round(x / np.float32(0.03)) + 120, 0, 255) - 120
        self.check(quantised * np.float64(np.float32(0.03)) @ (weight * scale[:, None].astype(np.float64)).T + bias)
        self.assertEqual(self.parameters(), {"bias": ("bias", None)})

    def test_if_loop_and_function(self):
        """A branch that is always taken, a loop of three rounds, a function of the file's own."""
        weight, bias = self.normal(CLASSES, CLASSES), self.normal(CLASSES)
        value = helper.make_tensor_value_info
        then = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["then"])], "then", [],
                                 [value("then", TensorProto.FLOAT, None)])
        other = helper.make_graph([helper.make_node("Identity", ["x"], ["other"])], "other", [],
                                  [value("other", TensorProto.FLOAT, None)])
        body = helper.make_graph([helper.make_node("Identity", ["go"], ["going"]),
                                  helper.make_node("AddTanh", ["state", "b"], ["next"], domain="local")], "body",
                                 [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []),
                                  value("state", TensorProto.FLOAT, None)],
                                 [value("going", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, None)])
        function = helper.make_function("local", "AddTanh", ["a", "b"], ["c"],
                                        [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Tanh", ["sum"], ["c"])],
                                        [helper.make_opsetid("", 13)])
        nodes = [helper.make_node("If", ["yes"], ["chosen"], then_branch=then, else_branch=other),
                 helper.make_node("Loop", ["three", "yes", "chosen"], ["y"], body=body)]
        x = self.normal(COUNT, CLASSES)
        self.write(nodes, {"w": weight, "b": bias, "yes": np.array(True), "three": np.array(3, np.int64)}, {"x": x},
                   functions=[function])
        state = x @ weight.astype(np.float64)
        for _ in range(3):
            state = np.tanh(state + bias)
        self.check(state)
        self.assertEqual(self.parameters()["w"], ("filter_weight", 1))
        self.assertIn("b", self.parameters())

    def test_tokens_and_numbers(self):
        """Two inputs bound by name, int64 tokens among them."""
        table, dense = self.normal(9, 4), self.normal(4 + 2, CLASSES)
        nodes = [helper.make_node("Gather", ["table", "input/tokens"], ["e"]),
                 helper.make_node("ReduceMean", ["e"], ["p"], axes=[1], keepdims=0),
                 helper.make_node("Concat", ["p", "numbers"], ["c"], axis=1), helper.make_node("MatMul", ["c", "dense"], ["y"])]
        tokens, numbers = self.random.integers(0, 9, (COUNT, 7)), self.normal(COUNT, 2)
        self.write(nodes, {"table": table, "dense": dense}, {"input/tokens": tokens, "numbers": numbers})
        self.check(np.concatenate([table[tokens].mean(axis=1), numbers], axis=1).astype(np.float64) @ dense)
        self.assertEqual(self.parameters(), {"table": ("filter_weight", 0), "dense": ("filter_weight", 1)})


if __name__ == "__main__":
    unittest.main(verbosity=2)
