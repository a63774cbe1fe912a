#!/usr/bin/env python3
"""Memory and time of a trajectory over many large checkpoints.

    bench/trajectory_memory.py build/default/bin/lossmap [--checkpoints 300] [--hidden 4600 4400] [--folder DIR] [--keep]

Writes checkpoints of a multilayer perceptron (25 million parameters by default, 100 MB a file: 30 GB in all) whose path
lies in a plane known beforehand, runs `lossmap run` on them (principal components, a small grid, the true loss of every
checkpoint) and prints

- the largest resident memory of the process as the system counts it (with pages of mapped files), and the largest sum
  of anonymous memory seen while it ran, which cannot be given back under pressure;
- the time, and how the singular values compare with those of the plane.

Exit status 1 when the resident memory exceeds --limit-mib or the singular values differ by more than 1e-4.
"""
import argparse
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy
import onnx
from onnx import TensorProto, helper

INPUTS, CLASSES, SAMPLES = 1024, 10, 16


def shapes_of(hidden):
    sizes = [INPUTS, *hidden, CLASSES]
    return {f"w{k}": (sizes[k + 1], sizes[k]) for k in range(len(sizes) - 1)}


def model_of(shapes):
    """The network with empty weights; they are filled in for each file."""
    nodes, value = [], "x"
    for k, name in enumerate(shapes):
        last = k == len(shapes) - 1
        nodes.append(helper.make_node("Gemm", [value, name], ["logits" if last else f"h{k}"], transB=1))
        if not last:
            nodes.append(helper.make_node("Relu", [f"h{k}"], [f"r{k}"]))
        value = f"r{k}"
    tensors = [TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape) for name, shape in shapes.items()]
    graph = helper.make_graph(nodes, "mlp", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", INPUTS])],
                              [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_checkpoints(folder, shapes, count):
    """theta_t = base + a_t u + b_t v. Returns the singular values of the centred rows theta_t - theta_n, in fp64."""
    generator = numpy.random.default_rng(1)
    size = sum(rows * columns for rows, columns in shapes.values())
    base, u, v = (generator.random(size, dtype=numpy.float32) - numpy.float32(0.5) for _ in range(3))
    base *= numpy.float32(0.02)
    t = numpy.linspace(1, 0, count)
    path = numpy.stack([1e-2 * t ** 2, 4e-3 * t * numpy.sin(9 * t)], axis=1)
    for k, (a, b) in enumerate(path):
        file = folder / f"epoch_{k}.onnx"
        if file.exists():
            continue
        model = model_of(shapes)  # one for all would keep the weights of each: protobuf frees them with the message
        theta = base + numpy.float32(a) * u + numpy.float32(b) * v
        start = 0
        for tensor in model.graph.initializer:
            length = int(numpy.prod(tensor.dims))
            tensor.raw_data = theta[start:start + length].tobytes()
            start += length
        unfinished = file.with_suffix(".part")
        unfinished.write_bytes(model.SerializeToString())
        unfinished.rename(file)
    scalars = numpy.array([[u @ u.astype(numpy.float64), u @ v.astype(numpy.float64)], [0, v @ v.astype(numpy.float64)]])
    scalars[1, 0] = scalars[0, 1]
    centred = path - path.mean(axis=0)
    return size, numpy.sqrt(numpy.linalg.eigvals(centred.T @ centred @ scalars))


def anonymous_mib(process):
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found.group(1)) / 1024 if found else 0.0


def run(binary, config, out):
    start = time.monotonic()
    process = subprocess.Popen([binary, "run", config, "--out", out, "--fresh", "--progress", "none"])
    largest = 0.0
    while process.poll() is None:
        largest = max(largest, anonymous_mib(process))
        time.sleep(0.1)
    if process.returncode != 0:
        sys.exit(f"lossmap ended with status {process.returncode}")
    return time.monotonic() - start, largest, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary")
    parser.add_argument("--checkpoints", type=int, default=300)
    parser.add_argument("--hidden", type=int, nargs="+", default=[4600, 4400])
    parser.add_argument("--folder", type=Path, help="where the checkpoints go (default: a temporary folder)")
    parser.add_argument("--keep", action="store_true", help="leave the checkpoints, and use those that are in --folder")
    parser.add_argument("--limit-mib", type=float, default=2048)
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="lossmap-trajectory-"))
    folder.mkdir(parents=True, exist_ok=True)
    expected_file = folder / "expected.json"
    if args.keep and expected_file.exists():
        size, expected = json.loads(expected_file.read_text())
    else:
        size, expected = write_checkpoints(folder, shapes_of(args.hidden), args.checkpoints)
        expected = sorted(expected.tolist(), reverse=True)
        expected_file.write_text(json.dumps([size, expected]))
    generator = numpy.random.default_rng(2)
    numpy.savez(folder / "samples.npz", x=generator.random((SAMPLES, INPUTS), dtype=numpy.float32),
                y=generator.integers(0, CLASSES, SAMPLES))
    config = folder / "config.json"
    config.write_text(json.dumps({
        "name": "many-checkpoints", "experiment": "trajectory", "checkpoints": "epoch_*.onnx", "plane": {"kind": "pca"},
        "data": {"format": "npz", "train": ["samples.npz"]}, "device": "cpu",
        "x": {"points": 3, "margin": 0.2}, "y": {"points": 3, "margin": 0.2}}))
    seconds, anonymous, resident = run(args.binary, config, folder / "out")
    with h5py.File(folder / "out" / "direction.h5") as file:
        found = file["singular_values_"][()]
    error = float(numpy.max(numpy.abs(found - expected) / expected))
    print(f"{args.checkpoints} checkpoints of {size:,} parameters: {seconds:.0f} s, resident {resident:.0f} MiB "
          f"(limit {args.limit_mib:.0f}), anonymous {anonymous:.0f} MiB, singular values within {error:.1e}")
    if not args.keep:
        shutil.rmtree(folder)
    return 1 if resident > args.limit_mib or error > 1e-4 else 0


if __name__ == "__main__":
    sys.exit(main())
