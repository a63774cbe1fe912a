"""Tiny networks, data and configurations for the tests that run the lossmap program; needs numpy, h5py and onnx."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.support.reference_files import BINARY, ROOT, run_lossmap  # noqa: E402,F401

try:
    import h5py  # noqa: F401
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    REASON = ""
except ImportError as error:
    REASON = f"{error.name} is not installed"
if not REASON and not os.access(BINARY, os.X_OK):
    REASON = f"no program at {BINARY}; set LOSSMAP_BINARY"

FEATURES, HIDDEN, CLASSES = 4, 5, 3


def save(graph_nodes, inputs, outputs, weights, path, opset=13):
    graph = helper.make_graph(graph_nodes, "net", inputs, outputs,
                              [numpy_helper.from_array(value, name) for name, value in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.save(model, str(path))


def write_mlp(path, seed=0, activation="Tanh"):
    """Two dense layers; returns the weights by name."""
    random = np.random.default_rng(seed)
    weights = {"fc1.weight": random.normal(size=(HIDDEN, FEATURES)).astype(np.float32),
               "fc1.bias": random.normal(size=HIDDEN).astype(np.float32),
               "fc2.weight": random.normal(size=(CLASSES, HIDDEN)).astype(np.float32),
               "fc2.bias": random.normal(size=CLASSES).astype(np.float32)}
    nodes = [helper.make_node("Gemm", ["x", "fc1.weight", "fc1.bias"], ["a"], transB=1, name="fc1"),
             helper.make_node(activation, ["a"], ["b"], name="act"),
             helper.make_node("Gemm", ["b", "fc2.weight", "fc2.bias"], ["y"], transB=1, name="fc2")]
    save(nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", FEATURES])],
         [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", CLASSES])], weights, path)
    return weights


def write_convnet(path, seed=1):
    """Slow enough that a run over a plane can be stopped in the middle."""
    random = np.random.default_rng(seed)
    weights = {"c1": random.normal(size=(16, 1, 3, 3)).astype(np.float32) / 3,
               "c2": random.normal(size=(16, 16, 3, 3)).astype(np.float32) / 12,
               "fc": random.normal(size=(4, 16)).astype(np.float32)}
    nodes = [helper.make_node("Conv", ["x", "c1"], ["a"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["a"], ["b"]),
             helper.make_node("Conv", ["b", "c2"], ["c"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["d"]),
             helper.make_node("GlobalAveragePool", ["d"], ["e"]), helper.make_node("Flatten", ["e"], ["f"]),
             helper.make_node("Gemm", ["f", "fc"], ["y"], transB=1)]
    save(nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 16, 16])],
         [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])], weights, path)


def write_samples(path, count=20, seed=3, features=FEATURES):
    """x and y of `count` samples; returns them."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, features)).astype(np.float32)
    y = random.integers(0, CLASSES, size=count)
    np.savez(path, x=x, y=y)
    return x, y


def axis(low, high, points):
    return {"min": low, "max": high, "points": points}


def line_config(folder, **changes):
    """A small line over an MLP and 20 samples, all in `folder`; returns the configuration."""
    write_mlp(Path(folder) / "net.onnx")
    write_samples(Path(folder) / "samples.npz")
    return {"name": "line", "experiment": "surface", "model": "net.onnx",
            "data": {"format": "npz", "train": ["samples.npz"]}, "splits": ["train"], "loss": "cross_entropy",
            "directions": {"kind": "random", "seed": 1, "normalization": "filter", "ignore": ["1d"]},
            "x": axis(-1, 1, 5), **changes}


def write_config(folder, config, name="config.json"):
    file = Path(folder) / name
    file.write_text(json.dumps(config))
    return file


def stop_in_the_middle(file, out, signal_number, run=None, arguments=()):
    """Starts a run and sends it a signal once some but not all units (of run number `run` of a sweep) are done; returns
    the exit status and stderr."""
    process = subprocess.Popen([BINARY, "run", str(file), "--out", str(out), "--progress", "json", "--threads", "1",
                                *arguments],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        event = json.loads(line)
        if event.get("run") != run:
            continue
        if event["event"] == "progress" and 0 < event["finished_units"] < event["total_units"]:
            process.send_signal(signal_number)
            break
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


KILL, INTERRUPT, TERMINATE = signal.SIGKILL, signal.SIGINT, signal.SIGTERM
