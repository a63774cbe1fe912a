#!/usr/bin/env python3
"""Compares a surface with another one, or with what PyTorch computed; needs Python's own library only.

    compare_surfaces.py EXPECTED FOUND [--tolerance T] [--above LOSS] [--part]

EXPECTED and FOUND: surface.csv of `lossmap export`, or the rows as JSON. Prints one line: points, largest relative difference
of the loss and where, largest difference of the accuracy in percent. With --above, a second line tells the same of the points
whose expected loss is above LOSS: how many there are, the largest, how many are over 0.1 %, the median and the mean difference
with its sign. With --part, EXPECTED may have fewer points than FOUND. Exit status 1 when the grids differ, when one is finite
where the other is not, or beyond the tolerance (relative; without one nothing is beyond it); 77 when a file is absent.
"""

import argparse
import csv
import json
import math
import statistics
import sys
from pathlib import Path

# Of coordinates, relative above 1: ranges that follow from a trajectory depend on the order in which it was summed.
SAME_PLACE = 1e-6
NOTABLE = 1e-3


def read(path):
    if path.suffix == ".json":
        return json.loads(path.read_text())
    with path.open(newline="") as file:
        return [{key: float(value) if value else math.nan for key, value in row.items()} for row in csv.DictReader(file)]


def difference(expected, found):
    """Relative; 0 where both are the same kind of not finite, infinite where only one is."""
    if math.isfinite(expected) and math.isfinite(found):
        return abs(found - expected) / max(abs(expected), sys.float_info.min)
    return 0.0 if str(expected) == str(found) else math.inf


def is_same_place(theirs, ours):
    return all(abs(theirs[axis] - ours[axis]) <= SAME_PLACE * max(1.0, abs(theirs[axis])) for axis in ("x", "y") if axis in theirs)


def place_of(row):
    return ", ".join(f"{row[axis]:g}" for axis in ("x", "y") if axis in row)


def part_of(found, expected):
    """(error or "", the rows of `found` that stand where those of `expected` do)."""
    rows = []
    for theirs in expected:
        ours = next((row for row in found if is_same_place(theirs, row)), None)
        if ours is None:
            return f"no point at ({place_of(theirs)})", []
        rows.append(ours)
    return "", rows


def compare(expected, found):
    """(error or "", sentence, largest relative difference)."""
    if len(expected) != len(found):
        return f"{len(found)} points instead of {len(expected)}", "", math.inf
    worst, where, accuracy = 0.0, None, 0.0
    for theirs, ours in zip(expected, found):
        if not is_same_place(theirs, ours):
            return f"a point at ({place_of(ours)}) instead of ({place_of(theirs)})", "", math.inf
        now = difference(theirs["train_loss"], ours["train_loss"])
        if where is None or now > worst:
            worst, where = now, (theirs, ours)
        accuracy = max(accuracy, abs(theirs["train_accuracy"] - ours["train_accuracy"]))
    theirs, ours = where
    sentence = (f"{len(found)} points, largest relative difference {worst:.2e} at ({place_of(theirs)}): {ours['train_loss']!r} "
                f"instead of {theirs['train_loss']!r}, accuracy {accuracy:.3f} %")
    return "", sentence, worst


def spread(expected, found, above):
    """A sentence on the points whose expected loss is finite and above a bound."""
    signed = [(ours["train_loss"] - theirs["train_loss"]) / theirs["train_loss"] for theirs, ours in zip(expected, found)
              if math.isfinite(theirs["train_loss"]) and theirs["train_loss"] > above]
    if not signed:
        return f"no loss above {above:g}"
    sizes = [abs(value) for value in signed]
    return (f"{len(sizes)} points above {above:g}: largest {max(sizes):.2e}, {sum(size > NOTABLE for size in sizes)} over 0.1 %, "
            f"median {statistics.median(sizes):.2e}, mean {statistics.fmean(signed):+.2e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("expected", type=Path)
    parser.add_argument("found", type=Path)
    parser.add_argument("--tolerance", type=float, default=math.inf)
    parser.add_argument("--above", type=float)
    parser.add_argument("--part", action="store_true")
    arguments = parser.parse_args()
    for path in (arguments.expected, arguments.found):
        if not path.is_file():
            print(f"{path} is not there")
            return 77
    expected, found = read(arguments.expected), read(arguments.found)
    error = ""
    if arguments.part:
        error, found = part_of(found, expected)
    if not error:
        error, sentence, worst = compare(expected, found)
    if error:
        print(error)
        return 1
    print(sentence)
    if arguments.above is not None:
        print(spread(expected, found, arguments.above))
    return 1 if worst > arguments.tolerance or math.isinf(worst) else 0


if __name__ == "__main__":
    sys.exit(main())
