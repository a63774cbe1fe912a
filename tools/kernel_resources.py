#!/usr/bin/env python3
"""Registers, stack and shared memory of each CUDA kernel, read from compiled objects with cuobjdump.

    tools/kernel_resources.py LIBRARY              print the table (CSV)
    tools/kernel_resources.py LIBRARY --write CSV  write it
    tools/kernel_resources.py LIBRARY --check CSV  compare: exit status 1 and the differences when it does not hold, 77
                                                   and the reason when the two cannot be compared

Spilled registers are no column: the build refuses them (ptxas --warn-on-spills, warnings as errors). A stack without
spills is a local array, as the slow path of a trigonometric function has one.
"""

import argparse
import csv
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The toolkit has cuobjdump; where it was installed without, ./setup --cuda fetches it.
PLACES = (None, "/usr/local/cuda/bin", str(ROOT / ".deps/cuda/nvidia/cu13/bin"))
SKIPPED = 77
COLUMNS = ("kernel", "architecture", "registers", "stack_bytes", "shared_bytes")
FUNCTION = re.compile(r"^\s*Function (\S+):\s*$")
ARCHITECTURE = re.compile(r"^\s*arch\s*=\s*(\S+)")
USAGE = re.compile(r"\b(REG|STACK|SHARED):(\d+)")


class Missing(Exception):
    """Something that the comparison needs is not there."""


def tool(name):
    """Path of a program of the CUDA toolkit or of binutils."""
    for place in PLACES:
        if found := shutil.which(name, path=place):
            return found
    raise Missing(f"{name} is not installed")


def output_of(*command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def compiler_version():
    """"13.0" of the nvcc that is found."""
    return re.search(r"release (\d+\.\d+)", output_of(tool("nvcc"), "--version")).group(1)


def short_names(symbols):
    """Mangled symbol -> name of the body that the kernel runs, with its template arguments."""
    text = output_of(tool("c++filt"), text="\n".join(symbols))
    names = {}
    for symbol, name in zip(symbols, text.splitlines()):
        body = re.search(r"run_(?:items|blocks|warps|warpgroups)<(.*)>\(", name)
        names[symbol] = re.sub(r"lossmap::kernels::", "", body.group(1) if body else name).replace(" ", "")
    return names


def parse(text):
    """Rows (symbol, architecture, registers, stack, shared) of `cuobjdump --dump-resource-usage`."""
    rows, architecture, symbol = [], None, None
    for line in text.splitlines():
        if match := ARCHITECTURE.match(line):
            architecture = match.group(1)
        elif match := FUNCTION.match(line):
            symbol = match.group(1)
        elif symbol and "REG:" in line:
            usage = {key: int(value) for key, value in USAGE.findall(line)}
            rows.append((symbol, architecture, usage["REG"], usage["STACK"], usage["SHARED"]))
            symbol = None
    return rows


def table_of(library):
    """Sorted rows as in COLUMNS."""
    if not library.exists():
        raise Missing(f"{library} is not there: build it with cmake --preset cuda")
    text = output_of(tool("cuobjdump"), "--dump-resource-usage", str(library))
    rows = parse(text)
    names = short_names(sorted({row[0] for row in rows}))
    return sorted((names[symbol], *rest) for symbol, *rest in rows)


def as_csv(rows, version):
    stream = io.StringIO()
    stream.write(f"# nvcc {version}; written by tools/kernel_resources.py\n")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return stream.getvalue()


def read_csv(path):
    """(compiler version, rows) of a table that was written."""
    first, *lines = Path(path).read_text().splitlines()
    rows = [(kernel, architecture, *map(int, numbers)) for kernel, architecture, *numbers in csv.reader(lines[1:])]
    return re.search(r"nvcc (\S+);", first).group(1), rows


def differences(expected, actual):
    """Sentences about rows that only one table has, or that differ."""
    old = {row[:2]: row[2:] for row in expected}
    new = {row[:2]: row[2:] for row in actual}
    found = [f"{' '.join(key)}: is in the table and not in the library" for key in sorted(old.keys() - new.keys())]
    found += [f"{' '.join(key)}: is not in the table" for key in sorted(new.keys() - old.keys())]
    for key in sorted(old.keys() & new.keys()):
        for column, was, now in zip(COLUMNS[2:], old[key], new[key]):
            if was != now:
                found.append(f"{' '.join(key)}: {column} was {was}, is {now}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", type=Path, metavar="CSV")
    action.add_argument("--check", type=Path, metavar="CSV")
    arguments = parser.parse_args()
    try:
        return check(arguments.library, arguments.check) if arguments.check else write(arguments.library, arguments.write)
    except Missing as missing:
        print(missing)
        return SKIPPED


def check(library, table):
    version, expected = read_csv(table)
    if version != compiler_version():
        raise Missing(f"{table} was made with nvcc {version}, this is {compiler_version()}")
    actual = table_of(library)
    newer = [source for folder in ("kernels", "cuda/runtime") for source in (ROOT / folder).rglob("*")
             if source.is_file() and source.stat().st_mtime > library.stat().st_mtime]
    if newer:
        raise Missing(f"{library} is older than {newer[0].relative_to(ROOT)}: build it again")
    found = differences(expected, actual)
    print("\n".join(found) or f"{len(actual)} kernels as in {table}")
    return 1 if found else 0


def write(library, table):
    text = as_csv(table_of(library), compiler_version())
    if table:
        table.write_text(text)
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
