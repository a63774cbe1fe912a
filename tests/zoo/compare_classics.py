"""Exports networks of torchvision, timm and written_networks.py and compares lossmap with PyTorch on them.

Each network gets random weights, batch norms calibrated on noise, and a filter-normalised direction; it is exported
four ways. test_zoo compares losses and logits, where an exporter renamed or changed weights at the origin only;
`lossmap inspect` must find the parameters of the module. Files are removed again.

Usage: compare_classics.py PROGRAMS [NETWORK ..]
NETWORK: written:llama, torchvision:resnet18, timm:resnet10t, ..; without any a wide choice.
Exit status 77 where torch or torchvision is missing.
"""

import argparse
import contextlib
import io
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
    import written_networks
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
# Files that ONNX Runtime refuses, or computes otherwise than PyTorch, too.
INVALID = {"r3d_18-raw.onnx": "torch.export's convolution in three dimensions without bias gets one of shape [64, 2]",
           "graph-legacy_train.onnx": "the legacy exporter's index_add forgets all but the last of equal indices",
           "graph-legacy.onnx": "the same"}
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


def make_model(library, name):
    if library == "timm":
        import timm
        return timm.create_model(name, pretrained=False, num_classes=CLASSES)
    options = {"weights": None, "num_classes": CLASSES}
    if name in torchvision.models.list_models(module=torchvision.models.segmentation):
        return OutputOnly(torchvision.models.get_model(name, weights_backbone=None, **options))
    if name in ("googlenet", "inception_v3"):
        options.update(aux_logits=False, init_weights=True)
    return torchvision.models.get_model(name, **options)


def input_shape(library, name, model):
    """The smallest usual input; what timm says for networks that take no other."""
    if library == "timm" and model.pretrained_cfg.get("fixed_input_size"):
        return model.pretrained_cfg["input_size"]
    return SHAPES.get(name, SHAPE)


def make(network):
    """(network, example inputs of SAMPLES samples); deterministic."""
    library, name = network.split(":")
    if library == "written":
        return written_networks.make(name)
    torch.manual_seed(0)
    model = make_model(library, name)
    torch.manual_seed(3)
    return model, (torch.randn(SAMPLES, *input_shape(library, name, model)),)


def calibrate(model, inputs):
    """Batch norms get the statistics of noise, scales and shifts get spread; deterministic."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.dim() <= 1:
            with torch.no_grad():
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(*(torch.randn_like(x) if x.is_floating_point() else x for x in inputs))
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


def write_reference(model, inputs, path):
    origin = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    direction = direction_of(model)
    torch.manual_seed(3)
    with torch.no_grad():
        logits = model(*inputs)
        target = torch.randint(CLASSES, (len(logits), *logits.shape[2:]))
        moved = []
        for alpha in ALPHAS:
            for name, parameter in model.named_parameters():
                parameter.copy_(origin[name] + alpha * direction[name])
            moved.append(model(*inputs))
        for name, parameter in model.named_parameters():
            parameter.copy_(origin[name])
    np.savez(path, y=target.numpy(), class_axis=np.int64(1), logits=logits.numpy(),
             loss=np.float64(loss_of(logits, target)), alphas=np.array(ALPHAS), logits_alpha=torch.stack(moved).numpy(),
             loss_alpha=np.array([loss_of(values, target) for values in moved]),
             **{name: x.numpy() for name, x in zip(input_names(inputs), inputs)},
             **{"dir/" + name: values.detach().numpy() for name, values in direction.items()})
    return direction


def input_names(inputs):
    return ["x" + (str(k) if k else "") for k in range(len(inputs))]


def export(model, inputs, exporter, path):
    names = input_names(inputs)
    options = {"input_names": names, "output_names": ["logits"], "opset_version": OPSETS[exporter], "verbose": False}
    if exporter in ("raw", "default"):
        torch.onnx.export(model, inputs, path, dynamo=True, optimize=exporter == "default", external_data=False,
                          dynamic_shapes=tuple({0: torch.export.Dim("batch")} for _ in inputs), **options)
        return
    training = torch.onnx.TrainingMode.PRESERVE if exporter == "legacy_train" else torch.onnx.TrainingMode.EVAL
    torch.onnx.export(model, inputs, path, dynamo=False, training=training,
                      dynamic_axes={name: {0: "batch"} for name in names}, **options)


def folds(model, exporter):
    """Whether this exporter merges batch norms into their convolutions."""
    has_norms = any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in model.modules())
    return exporter in ("default", "legacy") and has_norms


def inspect(path, lossmap):
    process = subprocess.run([lossmap, "inspect", "--json", str(path)], capture_output=True, text=True, check=True)
    return json.loads(process.stdout)


def parameter_problems(model, exporter, found):
    """What `lossmap inspect` says of the file against named_parameters(): number of values, names, filters."""
    problems = list(found["unsupported"])
    if folds(model, exporter):
        return problems
    expected = dict(model.named_parameters())
    count = sum(parameter.numel() for parameter in expected.values())
    # Optimisers compute with parameters and store equal ones once; then a warning must say so.
    if found["parameter_count"] != count and (exporter == "raw" or not found["warnings"]):
        problems.append(f"{found['parameter_count']} values are parameters, PyTorch has {count}; {found['warnings']}")
        names = {parameter["name"] for parameter in found["parameters"]}
        problems.append(f"missing {sorted(set(expected) - names)[:5]}, new {sorted(names - set(expected))[:5]}")
    for parameter in found["parameters"]:
        name, stored = parameter["name"], expected.get(parameter["name"])
        if stored is None:
            continue
        filters = stored.shape[getattr(stored, "output_axis", 0)] if stored.dim() > 1 else parameter["filters"]
        if parameter["one_dimensional"] != (stored.dim() <= 1) or parameter["filters"] != filters:
            problems.append(f"{name} {list(stored.shape)}: {parameter['role']} with {parameter['filters']} filters, "
                            f"one-dimensional {parameter['one_dimensional']}")
    return problems


def is_lost(path, direction):
    """Whether the file lacks a moving parameter under its name and in its shape, or holds it with other values."""
    stored = {tensor.name: list(tensor.dims) for tensor in onnx.load(path, load_external_data=False).graph.initializer}
    return any(values.any() and stored.get(name) != list(values.shape) for name, values in direction.items())


def compare(network, programs, exporters):
    """Returns the number of exports that failed to agree."""
    name = network.split(":")[1]
    model, inputs = make(network)
    calibrate(model, inputs)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        direction = write_reference(model, inputs, folder / "reference.npz")
        rows = []
        for exporter in exporters:
            file = f"{name}-{exporter}.onnx"
            if file in INVALID:
                print(f"{file}: left out: {INVALID[file]}", flush=True)
                continue
            try:
                with contextlib.redirect_stdout(io.StringIO()):  # the exporters print whole graphs
                    export(model, inputs, exporter, str(folder / file))
            except Exception as error:  # the exporter's own limits are not lossmap's
                print(f"{file}: PyTorch cannot export it: {(str(error).splitlines() or [''])[0][:120]}", flush=True)
                continue
            found = inspect(folder / file, programs / "lossmap")
            for problem in parameter_problems(model, exporter, found):
                failed += 1
                print(f"{file}: parameters: {problem}", flush=True)
            # Folded batch norms keep names and shapes, lost ties show in the number of values alone: the origin only.
            whole = found["parameter_count"] == sum(parameter.numel() for parameter in model.parameters())
            lost = folds(model, exporter) or not whole or is_lost(folder / file, direction)
            rows.append({"file": file, "reference": "reference.npz", "direction": "reference.npz",
                         "lost_parameters": ["?"] * lost})
        (folder / "index.json").write_text(json.dumps({"models": rows}))
        process = subprocess.run([programs / "test_zoo", "--gtest_filter=*ZooAgreementTest*", "--gtest_brief=1"],
                                 text=True, check=False, capture_output=True,
                                 env={**os.environ, "LOSSMAP_ZOO_DIR": str(folder)})
    print(process.stdout, process.stderr, sep="", flush=True)
    return failed + process.returncode


def default_networks():
    networks = [f"written:{name}" for name in written_networks.NETWORKS]
    networks += [f"torchvision:{name}" for name in TORCHVISION]
    try:
        import timm  # noqa: F401
    except ImportError:
        print("timm is missing: none of its networks")
        return networks
    return networks + [f"timm:{name}" for name in TIMM]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", type=Path, help="folder with lossmap and test_zoo")
    parser.add_argument("networks", nargs="*", default=default_networks())
    parser.add_argument("--exporters", default=",".join(OPSETS))
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    failed = [network for network in arguments.networks
              if compare(network, arguments.programs, arguments.exporters.split(",")) != 0]
    print(f"{len(arguments.networks) - len(failed)} of {len(arguments.networks)} networks agree; not: {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
