"""Writes expected_parameters.json: what PyTorch's modules say about the parameters of every file of the model zoo.

Names, shapes and module classes are PyTorch's (the reference archives, and the modules that torch.export noted at the
nodes); where an exporter put a parameter is told by the zoo's index.json. Nothing here comes from lossmap.

Usage: write_expected_parameters.py ZOO_FOLDER > expected_parameters.json
"""

import ast
import json
import sys
from pathlib import Path

import numpy as np
import onnx

WEIGHTED = {"Conv1d", "Conv2d", "ConvTranspose2d", "Linear", "ParametrizedLinear", "NonDynamicallyQuantizableLinear",
            "Embedding", "GRU", "LSTM", "MultiheadAttention"}
NORMS = {"BatchNorm1d", "BatchNorm2d", "GroupNorm", "InstanceNorm2d", "LayerNorm", "LayerNorm2d", "RMSNorm"}
# Tensors that are no module's weight or bias, by their last name.
BARE = {
    "mix": "filter_weight",      # second operand of an einsum
    "centres": "filter_weight",  # normalised rows that features are multiplied with
    "original0": "other",        # the lengths of weight normalisation
    "original1": "filter_weight",  # its directions
    "gamma": "other",            # layer scale
    "cls_token": "other",
    "pos_embed": "other",
    "pos": "other",
}
# Modules that run inside a fused call, so that no node of their own tells their class.
INNER = {"self_attn": "MultiheadAttention", "self_attn.out_proj": "NonDynamicallyQuantizableLinear"}


def module_classes(model):
    """Class of each module by its path."""
    classes = {}
    for node in model.graph.node:
        notes = {entry.key: entry.value for entry in node.metadata_props}
        if "pkg.torch.onnx.name_scopes" not in notes:
            continue
        paths = ast.literal_eval(notes["pkg.torch.onnx.name_scopes"])[:-1]
        names = ast.literal_eval(notes["pkg.torch.onnx.class_hierarchy"])[:-1]
        classes.update((path, name.rsplit(".", 1)[-1]) for path, name in zip(paths, names))
    return classes


def class_of(module, classes):
    if module in classes:
        return classes[module]
    for suffix, name in INNER.items():
        if module == suffix or module.endswith("." + suffix):
            return name
    raise ValueError(f"no class is known for module '{module}'")


def role_of(name, classes):
    module, _, last = name.rpartition(".")
    if last in BARE:
        return BARE[last]
    owner = class_of(module, classes)
    if owner in NORMS:
        return {"weight": "norm_scale", "bias": "norm_shift"}[last]
    if owner == "PReLU":
        return "other"
    if owner not in WEIGHTED:
        raise ValueError(f"no role is known for '{name}' of a {owner}")
    return "bias" if "bias" in last else "filter_weight"


def row(name, role, shape, torch_shape, axis=0, filters=None):
    """[name, role, shape], and for what PyTorch holds with two dimensions or more the filters' axis and number."""
    result = [name, role, list(shape)]
    return result if len(torch_shape) < 2 else [*result, axis, filters or torch_shape[0]]


def batch_norms(shapes, classes):
    return [name.rpartition(".")[0] for name in shapes
            if name.endswith(".weight") and classes.get(name.rpartition(".")[0], "").startswith("BatchNorm")]


def network_table(shapes, classes):
    weights = [row(name, role_of(name, classes), shape, shape) for name, shape in shapes.items()]
    states = []
    for module in batch_norms(shapes, classes):
        for last, role in (("running_mean", "running_mean"), ("running_var", "running_variance")):
            states.append([f"{module}.{last}", role, shapes[f"{module}.weight"]])
    return {"weights": weights, "states": states}


def changes(entry, shapes, classes, stored):
    """What a file holds otherwise: torch names that are gone from it, and the initializers there are instead."""
    gone, instead = [], {}
    for name, ways in entry["parameters_moved"].items():
        gone.append(name)
        module = name.rpartition(".")[0]
        if name.endswith(".weight") and classes.get(module, "").startswith("BatchNorm"):
            gone += [f"{module}.running_mean", f"{module}.running_var"]
        for way in ways:
            if way["initializer"] is not None:
                instead.setdefault(way["initializer"], []).append((name, way["how"]))
    rows = []
    for initializer, sources in instead.items():
        name, how = sources[0]
        shape = stored[initializer]
        # Gates are packed as [directions, gates, ..]: one filter a direction and gate.
        packed = how.startswith(("packed", "permuted")) and len(shape) == 3
        axis = 1 if packed or how == "transposed" else 0
        filters = sum(shapes[source][0] for source, _ in sources)
        rows.append(row(initializer, role_of(name, classes), shape, shapes[name], axis, filters))
    return gone, rows


def main():
    folder = Path(sys.argv[1])
    entries = json.loads((folder / "index.json").read_text())["models"]
    models = {entry["file"]: onnx.load(folder / entry["file"], load_external_data=False) for entry in entries}
    classes, networks, files = {}, {}, {}
    for entry in entries:
        classes.setdefault(entry["reference"], {}).update(module_classes(models[entry["file"]]))
    for entry in entries:
        reference = entry["reference"]
        archive = np.load(folder / reference)
        shapes = {key[4:]: list(archive[key].shape) for key in archive.files if key.startswith("dir/")}
        network = Path(reference).stem
        networks.setdefault(network, network_table(shapes, classes[reference]))
        stored = {tensor.name: list(tensor.dims) for tensor in models[entry["file"]].graph.initializer}
        gone, instead = changes(entry, shapes, classes[reference], stored)
        files[entry["file"]] = {"network": network, "gone": gone, "instead": instead}
    write(networks, files)


def write(networks, files):
    """JSON with one parameter a line."""
    def lines(rows):
        return "[" + ",".join("\n  " + json.dumps(item) for item in rows) + "]"

    print('{"networks": {')
    print(",\n".join(f'"{name}": {{"weights": {lines(table["weights"])},\n "states": {lines(table["states"])}}}'
                     for name, table in networks.items()))
    print('},\n"files": {')
    print(",\n".join(f'"{name}": {{"network": "{file["network"]}", "gone": {json.dumps(file["gone"])},\n'
                     f' "instead": {lines(file["instead"])}}}' for name, file in files.items()))
    print("}}")


if __name__ == "__main__":
    main()
