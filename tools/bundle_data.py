#!/usr/bin/env python3
"""Puts what PyTorch computed into the bundle for a GPU machine (tools/make_bundle), within a limit.

    tools/bundle_data.py --reference FOLDER [--images N] OUT     a plane of ResNet-56: network, directions, images (1,000, which
                                                    PyTorch's losses are of, or more), losses, configurations: of PyTorch's
                                                    plane, of the same over more images, and over 50,000 of noise, to be timed
    tools/bundle_data.py --zoo FOLDER [--zoo-megabytes N] OUT     the smallest networks of the zoo, as many as fit
    tools/bundle_data.py --trajectories FOLDER OUT  checkpoints of two training runs and scikit-learn's components of them
    tools/bundle_data.py --quickstart CONFIGS OUT   what ./quickstart runs: configurations, demo networks, their first images

Needs h5py and numpy for --reference. Nothing that is written needs them.
"""

import argparse
import gzip
import json
import lzma
import math
import shutil
import struct
import sys
from pathlib import Path

RECORD_BYTES, RECORDS = 3073, 1000
CIFAR = {"mean": [125.3 / 255, 123.0 / 255, 113.9 / 255], "std": [63.0 / 255, 62.1 / 255, 66.7 / 255]}


def write_reference(folder, images, out):
    import h5py
    out.mkdir(parents=True)
    shutil.copy(folder / "models" / "gold_resnet56.onnx", out)
    shutil.copy(folder / "reference" / "gold_resnet56_direction.h5", out)
    packed = folder / "data" / "cifar10" / "data_batch_1.bin.xz"
    with lzma.open(packed) as file:
        content = file.read(RECORD_BYTES * images)
    if len(content) < RECORD_BYTES * images:
        sys.exit(f"bundle_data: {packed} has {len(content) // RECORD_BYTES} images, not {images}")
    (out / "images.bin").write_bytes(content)
    with h5py.File(folder / "reference" / "gold_resnet56_surface.h5") as file:
        x, y = file["xcoordinates"][()].tolist(), file["ycoordinates"][()].tolist()
        loss, accuracy = file["train_loss"][()], file["train_acc"][()]
    rows = [{"x": x[column], "y": y[row], "train_loss": float(loss[row, column]),
             "train_accuracy": float(accuracy[row, column])} for row in range(len(y)) for column in range(len(x))]
    (out / "expected.json").write_text(json.dumps(rows))
    config = {"name": "pytorch", "experiment": "surface", "model": "gold_resnet56.onnx",
              "data": {"format": "cifar10", "train": ["images.bin"], "normalize": CIFAR,
                       "subset": {"train": {"start": 0, "count": RECORDS}}}, "splits": ["train"],
              "loss": "cross_entropy", "directions": {"kind": "file", "path": "gold_resnet56_direction.h5"},
              "x": {"min": x[0], "max": x[-1], "points": len(x)}, "y": {"min": y[0], "max": y[-1], "points": len(y)}}
    (out / "pytorch.json").write_text(json.dumps(config, indent=1) + "\n")
    if images > RECORDS:
        more = config["data"] | {"subset": {"train": {"start": 0, "count": images}}}
        (out / "images.json").write_text(json.dumps(config | {"name": "images", "data": more}, indent=1) + "\n")
    # As many images as the training set has; noise takes the same time and does not have to travel.
    config |= {"name": "headline", "data": {"format": "synthetic", "count": 50000, "seed": 1, "chunk": 50000}}
    (out / "headline.json").write_text(json.dumps(config, indent=1) + "\n")


def write_zoo(folder, limit_bytes, out):
    """Takes networks in the order of their size, so that as many kinds as possible are there."""
    out.mkdir(parents=True)
    index = json.loads((folder / "index.json").read_text())

    def files_of(model):
        data = folder / (Path(model["file"]).name + ".data")
        external = [data] if data.exists() else sorted(folder.glob(Path(model["file"]).stem + "*.data"))
        return {folder / model[key] for key in ("file", "reference", "direction")} | set(external)

    taken, files, used = [], set(), 0
    for model in sorted(index["models"], key=lambda row: sum(file.stat().st_size for file in files_of(row))):
        new = files_of(model) - files
        size = sum(file.stat().st_size for file in new)
        if used + size > limit_bytes:
            continue
        taken.append(model)
        files |= new
        used += size
    for file in files:
        shutil.copy(file, out)
    index["models"] = taken
    (out / "index.json").write_text(json.dumps(index))
    print(f"bundle_data: {len(taken)} networks of the zoo, {used / 1e6:.1f} MB", file=sys.stderr)


def write_trajectories(folder, out):
    """As the tests look for it: models/small and reference below one folder."""
    (out / "reference").mkdir(parents=True)
    for file in sorted((folder / "reference").glob("small_*_pca.h5")):
        shutil.copy(file, out / "reference")
    shutil.copytree(folder / "models" / "small", out / "models" / "small")


def write_first_records(source, count, target):
    """The first records of a gzipped IDX file (magic, extents, bytes; the magic's last byte is the number of extents)."""
    with gzip.open(source) as file:
        magic = file.read(4)
        extents = struct.unpack(f">{magic[3]}I", file.read(4 * magic[3]))
        count = min(count, extents[0])
        content = file.read(count * math.prod(extents[1:]))
    target.write_bytes(gzip.compress(magic + struct.pack(f">{magic[3]}I", count, *extents[1:]) + content, mtime=0))


def write_quickstart(configs, out):
    """The configurations that ./quickstart runs, with data beside them: as many images as they take."""
    out.mkdir(parents=True)
    for name in ("quickstart", "quickstart-path"):
        config = json.loads((configs / f"{name}.json").read_text())
        del config["$schema"]
        count = config["data"]["subset"]["train"]["count"]
        for kind, files in config["data"]["train"].items():
            if not Path(files[0]).is_file():
                sys.exit(f"bundle_data: {files[0]}, which configs/{name}.json reads, is not there (./setup installs it)")
            target = out / f"{name}-{kind}.gz"
            write_first_records(files[0], count, target)
            config["data"]["train"][kind] = [target.name]
        for model in configs.glob(config.get("checkpoints") or config["model"]):
            target = out / model.relative_to(configs)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(model, target)
        (out / f"{name}.json").write_text(json.dumps(config, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_mutually_exclusive_group(required=True)
    for name in ("reference", "zoo", "trajectories", "quickstart"):
        kinds.add_argument(f"--{name}", type=Path)
    parser.add_argument("--images", type=int, default=RECORDS)
    parser.add_argument("--zoo-megabytes", type=float, default=6)
    parser.add_argument("out", type=Path, help="a folder that does not exist")
    arguments = parser.parse_args()
    if arguments.images < RECORDS:
        parser.error(f"PyTorch's losses are of {RECORDS} images")
    if arguments.out.exists():
        shutil.rmtree(arguments.out)
    if arguments.reference:
        write_reference(arguments.reference, arguments.images, arguments.out)
    elif arguments.zoo:
        write_zoo(arguments.zoo, arguments.zoo_megabytes * 1e6, arguments.out)
    elif arguments.trajectories:
        write_trajectories(arguments.trajectories, arguments.out)
    else:
        write_quickstart(arguments.quickstart, arguments.out)


if __name__ == "__main__":
    main()
