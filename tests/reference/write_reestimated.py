"""Writes what PyTorch computes between two networks whose batch-norm statistics are estimated anew at each point.

    python3 tests/reference/write_reestimated.py FROM.onnx TO.onnx IMAGES OUT.npz [--statistics 2000] [--batch 128] [--samples 1000]

Needs torch and onnx; neither is part of ./check. The networks' layers run as torch.nn.functional, their batch norms as
torch.nn.BatchNorm with momentum=None: at each of 21 points in [-0.5, 1.5] trainable parameters are interpolated, the
statistics are reset, the first --statistics samples pass in training mode in file order, and the loss of the first --samples
samples is taken in inference mode, summed in fp64. IMAGES is the folder of Fashion-MNIST as Debian's dataset-fashion-mnist
has it, or a CIFAR-10 batch in binary form.

tests/reference/vgg9_reestimate.npz was written on 2026-11-26 with torch 1.13.0 on the CPU, one thread, by

    python3 tests/reference/write_reestimated.py configs/demo/vgg9_sgd_wd5e-4_bs128/epoch_12.onnx \
      configs/demo/vgg9_sgd_wd5e-4_bs2048/epoch_12.onnx /usr/share/datasets/fashion-mnist tests/reference/vgg9_reestimate.npz
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator


def load_samples(path, count):
    """Images [count, C, H, W] normalised as the networks were trained, and labels."""
    if path.is_dir():
        images = np.frombuffer(gzip.open(path / "train-images-idx3-ubyte.gz").read(), np.uint8, offset=16)
        labels = np.frombuffer(gzip.open(path / "train-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)
        images, mean, std = images.reshape(-1, 1, 28, 28), [0.286], [0.353]
    else:
        records = np.fromfile(path, np.uint8).reshape(-1, 3073)
        images, labels = records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]
        mean, std = np.array([125.3, 123.0, 113.9]) / 255, np.array([63.0, 62.1, 66.7]) / 255
    x = torch.from_numpy(images[:count].copy()).float() / 255
    x = (x - torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1)) / torch.tensor(std, dtype=torch.float32).view(-1, 1, 1)
    return x, torch.from_numpy(labels[:count].astype(np.int64))


class Network:
    """An ONNX graph of the demo networks' operators, run by PyTorch."""

    def __init__(self, file):
        graph = onnx.load(str(file)).graph
        self.graph = graph
        self.stored = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
        self.constants = self.fold_constants()
        self.norms = {}
        for node in graph.node:
            if node.op_type != "BatchNormalization":
                continue
            epsilon = next(a.f for a in node.attribute if a.name == "epsilon")
            norm = torch.nn.BatchNorm2d(len(self.stored[node.input[1]]), eps=epsilon, momentum=None)
            norm._check_input_dim = lambda x: None  # behind a dense layer, too
            self.norms[node.output[0]] = norm
        self.statistics = {name for node in graph.node if node.op_type == "BatchNormalization" for name in node.input[3:]}
        self.parameters = {k: v for k, v in self.stored.items() if k not in self.statistics and v.is_floating_point()}

    def fold_constants(self):
        known, nodes = set(), []
        for node in self.graph.node:
            if all(name in known or not name for name in node.input):
                nodes.append(node)
                known.update(node.output)
        if not nodes:
            return {}
        outputs = [helper.make_empty_tensor_value_info(name) for node in nodes for name in node.output]
        graph = helper.make_graph(nodes, "constants", [], outputs)
        run = ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))
        return dict(zip([o.name for o in outputs], run.run(None, {})))

    def __call__(self, x, weights):
        values = {**weights, self.graph.input[0].name: x}
        for node in self.graph.node:
            if node.output[0] not in self.constants:
                values[node.output[0]] = self.run(node, values)
        return values[self.graph.output[0].name]

    def run(self, node, values):
        a = {x.name: helper.get_attribute_value(x) for x in node.attribute}
        x = [self.constants[name] if name in self.constants else values.get(name) for name in node.input]
        if node.op_type == "Conv":
            return F.conv2d(x[0], x[1], x[2] if len(x) > 2 else None, stride=a["strides"], padding=a["pads"][:2])
        if node.op_type == "BatchNormalization":
            norm = self.norms[node.output[0]]
            norm.weight.data, norm.bias.data = x[1], x[2]
            return norm(x[0])
        if node.op_type == "Gemm":
            return F.linear(x[0], x[1], x[2])
        if node.op_type == "MaxPool":
            return F.max_pool2d(x[0], a["kernel_shape"], a["strides"])
        if node.op_type == "Slice":
            starts, axes, steps = x[1], x[3], x[4]
            index = [slice(None)] * x[0].dim()
            for start, axis, step in zip(starts, axes, steps):
                index[axis] = slice(int(start), None, int(step))
            return x[0][tuple(index)]
        if node.op_type == "Pad":
            rank = x[0].dim()
            return F.pad(x[0], [int(x[1][axis + side * rank]) for axis in reversed(range(rank)) for side in (0, 1)])
        return {"Relu": lambda: F.relu(x[0]), "Add": lambda: x[0] + x[1], "Transpose": lambda: x[0].t(),
                "MatMul": lambda: x[0] @ x[1], "Flatten": lambda: x[0].flatten(1),
                "GlobalAveragePool": lambda: x[0].mean((2, 3), keepdim=True)}[node.op_type]()


def evaluate(network, weights, x, labels):
    """Mean cross-entropy and accuracy in percent."""
    loss, correct = 0.0, 0
    for first in range(0, len(x), 250):
        logits = network(x[first:first + 250], weights)
        target = labels[first:first + 250]
        loss += F.cross_entropy(logits.double(), target, reduction="sum").item()
        correct += (logits.argmax(1) == target).sum().item()
    return loss / len(x), 100.0 * correct / len(x)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs=4, type=Path, metavar="FROM.onnx TO.onnx IMAGES OUT.npz")
    parser.add_argument("--statistics", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--samples", type=int, default=1000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network, other = Network(arguments.files[0]), Network(arguments.files[1])
    x, labels = load_samples(arguments.files[2], max(arguments.statistics, arguments.samples))
    points = np.linspace(-0.5, 1.5, 21)
    results = []
    with torch.no_grad():
        for a in points:
            weights = {k: v + np.float32(a) * (other.parameters[k] - v) for k, v in network.parameters.items()}
            for norm in network.norms.values():
                norm.reset_running_stats()
                norm.train()
            for first in range(0, arguments.statistics, arguments.batch):
                network(x[first:min(first + arguments.batch, arguments.statistics)], weights)
            for norm in network.norms.values():
                norm.eval()
            results.append(evaluate(network, weights, x[:arguments.samples], labels[:arguments.samples]))
            print(f"{a:5.2f} {results[-1][0]:.6f} {results[-1][1]:.2f} %", flush=True)
    loss, accuracy = np.array(results).T
    np.savez(arguments.files[3], x=points, loss=loss, accuracy=accuracy, statistics=arguments.statistics,
             batch=arguments.batch, samples=arguments.samples)


if __name__ == "__main__":
    main()
