"""Fashion-MNIST and CIFAR-10 as arrays, for train_demo.py. Needs numpy alone."""
import gzip
import os

import numpy as np

# Mean and standard deviation of the training images scaled to 0..1, a value a channel.
NORMALIZATION = {
    "fashion_mnist": ((0.2860,), (0.3530,)),
    "cifar10": ((125.3 / 255, 123.0 / 255, 113.9 / 255), (63.0 / 255, 62.1 / 255, 66.7 / 255)),
}
DEFAULT_FOLDERS = {"fashion_mnist": "/usr/share/datasets/fashion-mnist", "cifar10": "cifar-10-batches-bin"}


class DataError(ValueError):
    """A file of the data set is missing or not what it should be."""


def load_images(dataset, folder, split):
    """(images uint8 [n, channels, height, width], labels int64 [n]) of `split`, "train" or "test", in file order."""
    if dataset == "fashion_mnist":
        stem = os.path.join(folder, "train" if split == "train" else "t10k")
        images = _read_idx(f"{stem}-images-idx3-ubyte", 3)[:, None]
        labels = _read_idx(f"{stem}-labels-idx1-ubyte", 1)
    elif dataset == "cifar10":
        names = [f"data_batch_{i}.bin" for i in range(1, 6)] if split == "train" else ["test_batch.bin"]
        batches = [_read_cifar(os.path.join(folder, name)) for name in names]
        images, labels = (np.concatenate(parts) for parts in zip(*batches))
    else:
        raise DataError(f"unknown data set '{dataset}': choose one of {', '.join(NORMALIZATION)}")
    if len(images) != len(labels):
        raise DataError(f"{dataset}, {split}: {len(images)} images but {len(labels)} labels")
    return images, labels.astype(np.int64)


def normalise(images, dataset):
    """(x / 255 - mean) / std as float32."""
    mean, std = (np.asarray(x, dtype=np.float32)[:, None, None] for x in NORMALIZATION[dataset])
    return (images.astype(np.float32) / np.float32(255) - mean) / std


def _read_bytes(path):
    """The content of `path` or `path`.gz."""
    try:
        if os.path.exists(path):
            with open(path, "rb") as file:
                return file.read()
        with gzip.open(path + ".gz", "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise DataError(f"no such file: {path}[.gz] (give the data set's folder with --data)") from None
    except (OSError, EOFError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _read_idx(path, dimensions):
    """An IDX file of bytes: two zero bytes, type 8, number of dimensions, big-endian sizes, values."""
    data = _read_bytes(path)
    header = 4 + 4 * dimensions
    if len(data) < header or data[:4] != bytes([0, 0, 8, dimensions]):
        raise DataError(f"{path} is not an IDX file of bytes with {dimensions} dimensions")
    shape = np.frombuffer(data, ">u4", dimensions, 4).astype(np.int64)
    if len(data) - header != shape.prod():
        raise DataError(f"{path} is damaged: {len(data) - header} values, {shape.prod()} announced")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _read_cifar(path):
    """Records of one label byte and 3,072 bytes: red, green, blue, 32 x 32 each."""
    data = np.frombuffer(_read_bytes(path), np.uint8)
    if len(data) == 0 or len(data) % 3073:
        raise DataError(f"{path} is not a CIFAR-10 batch: {len(data)} bytes are no whole number of records")
    records = data.reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]
