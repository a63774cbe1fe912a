#!/usr/bin/env python3
"""Whether the stage kernels' machine code is what it is meant to be, read with cuobjdump and nvdisasm.

    tools/kernel_sass.py LIBRARY     a line a kernel; exit status 1 when one does not hold, 77 and the reason when the
                                     machine code cannot be read

A kernel for C channels holds three copies of a row's pass, each with 9 C / 16 tensor-core products of two tiles, a load
of four matrices for each of 3 C / 16 pairs of tap and channels, and such a load for each of 9 C / 16 pieces of weights;
with an exit one row more, with a load and two tiles for each of 9 + 1 taps; what it copies into shared memory goes past
the registers; nothing lies in local memory. A kernel for split products has one tile or two, three products for each,
twice the loads of pixels, and a load of weights for each tile; one for tf32 what a kernel for fp16 has. A kernel on wgmma
holds two copies of the products of four input rows or, where there is room for one layer's weights only, of three times
two, with three columns for each filter and pixel of a cell that a warpgroup computes, and three products for one where
numbers are split; what waits for products is rare (a compiler that runs out of registers lets each one wait).
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from kernel_resources import SKIPPED, Missing, output_of, short_names, tool  # noqa: E402

OBJECTS = ("stage.cu.o", "split_stage.cu.o", "tf32_stage.cu.o", "warpgroup_stage.cu.o", "warpgroup_split_stage.cu.o")
ARCHITECTURE = re.compile(r"^\s*arch\s*=\s*(\S+)")
FUNCTION = re.compile(r"^\s*Function : (\S+)")
INSTRUCTION = re.compile(r"^\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_]*(?:\.[A-Z0-9_x]+)*)")
SHAPE = re.compile(r"(Stage|Split|Warpgroup)Shape<([\w,]+)>")


def parse(text):
    """{(architecture, symbol): Counter of opcodes} of `cuobjdump --dump-sass`."""
    counts, architecture, current = {}, None, None
    for line in text.splitlines():
        if match := ARCHITECTURE.match(line):
            architecture = match.group(1)
        elif match := FUNCTION.match(line):
            current = counts.setdefault((architecture, match.group(1)), Counter())
        elif current is not None and (match := INSTRUCTION.match(line)):
            current[match.group(1)] += 1
    return counts


def number_of(opcodes, *beginnings):
    return sum(count for opcode, count in opcodes.items() if opcode.startswith(beginnings))


def expected_of_warps(kind, numbers):
    """Opcodes and how often a kernel whose warps compute holds them."""
    channels, side, *others = map(int, numbers)
    chunks = channels // 16
    exit_taps = 10 if channels < 64 and side % 2 == 0 else 0
    tiles, products, pixels, weights = 2, 1, 1, 1
    if kind == "Split":
        tiles, products = others[3:5]
        pixels, weights = (2, tiles) if products == 3 else (1, 1)
    return (("HMMA.16816.F32", (3 * 9 + exit_taps) * chunks * tiles * products),
            ("LDSM", ((3 * 3 + exit_taps) * pixels + 9 * weights) * chunks))


def expected_of_warpgroups(kind, numbers):
    """The same where warpgroups do."""
    channels, _, _, pair, _, buffers, groups, terms = map(int, numbers)
    steps = 4 if pair == 2 else 3 * channels // 16
    rows = 2 * (4 if buffers == 2 else 6)
    products = 3 if terms == 2 else 1
    return ((f"HGMMA.64x{3 * channels * pair // groups}x16.F32", steps * rows * products), ("HMMA", 0))


def complaints(name, opcodes):
    """Sentences about what a kernel of that name should hold and does not."""
    kind, numbers = SHAPE.search(name).groups()
    expected = (expected_of_warpgroups if kind == "Warpgroup" else expected_of_warps)(kind, numbers.split(","))
    found = [f"{opcode}: {number_of(opcodes, opcode)} instead of {count}" for opcode, count in expected
             if number_of(opcodes, opcode) != count]
    if number_of(opcodes, "WARPGROUP.DEPBAR") * 2 > number_of(opcodes, "HGMMA") > 0:
        found.append("products that wait for each other")
    if not number_of(opcodes, "LDGSTS"):
        found.append("no asynchronous copy (LDGSTS)")
    if local := number_of(opcodes, "LDL", "STL"):
        found.append(f"{local} accesses to local memory")
    return found


def machine_code(library):
    """Disassembly of the objects that hold the stage kernels."""
    if not library.exists():
        raise Missing(f"{library} is not there: build it with cmake --preset cuda")
    cuobjdump = tool("cuobjdump")
    tool("nvdisasm")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["ar", "x", str(library.resolve()), *OBJECTS], cwd=folder, check=True)
        # cuobjdump calls nvdisasm, and looks for it in PATH alone.
        return "".join(output_of("env", f"PATH={Path(tool('nvdisasm')).parent}:/usr/bin:/bin", cuobjdump, "--dump-sass",
                                 str(Path(folder) / name)) for name in OBJECTS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    arguments = parser.parse_args()
    try:
        counts = parse(machine_code(arguments.library))
    except Missing as missing:
        print(missing)
        return SKIPPED
    names = short_names(sorted({symbol for _, symbol in counts}))
    failed = not counts
    for (architecture, symbol), opcodes in sorted(counts.items()):
        found = complaints(names[symbol], opcodes)
        failed = failed or bool(found)
        print(f"{architecture} {names[symbol]}: {'; '.join(found) or 'as it should be'} ({sum(opcodes.values())} instructions)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
