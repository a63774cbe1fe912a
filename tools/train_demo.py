#!/usr/bin/env python3
"""Trains a small demo network and keeps its checkpoints as ONNX files for lossmap. Needs PyTorch, onnx and numpy.

The recipe is that of Li et al. (2018), scaled to the number of epochs: SGD with Nesterov momentum 0.9 from learning rate
0.1, or Adam from 0.001; the rate drops by 10 after 50 %, 75 % and 91.7 % of the epochs (150, 225, 275 of 300). Images are
scaled to 0..1 and normalised; there is no augmentation, so that the training loss is that of the images themselves.

Writes into --out: epoch_00.onnx (the initialisation), epoch_01.onnx, ... (or model.onnx alone with --keep last),
train.csv (a line for each logged epoch, evaluated with stored batch-norm statistics) and settings.json. On one machine with one version of
torch, equal arguments give equal files.
"""
import argparse
import csv
import json
import os
import sys
import time

try:
    import torch
    from demo_data import DEFAULT_FOLDERS, NORMALIZATION, DataError, load_images, normalise
    from demo_networks import ARCHITECTURES, make_network
    from export_onnx import EpochExporter, ExportError
except ImportError as import_error:
    print(f"train_demo.py: needs torch, onnx and numpy ({import_error})", file=sys.stderr)
    sys.exit(2)

DROPS = (150 / 300, 225 / 300, 275 / 300)  # shares of the epochs after which the learning rate falls by 10
COLUMNS = ("epoch", "iteration", "lr", "train_loss", "train_error", "test_loss", "test_error")
EVALUATION_BATCH = 500  # images; keeps activations in the caches


def parse_arguments(arguments):
    """The command line as a namespace; exits with status 2 when it is wrong."""
    parser = argparse.ArgumentParser(prog="train_demo.py", description="Trains a small network by the recipe of Li et al. "
                                     "(2018) and keeps ONNX checkpoints for lossmap.")
    parser.add_argument("--arch", choices=ARCHITECTURES, required=True)
    parser.add_argument("--noshort", action="store_true", help="remove all shortcuts of a ResNet")
    parser.add_argument("--width", type=int, default=16, help="channels of the first stage (default 16)")
    parser.add_argument("--dataset", choices=sorted(NORMALIZATION), default="fashion_mnist")
    parser.add_argument("--data", metavar="DIR", help="folder with the data set's files (IDX, or CIFAR-10's binary batches)")
    parser.add_argument("--subset", type=int, metavar="N", help="train on the first N images only")
    parser.add_argument("--optimizer", choices=["sgd", "adam"], default="sgd")
    parser.add_argument("--lr", type=float, help="initial learning rate (default 0.1, adam 0.001)")
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log-images", type=int, metavar="N", help="log the training loss over the first N training images "
                        "(default all; the final one is over all in any case)")
    parser.add_argument("--log-every", type=int, default=1, metavar="N", help="evaluate and log every N epochs (default 1)")
    parser.add_argument("--keep", choices=["all", "last"], default="all", help="checkpoints to keep (default all)")
    parser.add_argument("--device", default="cpu", help="torch device (default cpu)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default torch's choice)")
    parser.add_argument("--out", metavar="DIR", required=True)
    options = parser.parse_args(arguments)
    for name in ("width", "batch", "subset", "log_images", "log_every"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if options.epochs < 0 or options.threads < 0 or options.weight_decay < 0:
        parser.error("--epochs, --threads and --weight-decay must not be negative")
    if options.lr is None:
        options.lr = 0.1 if options.optimizer == "sgd" else 0.001
    if not options.lr > 0:
        parser.error("--lr must be positive")
    if options.noshort and options.arch == "vgg9":
        parser.error("--noshort: vgg9 has no shortcuts")
    return options


def load_split(options, split, count=None):
    """(normalised images, labels) of a split on the device; the first `count` when given."""
    images, labels = load_images(options.dataset, options.data or DEFAULT_FOLDERS[options.dataset], split)
    if count is not None and count > len(images):
        raise DataError(f"--subset {count}: the {split} split has {len(images)} images")
    x = torch.from_numpy(normalise(images[:count], options.dataset))
    # Channels last is the faster layout of the CPU kernels for few channels; values do not depend on it.
    return (x.to(options.device, memory_format=torch.channels_last), torch.from_numpy(labels[:count]).to(options.device))


@torch.no_grad()
def evaluate(model, x, y):
    """(mean cross-entropy, error in percent) in inference mode, summed in double precision."""
    model.eval()
    loss, wrong = 0.0, 0
    for start in range(0, len(x), EVALUATION_BATCH):
        labels = y[start:start + EVALUATION_BATCH]
        logits = model(x[start:start + EVALUATION_BATCH])
        loss += torch.nn.functional.cross_entropy(logits.double(), labels, reduction="sum").item()
        wrong += (logits.argmax(1) != labels).sum().item()
    return loss / len(x), 100.0 * wrong / len(x)


def learning_rate(initial, epoch, epochs):
    """The rate in `epoch` (1 is the first) of `epochs`."""
    return initial * 0.1 ** sum(epoch > round(share * epochs) for share in DROPS)


def make_optimizer(model, options):
    """SGD with Nesterov momentum, or Adam; weight decay acts on all parameters, as in the paper."""
    if options.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), lr=options.lr, momentum=0.9, nesterov=True,
                               weight_decay=options.weight_decay)
    return torch.optim.Adam(model.parameters(), lr=options.lr, weight_decay=options.weight_decay)


def train_epoch(model, optimizer, x, y, batch, generator):
    """One pass in random order; the last, smaller batch is used, too. Returns the number of steps."""
    model.train()
    order = torch.randperm(len(x), generator=generator).to(x.device)
    steps = 0
    for start in range(0, len(x), batch):
        chosen = order[start:start + batch]
        if len(chosen) == 1:  # batch norm after a dense layer needs two samples
            continue
        loss = torch.nn.functional.cross_entropy(model(x[chosen].contiguous(memory_format=torch.channels_last)), y[chosen])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        steps += 1
    return steps


def train(options):
    """Trains, and writes checkpoints, train.csv and settings.json into options.out."""
    torch.manual_seed(options.seed)
    torch.use_deterministic_algorithms(True)
    if options.threads:
        torch.set_num_threads(options.threads)
    x, y = load_split(options, "train", options.subset)
    test_x, test_y = load_split(options, "test")
    shape = tuple(x.shape[1:])
    model = make_network(options.arch, options.width, shape, shortcut=not options.noshort)
    model = model.to(options.device, memory_format=torch.channels_last)
    optimizer = make_optimizer(model, options)
    generator = torch.Generator().manual_seed(options.seed)
    checkpoint = EpochExporter(options.out, torch.zeros(2, *shape), keep_last=options.keep == "last")
    logged = len(x) if options.log_images is None else min(options.log_images, len(x))
    iteration, rows, began = 0, [], time.monotonic()
    for epoch in range(options.epochs + 1):
        rate = learning_rate(options.lr, max(epoch, 1), options.epochs)
        if epoch:
            for group in optimizer.param_groups:
                group["lr"] = rate
            iteration += train_epoch(model, optimizer, x, y, options.batch, generator)
        if options.keep == "all" or epoch == options.epochs:
            checkpoint(model, epoch)
        if epoch % options.log_every and epoch < options.epochs:
            continue
        row = (epoch, iteration, rate, *evaluate(model, x[:logged], y[:logged]), *evaluate(model, test_x, test_y))
        rows.append([f"{value:.9g}" for value in row])
        write_log(os.path.join(options.out, "train.csv"), rows)
        print(f"epoch {epoch}/{options.epochs}  lr {rate:g}  train {row[3]:.4f} {row[4]:.2f} %  test {row[5]:.4f} "
              f"{row[6]:.2f} %  {time.monotonic() - began:.0f} s", flush=True)
    final_train = evaluate(model, x, y) if logged < len(x) else row[3:5]
    settings = describe(options, model, len(x), logged, len(test_x))
    settings["final"] = {"iterations": iteration, "train_loss": final_train[0], "train_error": final_train[1],
                         "test_loss": row[5], "test_error": row[6]}
    with open(os.path.join(options.out, "settings.json"), "w", encoding="utf-8") as file:
        json.dump(settings, file, indent=2)
        file.write("\n")


def write_log(path, rows):
    """Rewrites the log, so that a run that is cut short leaves a whole one."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def describe(options, model, train_images, logged, test_images):
    """What is needed to repeat the run; no paths, which mean nothing elsewhere."""
    mean, std = NORMALIZATION[options.dataset]
    return {
        "arch": options.arch, "shortcuts": options.arch != "vgg9" and not options.noshort, "width": options.width,
        "parameters": sum(p.numel() for p in model.parameters()),
        "dataset": options.dataset, "normalize": {"mean": list(mean), "std": list(std)}, "augmentation": "none",
        "train_images": train_images, "train_images_are": "the first ones, in file order",
        "train_images_logged_each_epoch": logged, "test_images": test_images,
        "optimizer": options.optimizer, "momentum": {"nesterov": 0.9} if options.optimizer == "sgd" else {"betas": [0.9, 0.999]},
        "lr": options.lr, "lr_drops_after_epochs": [round(share * options.epochs) for share in DROPS],
        "weight_decay": options.weight_decay, "batch": options.batch, "epochs": options.epochs, "seed": options.seed,
        "keep": options.keep, "device": options.device, "threads": torch.get_num_threads(),
        "torch": torch.__version__.split("+")[0], "loss": "cross_entropy",
    }


def main(arguments=None):
    """The command line; returns the exit status (0, or 2 after one sentence on stderr)."""
    options = parse_arguments(arguments)
    try:
        os.makedirs(options.out, exist_ok=True)
        train(options)
    except (DataError, ExportError, OSError, ValueError, RuntimeError) as error:
        print(f"train_demo.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
