"""Demo networks evaluated by NumPy in fp64, independently of the program: the operators that their ONNX files use."""

import numpy as np
import onnx
from onnx import numpy_helper

SAMPLES = 8  # at a time, so that the windows of convolutions stay in the caches


def convolution(x, weight, stride, padding):
    """x [n, c, h, w], weight [o, c, k, k] -> [n, o, h', w']."""
    kernel = weight.shape[2]
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]
    n, _, height, width = windows.shape[:4]
    columns = windows.transpose(0, 1, 4, 5, 2, 3).reshape(n, -1, height * width)
    return (weight.reshape(len(weight), -1) @ columns).reshape(n, -1, height, width)


def batch_norm(x, scale, shift, mean, variance, epsilon):
    shape = [1, -1] + [1] * (x.ndim - 2)
    with np.errstate(invalid="ignore"):  # the root of a negative variance is NaN, as it should be
        factor = scale / np.sqrt(variance + epsilon)
    return (x - mean.reshape(shape)) * factor.reshape(shape) + shift.reshape(shape)


def halved(x):
    """Maximum of each 2x2 block; a last odd row or column is left out."""
    n, c, height, width = x.shape
    x = x[:, :, :height // 2 * 2, :width // 2 * 2].reshape(n, c, height // 2, 2, width // 2, 2)
    return x.max(axis=(3, 5))


class NumpyNetwork:
    """The graph of an ONNX file and its initializers by name (`weights`, fp64; `parameters` are the trained ones, in
    their order)."""

    def __init__(self, path):
        model = onnx.load(str(path))
        self.nodes = model.graph.node
        self.input = model.graph.input[0].name
        self.weights = {one.name: numpy_helper.to_array(one).astype(np.float64) for one in model.graph.initializer}
        self.parameters = [name for name in self.weights if not name.endswith((".running_mean", ".running_var"))]

    def logits(self, x, weights):
        """[n, classes] of samples [n, channels, height, width] under `weights`, which name all initializers."""
        parts = [self.run(x[first:first + SAMPLES], weights) for first in range(0, len(x), SAMPLES)]
        return np.concatenate(parts)

    def run(self, x, weights):
        values = {self.input: np.asarray(x, np.float64), **weights}
        for node in self.nodes:
            options = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
            inputs = [values[name] for name in node.input]
            values[node.output[0]] = OPERATORS[node.op_type](options, *inputs)
        return values[self.nodes[-1].output[0]]

    def loss(self, x, y, weights=None):
        """Mean cross-entropy and error in percent."""
        logits = self.logits(x, self.weights if weights is None else weights)
        shifted = logits - logits.max(axis=1, keepdims=True)
        losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]
        return losses.mean(), 100.0 * (logits.argmax(axis=1) != y).mean()


OPERATORS = {
    "Conv": lambda options, x, weight: convolution(x, weight, options["strides"][0], options["pads"][0]),
    "BatchNormalization": lambda options, x, *parts: batch_norm(x, *parts, options["epsilon"]),
    "Relu": lambda options, x: np.maximum(x, 0),
    "MaxPool": lambda options, x: halved(x),
    "GlobalAveragePool": lambda options, x: x.mean(axis=(2, 3), keepdims=True),
    "Add": lambda options, a, b: a + b,
    "Flatten": lambda options, x: x.reshape(len(x), -1),
    "Transpose": lambda options, x: x.transpose(options["perm"]),
    "MatMul": lambda options, a, b: a @ b,
    "Gemm": lambda options, x, weight, bias: x @ weight.T + bias,
}
