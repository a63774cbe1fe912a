#!/usr/bin/env python3
"""Packs a folder of images, one sub-folder a class, into arrays that lossmap maps into memory.

    pack_images.py photos packed --size 224 --resize 256

reads photos/<class>/*.{png,jpg,..} and writes packed/x.npy (uint8, [images, channels, height, width]), packed/y.npy
(int64, the class's number) and packed/classes.json (the names, by number). Classes and images are taken in the order of
their names, as torchvision's ImageFolder takes them; resizing and cropping are those of torchvision's Resize and CenterCrop. In
lossmap's configuration:

    "data": {"format": "npy", "test": {"x": "packed/x.npy", "y": "packed/y.npy"},
             "normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}

The images are written one by one: they may be larger than memory together. Needs numpy and Pillow.
"""
import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    from PIL import Image
except ImportError as error:
    if __name__ != "__main__" or not {"-h", "--help"} & set(sys.argv[1:]):
        if __name__ != "__main__":
            raise
        print(f"pack_images.py: needs numpy and Pillow ({error})", file=sys.stderr)
        sys.exit(2)

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


class PackError(RuntimeError):
    """What the user handed in cannot be packed."""


def find_images(folder):
    """Names of the classes, and (file, class number) of every image, both in order."""
    if not folder.is_dir():
        raise PackError(f"{folder}: no such folder")
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    if not classes:
        raise PackError(f"{folder}: has no sub-folders, expected one a class")
    images = []
    for number, name in enumerate(classes):
        files = sorted(file for file in (folder / name).rglob("*") if file.is_file() and file.suffix.lower() in SUFFIXES)
        if not files:
            raise PackError(f"{folder / name}: has no images ({', '.join(sorted(SUFFIXES))})")
        images += [(file, number) for file in files]
    return classes, images


def fit(image, size, resize):
    """Shorter side to `resize` pixels, then the centre of size x size."""
    width, height = image.size
    short, long = min(width, height), max(width, height)
    longer = int(resize * long / short)
    image = image.resize((resize, longer) if width <= height else (longer, resize), Image.BILINEAR)
    left, top = (round((extent - size) / 2) for extent in image.size)
    return image.crop((left, top, left + size, top + size))


def read_image(file, mode, size, resize):
    """One image as uint8 [channels, height, width]."""
    try:
        with Image.open(file) as opened:
            image = opened.convert(mode)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PackError(f"{file}: cannot be read as an image: {error}") from error
    if size is not None:
        image = fit(image, size, resize)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def write_images(path, images, mode, size, resize):
    """Writes x.npy; returns its shape."""
    first = read_image(images[0][0], mode, size, resize)
    shape = (len(images), *first.shape)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    for index, (file, _) in enumerate(images):
        pixels = read_image(file, mode, size, resize)
        if pixels.shape != first.shape:
            raise PackError(f"{file}: is {pixels.shape[2]} x {pixels.shape[1]} pixels, expected {first.shape[2]} x "
                            f"{first.shape[1]} as {images[0][0]}; use --size")
        array[index] = pixels
    array.flush()
    return shape


def pack(folder, out, mode="RGB", size=None, resize=None):
    """Packs `folder` into `out`; an error leaves earlier files there as they were. Returns the shape of x."""
    if resize is not None and (size is None or resize < size):
        raise PackError("--resize needs a --size that is not larger")
    classes, images = find_images(folder)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".pack-") as temporary:
            staged = Path(temporary)
            shape = write_images(staged / "x.npy", images, mode, size, resize or size)
            np.save(staged / "y.npy", np.array([number for _, number in images], dtype=np.int64))
            (staged / "classes.json").write_text(json.dumps(classes, ensure_ascii=False, indent=1) + "\n", "utf-8")
            for name in ("x.npy", "y.npy", "classes.json"):
                os.replace(staged / name, out / name)
    except OSError as error:
        raise PackError(f"{out}: cannot be written: {error}") from error
    return shape


def positive(text):
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="pack_images.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="has a sub-folder of images for each class")
    parser.add_argument("out", type=Path, help="folder for x.npy, y.npy, classes.json; files there are replaced")
    parser.add_argument("--size", type=positive, metavar="N", help="crop the centre of N x N pixels (default: images are "
                        "taken as they are and must be equally large)")
    parser.add_argument("--resize", type=positive, metavar="N", help="scale the shorter side to N pixels before (default: "
                        "the value of --size)")
    parser.add_argument("--mode", choices=["RGB", "L"], default="RGB", help="three channels, or one grey one")
    options = parser.parse_args(arguments)
    try:
        shape = pack(options.folder, options.out, options.mode, options.size, options.resize)
    except PackError as error:
        print(f"pack_images.py: {error}", file=sys.stderr)
        return 2
    print(f"{options.out / 'x.npy'}: {' x '.join(map(str, shape))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
