#!/usr/bin/env python3
"""Throughput of lossmap's CPU backend in bf16 and fp32 against PyTorch on a ResNet for CIFAR-10, as ratios within one run.

    bench/cpu_vs_pytorch.py build/bench/bin/cpu_throughput RESNET56.onnx [--depth 56] [--rounds 9] [--seconds 0.5] [--json FILE]

PyTorch runs the same network (its own weights, 1x1 convolutions as shortcuts) eagerly in channels_last, and compiled with frozen
weights, which folds batch norms and packs weights once; each in bf16 and fp32 with the fastest of several batch sizes. lossmap
computes a loss and new weights for every point. All run in turn, in short runs, so that whatever else the machine does hits each;
reported are medians of the rounds' ratios with quartiles. With one thread rates are by processor time, which others on the machine
take no part of; with several they are by the clock. Needs the PyPI package torch and a C++ compiler (only here).
"""
import argparse
import json
import os
import pathlib
import statistics
import sys
import time

import torch

from alternating import Lossmap, alternate, best_batch, measured_rate, quartiles

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "gpu"))
from peers import ResNet, macs_per_image  # noqa: E402

BATCHES = (4, 8, 16, 32, 64, 128)


class PyTorch:
    """A network made ready for one precision and way."""

    def __init__(self, depth, dtype, compiled, clock):
        torch.manual_seed(1)
        self.dtype, self.clock = dtype, clock
        self.model = ResNet(depth).eval().to(dtype).to(memory_format=torch.channels_last)
        self.run = torch.compile(self.model, dynamic=False) if compiled else self.model

    def measure(self, batch, seconds):
        images = torch.randn(batch, 3, 32, 32, dtype=self.dtype).to(memory_format=torch.channels_last)
        # Freezing wants no_grad: inference_mode keeps it from folding.
        with torch.no_grad():
            return measured_rate(lambda: self.run(images), batch, seconds, self.clock)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("model")
    parser.add_argument("--depth", type=int, default=56, help="of PyTorch's network, which should be the model's")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--precisions", nargs="+", choices=["bf16", "fp32"], default=["bf16", "fp32"])
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, help="that PyTorch may choose from")
    parser.add_argument("--json")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    # Compiled code reads the environment and the configuration when it is made.
    import torch._inductor.config as inductor
    inductor.freezing = True
    clock, rate = (time.process_time, "images_per_cpu_second") if arguments.threads == 1 else (time.perf_counter, "images_per_second")
    measures, batches, processes = {}, {}, []
    for precision in arguments.precisions:
        lossmap = Lossmap(arguments.binary, arguments.model, arguments.threads, arguments.seconds, arguments.samples,
                          ["--precision", precision])
        processes.append(lossmap)
        measures[f"lossmap {precision}"] = lossmap.measure
        for way in ("eager", "compiled"):
            name = f"pytorch {way} {precision}"
            network = PyTorch(arguments.depth, torch.bfloat16 if precision == "bf16" else torch.float32, way == "compiled", clock)
            batches[name] = best_batch(network.measure, arguments.batches, min(arguments.seconds, 0.2), 3)
            measures[name] = lambda network=network, batch=batches[name]: network.measure(batch, arguments.seconds)
    rounds, fractions, macs = [], {}, 0
    for measured in alternate(measures, arguments.rounds):
        for name, value in measured.items():
            if name.startswith("lossmap"):
                fractions.setdefault(name, []).append(2e-9 * value[rate] * value["macs_per_sample"] / value["ceiling_gflops"])
                macs, measured[name] = value["macs_per_sample"], value[rate]
        rounds.append(measured)
    for process in processes:
        process.close()

    result = {"model": os.path.basename(arguments.model), "threads": arguments.threads, "torch": torch.__version__,
              "macs": {"lossmap": macs, "pytorch": macs_per_image(ResNet(arguments.depth))}, "batches": batches,
              rate: {name: statistics.median(entry[name] for entry in rounds) for name in measures},
              "fraction_of_ceiling": {name: statistics.median(values) for name, values in fractions.items()},
              "ratios": {}, "rounds": rounds}
    first = f"lossmap {arguments.precisions[0]}"
    for name in measures:
        if name != first:
            result["ratios"][f"{first} / {name}"] = quartiles([entry[first] / entry[name] for entry in rounds])
    print(f"{result['model']}, {arguments.threads} threads, torch {torch.__version__}, million multiply-adds: lossmap "
          f"{macs / 1e6:.1f}, pytorch {result['macs']['pytorch'] / 1e6:.1f}")
    unit = rate.replace("_", " ")
    for name, value in result[rate].items():
        note = f"batch {batches[name]}" if name in batches else f"{100 * result['fraction_of_ceiling'][name]:.0f} % of the ceiling"
        print(f"  {name:22} {value:7.0f} {unit}, {note}")
    for name, (median, quarters) in result["ratios"].items():
        print(f"  {name:42} {median:.2f} [{quarters[0]:.2f}, {quarters[1]:.2f}]")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
