"""tools/export_onnx.py: names, values and outputs of exported networks agree with PyTorch."""
import contextlib
import importlib.util
import io
import json
import os
import sys
import tempfile
import unittest
import warnings
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))

try:
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    from export_onnx_graph import GraphError, clean_graph, fold_shape_arithmetic, match_initializers
    GRAPH_MISSING = None
except ImportError as error:
    GRAPH_MISSING = f"onnx and numpy are needed: {error}"
    print(f"test_export_onnx: graph tests skipped, {GRAPH_MISSING}", file=sys.stderr)

try:
    import torch
    from torch import nn

    import export_onnx
    import export_onnx_command
    from export_onnx import EpochExporter, ExportError, export, largest_deviation
    MISSING = None
except ImportError as error:
    MISSING = f"torch, onnx and numpy are needed: {error}"
    print(f"test_export_onnx: export tests skipped, {MISSING}", file=sys.stderr)


def exporters():
    """The exporters that this installation has."""
    return ["legacy"] + (["dynamo"] if importlib.util.find_spec("onnxscript") else [])


if MISSING is None:
    class Convolutional(nn.Module):
        """Two batch norms, whose fresh scales, shifts and statistics are equal tensors, and dropout."""

        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
            self.norm1 = nn.BatchNorm2d(4)
            self.norm2 = nn.BatchNorm2d(4)
            self.drop = nn.Dropout(0.5)
            self.out = nn.Linear(4, 5)

        def forward(self, x):
            return self.out(self.drop(torch.relu(self.norm2(self.norm1(self.conv(x)))).mean((2, 3))))

    class Tied(nn.Module):
        """Two layers with one weight, and a layer on 3-D input, which becomes MatMul with a transposed weight."""

        def __init__(self):
            super().__init__()
            self.first = nn.Linear(6, 6)
            self.second = nn.Linear(6, 6)
            self.second.weight = self.first.weight
            self.tokens = nn.Linear(3, 6, bias=False)

        def forward(self, x):
            return self.second(torch.tanh(self.first(x))) + self.tokens(x.reshape(-1, 2, 3)).sum(1)

    class Partial(nn.Module):
        """A frozen parameter and one without influence."""

        def __init__(self):
            super().__init__()
            self.frozen = nn.Linear(4, 4).requires_grad_(False)
            self.idle = nn.Linear(4, 4, bias=False)
            self.out = nn.Linear(4, 2)

        def forward(self, x):
            return self.out(self.frozen(x))

    class TwoInputs(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 3)
            self.b = nn.Linear(2, 3)

        def forward(self, x, y):
            return self.a(x) + self.b(y), self.a(x)


def make_net(**_):
    """A factory for the command line."""
    return Convolutional()


@unittest.skipIf(MISSING, MISSING)
class ExportTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(1)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(folder.name, "net.onnx")

    def check(self, net, example, exporter, batch=5):
        """Exports, compares initializers and outputs with torch's; returns the file's content."""
        names = export(net, example, self.path, exporter=exporter)
        proto = onnx.load(self.path)
        stored = {x.name: numpy_helper.to_array(x) for x in proto.graph.initializer}
        for name in names:
            np.testing.assert_array_equal(stored[name], dict(net.named_parameters())[name].detach().numpy())
        listed = {x.key: x.value for x in proto.metadata_props}["lossmap.parameters"]
        self.assertEqual(json.loads(listed), names)
        self.assertEqual(len(stored), len(proto.graph.initializer))
        self.assertLess(largest_deviation(self.path, net, example, batch), 2e-6)
        return proto

    def test_batch_norms_stay_and_equal_tensors_are_kept_apart(self):
        for exporter in exporters():
            with self.subTest(exporter):
                net = Convolutional()
                proto = self.check(net, torch.randn(1, 3, 6, 6), exporter)
                nodes = [x for x in proto.graph.node if x.op_type == "BatchNormalization"]
                self.assertEqual(len(nodes), 2)
                self.assertEqual([list(x.input[1:]) for x in nodes],
                                 [[f"norm{i}.{x}" for x in ("weight", "bias", "running_mean", "running_var")] for i in (1, 2)])
                expected = [x for x, _ in net.named_parameters()] + \
                           [x for x, y in net.named_buffers() if y.is_floating_point()]
                self.assertEqual([x.name for x in proto.graph.initializer], expected)
                self.assertNotIn("Dropout", [x.op_type for x in proto.graph.node])
                self.assertEqual([len(x.input) for x in proto.graph.node if x.op_type == "Conv"], [2])
                self.assertEqual(proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value, 0)

    def test_trained_statistics(self):
        for exporter in exporters():
            net = Convolutional()
            for _ in range(3):
                net(torch.randn(8, 3, 6, 6))
            net.norm1.weight.data.normal_()
            self.check(net, torch.randn(2, 3, 6, 6), exporter)

    def test_tied_weights_are_one_parameter(self):
        for exporter in exporters():
            with self.subTest(exporter):
                proto = self.check(Tied(), torch.randn(2, 6), exporter, batch=6)
                names = [x.name for x in proto.graph.initializer]
                self.assertEqual(names.count("first.weight"), 1)
                self.assertNotIn("second.weight", names)

    def test_frozen_and_idle_parameters_are_not_listed(self):
        for exporter in exporters():
            with self.subTest(exporter), warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                net = Partial()
                proto = self.check(net, torch.randn(2, 4), exporter)
                names = [x.name for x in proto.graph.initializer]
                self.assertIn("frozen.weight", names)
                self.assertEqual(json.loads(proto.metadata_props[0].value)[-2:], ["out.weight", "out.bias"])
                self.assertNotIn("frozen.weight", json.loads(proto.metadata_props[0].value))
                if "idle.weight" not in names:  # dynamo keeps it, as an initializer without a user
                    self.assertTrue([x for x in caught if "idle.weight" in str(x.message)])
                self.assertFalse(net.frozen.weight.requires_grad)

    def test_several_inputs_and_outputs(self):
        for exporter in exporters():
            with self.subTest(exporter):
                proto = self.check(TwoInputs(), (torch.randn(2, 4), torch.randn(2, 2)), exporter)
                self.assertEqual([x.name for x in proto.graph.input], ["input_0", "input_1"])
                self.assertEqual([x.name for x in proto.graph.output], ["output_0", "output_1"])

    def test_modes_are_restored(self):
        net = Convolutional().train()
        net.norm1.eval()
        before = [x.training for x in net.modules()]
        export(net, torch.randn(2, 3, 6, 6), self.path)
        self.assertEqual([x.training for x in net.modules()], before)

    def test_no_stack_traces(self):
        for exporter in exporters():
            export(Convolutional(), torch.randn(2, 3, 6, 6), self.path, exporter=exporter)
            proto = onnx.load(self.path)
            self.assertFalse(any(x.doc_string or x.metadata_props for x in proto.graph.node))
            self.assertFalse(proto.graph.metadata_props)

    def test_errors_leave_no_file(self):
        net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3, track_running_stats=False))
        with self.assertRaisesRegex(ExportError, "batch norm '1' has no running statistics"):
            export(net, torch.randn(2, 3), self.path)
        with self.assertRaisesRegex(ExportError, "unknown exporter"):
            export(net, torch.randn(2, 3), self.path, exporter="other")
        with self.assertRaisesRegex(ExportError, "example input"):
            export(net, [1.0], self.path)
        with mock.patch.object(torch.onnx, "export", side_effect=ValueError("no")):
            with self.assertRaisesRegex(ExportError, "legacy exporter: .*; dynamo exporter: "):
                export(Convolutional(), torch.randn(2, 3, 6, 6), self.path)
        self.assertEqual(os.listdir(self.folder), [])

    def test_changed_values_are_noticed(self):
        original = torch.onnx.export

        def corrupt(model, inputs, path, **options):
            original(model, inputs, path, **options)
            proto = onnx.load(path)
            weight = next(x for x in proto.graph.initializer if x.name == "conv.weight")
            weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 2, weight.name))
            onnx.save(proto, path)

        # The exporter's keywords are found by its signature, which the substitute must share.
        corrupt.__signature__ = __import__("inspect").signature(original)
        with mock.patch.object(torch.onnx, "export", corrupt):
            with self.assertRaisesRegex(ExportError, "conv.weight"):
                export(Convolutional(), torch.randn(2, 3, 6, 6), self.path, exporter="legacy")

    def test_large_files_have_external_data(self):
        net, example = nn.Linear(32, 32), torch.randn(2, 32)
        with mock.patch.object(export_onnx, "PROTOBUF_LIMIT", 1000):
            export(net, example, self.path)
        self.assertEqual(sorted(os.listdir(self.folder)), ["net.onnx", "net.onnx.data"])
        self.assertLess(largest_deviation(self.path, net, example), 2e-6)

    def test_metadata(self):
        export(Convolutional(), torch.randn(2, 3, 6, 6), self.path, metadata={"epoch": 3})
        entries = {x.key: x.value for x in onnx.load(self.path).metadata_props}
        self.assertEqual(entries["epoch"], "3")
        self.assertIn("lossmap.parameters", entries)

    def test_epoch_exporter(self):
        net, example = Convolutional(), torch.randn(2, 3, 6, 6)
        folder = os.path.join(self.folder, "checkpoints")
        exporter = EpochExporter(folder, example)
        for epoch in range(2):
            exporter(net, epoch)
            net.out.bias.data.add_(1)
        self.assertEqual(sorted(os.listdir(folder)), ["epoch_00.onnx", "epoch_01.onnx"])
        last = EpochExporter(folder, example, keep_last=True)
        self.assertEqual(last(net, 0), last(net, 1))
        self.assertIn("model.onnx", os.listdir(folder))

    def test_command_line(self):
        checkpoint = os.path.join(self.folder, "net.pt")
        net = Convolutional()
        torch.save({"model": net.state_dict()}, checkpoint)
        arguments = [f"{os.path.abspath(__file__)}:make_net", self.path, "--input-shape", "3,6,6"]
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            status = export_onnx_command.main([*arguments, "--checkpoint", checkpoint, "--key", "model", "--check"])
        self.assertEqual(status, 0)
        self.assertIn("7 trainable parameters", text.getvalue())
        self.assertLess(largest_deviation(self.path, net, torch.randn(2, 3, 6, 6)), 2e-6)
        for wrong in (["nowhere.py:make_net", *arguments[1:]], [arguments[0] + "_", *arguments[1:]], ["plain", *arguments[1:]],
                      [*arguments, "--checkpoint", self.path], [*arguments[:3], "3,x"]):
            text = io.StringIO()
            with contextlib.redirect_stderr(text):
                self.assertEqual(export_onnx_command.main(wrong), 2)
            self.assertEqual(text.getvalue().count("\n"), 1, text.getvalue())


@unittest.skipIf(GRAPH_MISSING, GRAPH_MISSING)
class GraphTest(unittest.TestCase):
    """Repairs, on graphs as one exporter or another writes them."""

    def graph(self, nodes, initializers, output="y"):
        value = helper.make_tensor_value_info
        return helper.make_model(helper.make_graph(
            nodes, "g", [value("x", onnx.TensorProto.FLOAT, ["n", 3])], [value(output, onnx.TensorProto.FLOAT, ["n", 2])],
            [numpy_helper.from_array(array, name) for name, array in initializers.items()]))

    def setUp(self):
        self.weight = np.arange(6, dtype=np.float32).reshape(2, 3)

    def run_graph(self, proto, x):
        from onnx.reference import ReferenceEvaluator
        onnx.checker.check_model(proto)
        return ReferenceEvaluator(proto).run(None, {"x": x})[0]

    def test_transposed_anonymous_weight(self):
        proto = self.graph([helper.make_node("MatMul", ["x", "val_3"], ["y"])], {"val_3": self.weight.T.copy()})
        self.assertEqual(match_initializers(proto, {"fc.weight": self.weight}, {}), [])
        self.assertEqual([x.name for x in proto.graph.initializer], ["fc.weight"])
        x = np.ones((1, 3), np.float32)
        np.testing.assert_array_equal(self.run_graph(proto, x), x @ self.weight.T)

    def test_anonymous_weight(self):
        proto = self.graph([helper.make_node("Gemm", ["x", "val_3"], ["y"], transB=1)], {"val_3": self.weight})
        self.assertEqual(match_initializers(proto, {"fc.weight": self.weight}, {}), [])
        self.assertEqual(proto.graph.node[0].input[1], "fc.weight")

    def test_identity_of_a_merged_tensor(self):
        proto = self.graph([helper.make_node("Identity", ["a.weight"], ["b.weight"]),
                            helper.make_node("Gemm", ["x", "a.weight"], ["h"], transB=1),
                            helper.make_node("Gemm", ["x", "b.weight", "h"], ["y"], transB=1)], {"a.weight": self.weight})
        match_initializers(proto, {"a.weight": self.weight, "b.weight": self.weight}, {})
        self.assertEqual([x.name for x in proto.graph.initializer], ["a.weight", "b.weight"])
        self.assertEqual([x.op_type for x in proto.graph.node], ["Gemm", "Gemm"])

    def test_tied_tensor_stored_twice(self):
        proto = self.graph([helper.make_node("Gemm", ["x", "a.weight"], ["h"], transB=1),
                            helper.make_node("Gemm", ["x", "b.weight", "h"], ["y"], transB=1)],
                           {"a.weight": self.weight, "b.weight": self.weight})
        match_initializers(proto, {"a.weight": self.weight}, {"b.weight": "a.weight"})
        self.assertEqual([x.name for x in proto.graph.initializer], ["a.weight"])
        self.assertEqual(proto.graph.node[1].input[1], "a.weight")

    def test_lost_and_changed_tensors(self):
        nodes = [helper.make_node("Gemm", ["x", "fc.weight"], ["y"], transB=1)]
        proto = self.graph(nodes, {"fc.weight": self.weight})
        self.assertEqual(match_initializers(proto, {"other": self.weight + 1}, {}), ["other"])
        with self.assertRaisesRegex(GraphError, "changed the values of 'fc.weight'"):
            match_initializers(proto, {"fc.weight": self.weight + 1}, {})
        with self.assertRaisesRegex(GraphError, "shape"):
            match_initializers(proto, {"fc.weight": self.weight.T}, {})

    def test_zero_bias_of_a_convolution_is_dropped(self):
        value, floats = helper.make_tensor_value_info, onnx.TensorProto.FLOAT
        zero = numpy_helper.from_array(np.zeros((), np.float32))
        one = numpy_helper.from_array(np.array([1], np.int64))
        nodes = [helper.make_node("Shape", ["w"], ["s"], start=0, end=1), helper.make_node("Constant", [], ["z"], value=zero),
                 helper.make_node("CastLike", ["z", "x"], ["c"]), helper.make_node("Expand", ["c", "s"], ["b"]),
                 helper.make_node("Conv", ["x", "w", "b"], ["h"]), helper.make_node("Constant", [], ["a"], value=one),
                 helper.make_node("Squeeze", ["h", "a2"], ["y"]), ]
        nodes.insert(6, helper.make_node("Add", ["a", "a"], ["a2"]))
        weight = np.ones((4, 1, 3, 3), np.float32)
        proto = helper.make_model(helper.make_graph(nodes, "g", [value("x", floats, ["n", 1, 3, 3])],
                                                    [value("y", floats, ["n", 4, 1])],
                                                    [numpy_helper.from_array(weight, "w")]),
                                  opset_imports=[helper.make_opsetid("", 17)])
        x = np.ones((2, 1, 3, 3), np.float32)
        before = self.run_graph(proto, x)
        fold_shape_arithmetic(proto)
        self.assertEqual([(x.op_type, list(x.input)) for x in proto.graph.node],
                         [("Constant", []), ("Conv", ["x", "w"]), ("Squeeze", ["h", "a2"])])
        np.testing.assert_array_equal(self.run_graph(proto, x), before)

    def test_cleaning(self):
        node = helper.make_node("MatMul", ["x", "w"], ["y"], doc_string="File net.py, line 3")
        proto = self.graph([node], {"w": self.weight.T.copy()})
        proto.doc_string = "text"
        clean_graph(proto)
        self.assertEqual((proto.doc_string, proto.graph.node[0].doc_string), ("", ""))


if __name__ == "__main__":
    unittest.main()
