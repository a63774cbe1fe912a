#!/usr/bin/env python3
"""What other engines make of the headline job on this GPU: evaluations a second of a ResNet-56 for CIFAR-10 images.

    peers.py [--seconds 90] [--depth 56] [--onnx MODEL.onnx] [--device cuda] [--json FILE]

PyTorch is measured as one would write the experiment in it: for every point the weights become theta + a d0 + b d1 (one fused
multi-tensor operation), every image goes through the network in evaluation mode, the loss is summed on the device. Ways:
fp32 with tf32 off and on, fp16 in channels_last, and the same compiled. onnxruntime, when it has its CUDA provider
and a model is given, runs inference with unchanging weights, its best case. Images are noise and stay on the device; each
way takes the fastest of a few batch sizes. A matrix product in fp16 is timed before and after, for the machine's own ceiling.
The file stands alone: it needs torch, nothing of lossmap. What does not work is reported with its reason.
"""
import argparse
import json
import time

import torch
from torch import nn

BATCHES = (512, 2048, 8192)


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut, which is a 1x1 convolution where the shape changes (He et al. 2016)."""

    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """depth = 6 n + 2 layers for 32 x 32 images, 16, 32 and 64 channels."""

    def __init__(self, depth):
        super().__init__()
        layers, channels = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
        for stage, width in enumerate((16, 32, 64)):
            for block in range((depth - 2) // 6):
                layers.append(Block(channels, width, 2 if stage > 0 and block == 0 else 1))
                channels = width
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))


def macs_per_image(model):
    total = []

    def count(module, _, output):
        total.append(output[0].numel() * module.weight[0].numel())

    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.inference_mode():
        model(torch.zeros(1, 3, 32, 32))
    for hook in hooks:
        hook.remove()
    return sum(total)


class Machine:
    """Waits and clocks of a device."""

    def __init__(self, name):
        self.device = torch.device(name)

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def seconds_of(self, work, least):
        """Seconds a call, over calls that take `least` seconds together, after one that is not counted."""
        work()
        self.wait()
        begin, calls = time.perf_counter(), 0
        while True:
            work()
            self.wait()
            calls += 1
            elapsed = time.perf_counter() - begin
            if elapsed >= least:
                return elapsed / calls

    def matrix_product_flops(self, least):
        side = 8192 if self.device.type == "cuda" else 256
        a, b = (torch.randn(side, side, device=self.device, dtype=torch.float16) for _ in range(2))
        return 2 * side**3 / self.seconds_of(lambda: a @ b, least)


class Experiment:
    """The job at one precision: a point is new weights and a pass over the batch."""

    def __init__(self, machine, depth, images, dtype, compiled):
        self.machine, self.images, self.dtype = machine, images, dtype
        torch.manual_seed(1)
        self.model = ResNet(depth).to(machine.device, dtype).to(memory_format=torch.channels_last).eval()
        self.weights = [p.detach() for p in self.model.parameters()]
        self.theta = [w.clone() for w in self.weights]
        self.axes = [[torch.randn_like(w) * w.norm() / w.numel() ** 0.5 for w in self.weights] for _ in range(2)]
        self.run = torch.compile(self.model, dynamic=False) if compiled else self.model

    def move(self, a, b):
        moved = torch._foreach_add(self.theta, self.axes[0], alpha=a)
        torch._foreach_add_(moved, self.axes[1], alpha=b)
        torch._foreach_copy_(self.weights, moved)

    def evaluations_per_second(self, batch, least):
        images = torch.randn(batch, 3, 32, 32, device=self.machine.device, dtype=self.dtype).to(memory_format=torch.channels_last)
        labels = torch.randint(10, (batch,), device=self.machine.device)
        passes = max(1, self.images // batch)

        @torch.inference_mode()
        def point():
            self.move(0.01, -0.01)
            total = torch.zeros((), device=self.machine.device, dtype=torch.float64)
            for _ in range(passes):
                total += nn.functional.cross_entropy(self.run(images).float(), labels, reduction="sum")
            return total

        return batch * passes / self.machine.seconds_of(point, least)


def onnxruntime_rate(path, machine, batch, least):
    import numpy
    import onnxruntime
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise RuntimeError("this onnxruntime has no CUDA provider")
    session = onnxruntime.InferenceSession(path, providers=["CUDAExecutionProvider"])
    binding = session.io_binding()
    images = numpy.random.default_rng(1).standard_normal((batch, 3, 32, 32), dtype=numpy.float32)
    binding.bind_ortvalue_input(session.get_inputs()[0].name, onnxruntime.OrtValue.ortvalue_from_numpy(images, "cuda", 0))
    binding.bind_output(session.get_outputs()[0].name, "cuda")
    return batch / machine.seconds_of(lambda: session.run_with_iobinding(binding), least)


def ways(arguments, machine):
    """Name, and a function of batch and seconds that returns evaluations a second."""
    half = torch.float16

    def torch_way(name, dtype, tf32, compiled):
        experiment = []

        def rate(batch, least):
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
            if not experiment:
                experiment.append(Experiment(machine, arguments.depth, arguments.images, dtype, compiled))
            return experiment[0].evaluations_per_second(batch, least)

        return name, rate

    yield torch_way("pytorch fp16 channels_last", half, True, False)
    yield torch_way("pytorch tf32", torch.float32, True, False)
    yield torch_way("pytorch fp32", torch.float32, False, False)
    if arguments.onnx:
        yield "onnxruntime, fixed weights", lambda batch, least: onnxruntime_rate(arguments.onnx, machine, batch, least)
    # Last: compiling takes most of a minute.
    yield torch_way("pytorch fp16 channels_last compiled", half, True, True)


def measure(arguments):
    machine = Machine(arguments.device)
    torch.backends.cudnn.benchmark = True
    macs = macs_per_image(ResNet(arguments.depth))
    started, rows = time.perf_counter(), []
    ceilings = [machine.matrix_product_flops(arguments.least)]
    for name, rate in ways(arguments, machine):
        row = {"name": name}
        for batch in arguments.batches:
            if time.perf_counter() - started > arguments.seconds:
                row.setdefault("error", "no time left")
                break
            try:
                found = rate(batch, arguments.least)
            except Exception as error:  # of whatever library; the others go on
                row.setdefault("error", f"{type(error).__name__}: {error}".splitlines()[0][:300])
                continue
            if found > row.get("evaluations_per_second", 0):
                row.update(evaluations_per_second=found, batch=batch, flops_per_second=2 * macs * found)
        if "evaluations_per_second" in row:
            row.pop("error", None)
        rows.append(row)
        print(json.dumps(row), flush=True)
    ceilings.append(machine.matrix_product_flops(arguments.least))
    device = torch.cuda.get_device_name() if machine.device.type == "cuda" else "cpu"
    return {"device": device, "torch": torch.__version__, "depth": arguments.depth, "macs_per_image": macs,
            "fp16_matrix_product_flops": ceilings, "peers": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=90, help="nothing new is begun after that")
    parser.add_argument("--least", type=float, default=1.0, help="seconds a measurement takes at least")
    parser.add_argument("--depth", type=int, default=56)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--images", type=int, default=8192, help="of a point, about")
    parser.add_argument("--onnx", help="a model for onnxruntime")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", help="where the results go, too")
    arguments = parser.parse_args()
    result = measure(arguments)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
    best = max((row for row in result["peers"] if "evaluations_per_second" in row),
               key=lambda row: row["evaluations_per_second"], default=None)
    if best is None:
        raise SystemExit("peers: nothing could be measured")
    print(f"fastest: {best['name']}, {best['evaluations_per_second']:.0f} evaluations/s")


if __name__ == "__main__":
    main()
