"""Exports networks that others wrote (torchvision's and timm's) and has test_zoo compare lossmap with PyTorch on them.

Each network gets random weights, batch norms calibrated on noise, and a filter-normalised direction; it is exported
four ways. Where an exporter renamed or changed weights, losses are compared at the origin only. Files are removed again.

Usage: compare_classics.py TEST_ZOO [NETWORK ..]
NETWORK: torchvision:resnet18, timm:resnet10t, ..; without any a wide choice.
Exit status 77 where torch or torchvision is missing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

try:
    import numpy as np
    import onnx
    import torch
    import torchvision
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

SAMPLES = 4
CLASSES = 10
ALPHAS = [-0.3, 0.2, 0.5]
OPSETS = {"raw": 20, "default": 18, "legacy_train": 17, "legacy": 13}
SHAPE = (3, 64, 64)
# torchvision's networks that want another input.
SHAPES = {"inception_v3": (3, 96, 96), "vit_b_32": (3, 224, 224), "maxvit_t": (3, 224, 224), "r3d_18": (3, 4, 32, 32)}
# Files that are no valid ONNX, and that ONNX Runtime refuses, too.
INVALID = {"r3d_18-raw.onnx": "torch.export's convolution in three dimensions without bias gets one of shape [64, 2]"}
TORCHVISION = [
    "alexnet", "squeezenet1_1", "resnet18", "resnext50_32x4d", "densenet121", "googlenet", "inception_v3",
    "mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5", "mnasnet0_5", "efficientnet_b0",
    "efficientnet_v2_s", "regnet_x_400mf", "regnet_y_400mf", "convnext_tiny", "vit_b_32", "swin_t", "swin_v2_t",
    "maxvit_t", "lraspp_mobilenet_v3_large", "fcn_resnet50", "deeplabv3_mobilenet_v3_large", "r3d_18",
]
TIMM = [
    "resnet10t", "mixer_s32_224", "deit_tiny_patch16_224", "levit_128s", "convnextv2_atto", "ghostnet_050",
    "efficientvit_b0", "edgenext_xx_small", "nfnet_l0", "rexnet_100", "coat_lite_tiny", "convit_tiny",
    "xcit_nano_12_p16_224", "poolformer_s12", "fastvit_t8", "tf_efficientnet_b0", "dla34", "crossvit_tiny_240",
    "mobilevit_xxs", "mobilenetv4_conv_small", "eva02_tiny_patch14_224",
]


class OutputOnly(torch.nn.Module):
    """The `out` entry of a segmentation network."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x)["out"]


def make_model(network):
    library, name = network.split(":")
    if library == "timm":
        import timm
        return timm.create_model(name, pretrained=False, num_classes=CLASSES)
    options = {"weights": None, "num_classes": CLASSES}
    if name in torchvision.models.list_models(module=torchvision.models.segmentation):
        return OutputOnly(torchvision.models.get_model(name, weights_backbone=None, **options))
    if name in ("googlenet", "inception_v3"):
        options.update(aux_logits=False, init_weights=True)
    return torchvision.models.get_model(name, **options)


def input_shape(network, model):
    """The smallest usual input; what timm says for networks that take no other."""
    if network.startswith("timm:") and model.pretrained_cfg.get("fixed_input_size"):
        return model.pretrained_cfg["input_size"]
    return SHAPES.get(network.split(":")[1], SHAPE)


def calibrate(model, shape):
    """Batch norms get the statistics of noise, scales and shifts get spread; deterministic."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.dim() <= 1:
            with torch.no_grad():
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(8, *shape))
    model.eval()


def direction_of(model):
    generator = torch.Generator().manual_seed(2)
    direction = {}
    for name, parameter in model.named_parameters():
        if parameter.dim() <= 1:
            direction[name] = torch.zeros_like(parameter)
            continue
        noise = torch.randn(parameter.shape, generator=generator).flatten(1)
        lengths = parameter.detach().flatten(1).norm(dim=1, keepdim=True)
        direction[name] = (noise / (noise.norm(dim=1, keepdim=True) + 1e-10) * lengths).reshape(parameter.shape)
    return direction


def loss_of(logits, target):
    return torch.nn.functional.cross_entropy(logits.double(), target).item()


def write_reference(model, shape, path):
    torch.manual_seed(3)
    x = torch.randn(SAMPLES, *shape)
    origin = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    direction = direction_of(model)
    with torch.no_grad():
        logits = model(x)
        target = torch.randint(CLASSES, (SAMPLES, *logits.shape[2:]))
        moved = []
        for alpha in ALPHAS:
            for name, parameter in model.named_parameters():
                parameter.copy_(origin[name] + alpha * direction[name])
            moved.append(model(x))
        for name, parameter in model.named_parameters():
            parameter.copy_(origin[name])
    np.savez(path, x=x.numpy(), y=target.numpy(), class_axis=np.int64(1), logits=logits.numpy(),
             loss=np.float64(loss_of(logits, target)), alphas=np.array(ALPHAS), logits_alpha=torch.stack(moved).numpy(),
             loss_alpha=np.array([loss_of(values, target) for values in moved]),
             **{"dir/" + name: values.detach().numpy() for name, values in direction.items()})
    return direction


def export(model, shape, exporter, path):
    x = torch.randn(2, *shape)
    options = {"input_names": ["x"], "output_names": ["logits"], "opset_version": OPSETS[exporter], "verbose": False}
    if exporter in ("raw", "default"):
        torch.onnx.export(model, (x,), path, dynamo=True, optimize=exporter == "default", external_data=False,
                          dynamic_shapes=({0: torch.export.Dim("batch")},), **options)
        return
    training = torch.onnx.TrainingMode.PRESERVE if exporter == "legacy_train" else torch.onnx.TrainingMode.EVAL
    torch.onnx.export(model, (x,), path, dynamo=False, training=training, dynamic_axes={"x": {0: "batch"}}, **options)


def is_lost(path, direction):
    """Whether the file lacks a moving parameter under its name and in its shape, or holds it with other values."""
    stored = {tensor.name: list(tensor.dims) for tensor in onnx.load(path, load_external_data=False).graph.initializer}
    return any(values.any() and stored.get(name) != list(values.shape) for name, values in direction.items())


def compare(network, test_zoo, exporters):
    """Returns the number of exports that failed to agree."""
    name = network.split(":")[1]
    torch.manual_seed(0)
    model = make_model(network)
    shape = input_shape(network, model)
    calibrate(model, shape)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        direction = write_reference(model, shape, folder / "reference.npz")
        rows = []
        for exporter in exporters:
            file = f"{name}-{exporter}.onnx"
            if file in INVALID:
                print(f"{file}: left out: {INVALID[file]}", flush=True)
                continue
            try:
                export(model, shape, exporter, str(folder / file))
            except Exception as error:  # the exporter's own limits are not lossmap's
                print(f"{file}: PyTorch cannot export it: {str(error).splitlines()[0][:120]}", flush=True)
                continue
            # Folded batch norms keep names and shapes, so those exporters are taken at the origin only.
            lost = exporter in ("default", "legacy") or is_lost(folder / file, direction)
            row = {"file": file, "reference": "reference.npz", "direction": "reference.npz",
                   "lost_parameters": ["?"] * lost}
            if not lost:
                row["trained_elements"] = sum(parameter.numel() for parameter in model.parameters())
            rows.append(row)
        (folder / "index.json").write_text(json.dumps({"models": rows}))
        process = subprocess.run([test_zoo, "--gtest_filter=*ZooAgreementTest*", "--gtest_brief=1"], text=True,
                                 check=False, capture_output=True,
                                 env={**os.environ, "LOSSMAP_ZOO_DIR": str(folder)})
    print(process.stdout, process.stderr, sep="", flush=True)
    return process.returncode


def default_networks():
    networks = [f"torchvision:{name}" for name in TORCHVISION]
    try:
        import timm  # noqa: F401
    except ImportError:
        print("timm is missing: only torchvision's networks")
        return networks
    return networks + [f"timm:{name}" for name in TIMM]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("test_zoo")
    parser.add_argument("networks", nargs="*", default=default_networks())
    parser.add_argument("--exporters", default=",".join(OPSETS))
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    failed = [network for network in arguments.networks
              if compare(network, arguments.test_zoo, arguments.exporters.split(",")) != 0]
    print(f"{len(arguments.networks) - len(failed)} of {len(arguments.networks)} networks agree; not: {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
