#!/usr/bin/env python3
"""Throughput of lossmap's CPU backend against onnxruntime on the same model, as a ratio within one run.

    bench/cpu_vs_onnxruntime.py build/bench/bin/cpu_throughput MODEL.onnx [--rounds 15] [--seconds 0.5] [--json FILE]

Both programs get the same number of threads and alternate in short runs, so that whatever else the machine does hits both;
reported is the median of the rounds' ratios with its quartiles. onnxruntime gets its best case: the fastest of several
batch sizes (tried in the same run), weights packed once, while lossmap computes a loss and new weights for every point.
The fused multiply-add ceiling of a core is measured in the same run. Needs the PyPI package onnxruntime (only here).
"""
import argparse
import json
import os
import statistics
import sys
import time

import numpy
import onnxruntime

from alternating import Lossmap, alternate, best_batch, measured_rate, quartiles

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)


class OnnxRuntime:
    """A session with its best settings for throughput on few cores."""

    def __init__(self, model, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0]

    def measure(self, batch, seconds):
        shape = [batch] + [size if isinstance(size, int) else 1 for size in self.input.shape[1:]]
        images = numpy.random.default_rng(1).standard_normal(shape, dtype=numpy.float32)
        feed = {self.input.name: images}
        return measured_rate(lambda: self.session.run(None, feed), batch, seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--tile", type=int, default=0)
    parser.add_argument("--json")
    arguments = parser.parse_args()

    session = OnnxRuntime(arguments.model, arguments.threads)
    lossmap = Lossmap(arguments.binary, arguments.model, arguments.threads, arguments.seconds, arguments.samples,
                      ["--tile", str(arguments.tile)])
    batch = best_batch(session.measure, BATCHES, min(arguments.seconds, 0.2), 3)
    rounds = []
    for measured in alternate({"lossmap": lossmap.measure, "onnxruntime": lambda: session.measure(batch, arguments.seconds)},
                              arguments.rounds):
        mine = measured["lossmap"]
        rounds.append({"lossmap": mine["images_per_second"], "onnxruntime": measured["onnxruntime"],
                       "ceiling_gflops": mine["ceiling_gflops"], "fraction_of_ceiling": mine["fraction_of_ceiling"]})
    lossmap.close()

    median, quarters = quartiles([entry["lossmap"] / entry["onnxruntime"] for entry in rounds])
    result = {
        "model": os.path.basename(arguments.model), "threads": arguments.threads, "onnxruntime_batch": batch,
        "onnxruntime_version": onnxruntime.__version__,
        "ratio_median": median, "ratio_quartiles": quarters,
        "lossmap_images_per_second": statistics.median(entry["lossmap"] for entry in rounds),
        "onnxruntime_images_per_second": statistics.median(entry["onnxruntime"] for entry in rounds),
        "fraction_of_ceiling_median": statistics.median(entry["fraction_of_ceiling"] for entry in rounds),
        "rounds": rounds,
    }
    print(f"{result['model']}, {result['threads']} threads: lossmap {result['lossmap_images_per_second']:.0f} images/s, "
          f"onnxruntime {result['onnxruntime_images_per_second']:.0f} (batch {batch}); ratio {result['ratio_median']:.2f} "
          f"[{quarters[0]:.2f}, {quarters[1]:.2f}]; {100 * result['fraction_of_ceiling_median']:.0f} % of the FMA ceiling")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
