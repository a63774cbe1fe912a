"""Writes the ONNX backend node tests of the installed package `onnx` as folders: write_node_tests.py DIRECTORY.

Recent releases no longer ship them as files; they are generated from the package's own test cases. Exit status 77
(skipped) when the package is absent.
"""

import pathlib
import sys

SKIPPED = 77

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, numpy_helper
    from onnx.backend.test.case import node as node_cases
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(SKIPPED)


def serialize(value, info):
    if info.type.HasField("sequence_type"):
        return numpy_helper.from_list(value, info.name).SerializeToString()
    if info.type.HasField("optional_type"):
        return numpy_helper.from_optional(value, info.name).SerializeToString()
    if isinstance(value, TensorProto):
        return value.SerializeToString()
    return numpy_helper.from_array(np.asarray(value), info.name).SerializeToString()


def write_case(case, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    for index, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{index}"
        data.mkdir(exist_ok=True)
        graph = case.model.graph
        for prefix, values, infos in (("input", inputs, graph.input), ("output", outputs, graph.output)):
            for position, value in enumerate(values):
                (data / f"{prefix}_{position}.pb").write_bytes(serialize(value, infos[position]))


def main():
    root = pathlib.Path(sys.argv[1])
    if root.exists() and any(root.iterdir()):
        return
    root.mkdir(parents=True, exist_ok=True)
    with np.errstate(all="ignore"):
        (root / "version.txt").write_text(onnx.__version__ + "\n")
        for case in node_cases.collect_testcases(None):
            write_case(case, root / case.name)


main()
