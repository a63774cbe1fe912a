"""Who may include whom: reads the layers from CMake and the includes from the sources.

A layer is one lossmap_layer() call; its LAYERS are what it may include, with everything that those may include. The
architecture's own list (ARROWS) bounds what CMake may declare, so that an arrow is not added in passing.
"""

import re
from pathlib import Path

# The architecture's arrows: layer -> layers it may declare. Whatever those may include follows.
ARROWS = {
    "core": set(),
    "graph": {"core"},
    "io": {"core"},
    "params": {"core", "graph", "io"},
    "data": {"core", "graph", "io"},
    "plan": {"core", "graph", "params"},
    "backend": {"core", "graph", "params", "data", "plan"},
    "onnx_import": {"core", "graph", "io", "params"},
    "cpu": {"backend"},
    "cuda_runtime": {"core"},
    "kernels": {"core"},
    "kernels_cuda": {"kernels", "cuda_runtime"},
    "cuda_backend": {"backend", "kernels"},
    "cuda_device": {"cuda_backend", "cuda_runtime", "kernels_cuda"},
    "landscape": {"core", "io", "params", "data", "backend"},
    "dist": {"backend"},
    "output": {"landscape"},
    "cli": {"core", "graph", "io", "params", "data", "plan", "backend", "onnx_import", "cpu", "cuda_runtime",
            "cuda_backend", "cuda_device", "landscape", "dist", "output"},
}

# A vendor's headers stay inside the layers that are there to hide them: prefix of the include -> layers.
VENDORS = {
    "dnnl": {"cpu"}, "oneapi/dnnl": {"cpu"}, "omp.h": {"cpu"},
    "lapacke": {"cpu"}, "cblas": {"cpu"},
    "hdf5": {"io"}, "zlib": {"io"}, "xxhash": {"io"}, "sqlite3": {"io"},
    "onnx/": {"onnx_import"}, "google/protobuf": {"onnx_import"},
    "cuda": {"cuda_runtime", "kernels_cuda", "cuda_device"}, "cudnn": {"cuda_device"},
    "cublas": {"cuda_device"}, "cusolver": {"cuda_device"}, "nccl": {"cuda_device"},
    "CLI/": {"cli"}, "openssl/": {"output"},
}

# Heavy or vendor headers that no public header may pull into its users.
PRIVATE_TO_SOURCES = ("dnnl", "nlohmann/json.hpp", "hdf5", "sqlite3", "onnx/", "google/protobuf", "CLI/", "zlib", "lapacke")

FOLDERS = {"onnx_import": "onnx_import", "kernels": "kernels", "kernels/cuda": "kernels_cuda",
           "cuda/runtime": "cuda_runtime", "cuda/backend": "cuda_backend", "cuda/device": "cuda_device"}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
LAYER_CALL = re.compile(r"lossmap_layer\s*\(([^)]*)\)", re.DOTALL)
KEYWORDS = {"NAME", "HEADERS", "SOURCES", "LAYERS", "PRIVATE_LIBS", "PUBLIC_LIBS"}


def declared_layers(root):
    """Layer -> set of LAYERS, from every CMakeLists.txt under `root`."""
    result = {}
    for file in sorted(Path(root).rglob("CMakeLists.txt")):
        if "build" in file.relative_to(root).parts:
            continue
        for call in LAYER_CALL.findall(re.sub(r"#.*", "", file.read_text())):
            groups, keyword = {}, None
            for word in call.split():
                if word in KEYWORDS:
                    keyword = word
                    groups.setdefault(keyword, [])
                elif keyword:
                    groups[keyword].append(word)
            result[groups["NAME"][0]] = set(groups.get("LAYERS", []))
    return result


def closure(layers):
    """Layer -> everything it may include, itself not counted."""
    def reach(name, seen):
        for other in layers.get(name, ()):
            if other not in seen:
                seen.add(other)
                reach(other, seen)
        return seen
    return {name: reach(name, set()) for name in layers}


def layer_of(relative):
    """Layer that a source (path relative to the root) belongs to, None outside the layers."""
    parts = Path(relative).parts
    if parts[0] == "engine" and len(parts) > 2:
        return parts[1]
    return FOLDERS.get("/".join(parts[:2]), FOLDERS.get(parts[0]))


def layer_of_include(name):
    """Layer that an include names ("graph/graph.hpp", "onnx_import/importer.hpp"), None for everything else."""
    parts = name.split("/")
    if "/".join(parts[:2]) in FOLDERS:
        return FOLDERS["/".join(parts[:2])]
    if parts[0] in FOLDERS:
        return FOLDERS[parts[0]]
    return parts[0] if len(parts) > 1 and parts[0] in ARROWS else None


def violations(root):
    """Sentences, one a broken rule."""
    root = Path(root)
    layers = declared_layers(root)
    found = [f"CMake: layer {name} declares {other}, which the architecture does not allow"
             for name, others in sorted(layers.items()) for other in sorted(others - ARROWS.get(name, set()))]
    found += [f"CMake: layer {name} is not in the architecture" for name in sorted(set(layers) - set(ARROWS))]
    allowed = closure(layers)
    for folder in ("engine", "onnx_import", "kernels", "cuda"):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in (".cpp", ".hpp", ".cu", ".cuh"):
                found += file_violations(file.relative_to(root), file.read_text(), allowed)
    return found


def file_violations(relative, text, allowed):
    """Broken rules of one source."""
    layer = layer_of(relative)
    found = []
    for quote, name in INCLUDE.findall(text):
        target = layer_of_include(name) if quote == '"' else None
        if target and target != layer and target not in allowed.get(layer, set()):
            found.append(f"{relative}: layer {layer} must not include {name} (layer {target})")
        for prefix, owners in VENDORS.items():
            if quote == "<" and name.startswith(prefix) and layer not in owners:
                found.append(f"{relative}: {name} belongs to {', '.join(sorted(owners))} alone")
        if Path(relative).suffix == ".hpp" and name.startswith(PRIVATE_TO_SOURCES) and not is_internal(relative):
            found.append(f"{relative}: a public header must not pull in {name}")
    return found


def is_internal(relative):
    """Whether a header is an implementation detail: not listed under HEADERS of its layer."""
    root = Path(__file__).resolve().parents[2]
    layer_file = root / Path(relative).parent / "CMakeLists.txt"
    return not (layer_file.exists() and Path(relative).name in layer_file.read_text().split("SOURCES")[0])
