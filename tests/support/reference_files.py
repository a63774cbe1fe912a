"""Where the reference files are, and a run of the lossmap program: shared by the Python tests."""

import json
import lzma
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LOSSMAP_BINARY", str(ROOT / "build" / "default" / "bin" / "lossmap"))
REFERENCE = Path(os.environ.get("LOSSMAP_REFERENCE_DIR", ROOT.parent / "shared"))
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
CIFAR = {"mean": [125.3 / 255, 123.0 / 255, 113.9 / 255], "std": [63.0 / 255, 62.1 / 255, 66.7 / 255]}


def why_absent():
    """A sentence when the reference folder cannot be used, else an empty string."""
    if not (REFERENCE / "reference").is_dir():
        return f"no reference folder at {REFERENCE}; set LOSSMAP_REFERENCE_DIR"
    return ""


def unpack_cifar(name, folder):
    """Unpacks cifar10/NAME.xz into `folder` once; returns the path."""
    target = Path(folder) / name
    if not target.exists():
        target.write_bytes(lzma.decompress((REFERENCE / "data" / "cifar10" / f"{name}.xz").read_bytes()))
    return target


def run_lossmap(*arguments, expect=0, cwd=None, timeout=600):
    """Runs lossmap; returns the finished process. Raises AssertionError on another exit status."""
    process = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=timeout,
                             check=False)
    if process.returncode != expect:
        raise AssertionError(f"lossmap {' '.join(map(str, arguments))}: exit status {process.returncode}, expected "
                             f"{expect}\n{process.stdout}\n{process.stderr}")
    return process


def run_config(config, folder, name, *arguments):
    """Writes `config` to folder/name.json, runs it into folder/name and returns that path."""
    file, out = Path(folder) / f"{name}.json", Path(folder) / name
    file.write_text(json.dumps({"name": name, **config}))
    run_lossmap("run", file, "--out", out, "--progress", "none", *arguments)
    return out
