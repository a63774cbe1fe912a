"""tools/kernel_resources.py reads cuobjdump's output, and notices what changed."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import kernel_resources  # noqa: E402

DUMP = """
Fatbin elf code:
================
arch = sm_80
code version = [1,8]

Resource usage:
 Common:
  GLOBAL:24 CONSTANT[4]:8
 Function _ZN7lossmap7kernels9run_itemsINS0_4CastEEEvT_ll:
  REG:38 STACK:32 SHARED:0 LOCAL:0 CONSTANT[2]:8 CONSTANT[0]:472 TEXTURE:0 SURFACE:0 SAMPLER:0

Fatbin elf code:
================
arch = sm_90a

Resource usage:
 Function _ZN7lossmap7kernels10run_blocksINS0_4GemmEEEvT_ll:
  REG:72 STACK:0 SHARED:24960 LOCAL:0 CONSTANT[0]:800 TEXTURE:0 SURFACE:0 SAMPLER:0
"""


class KernelResources(unittest.TestCase):
    def test_reads_usage_by_architecture(self):
        self.assertEqual(kernel_resources.parse(DUMP), [
            ("_ZN7lossmap7kernels9run_itemsINS0_4CastEEEvT_ll", "sm_80", 38, 32, 0),
            ("_ZN7lossmap7kernels10run_blocksINS0_4GemmEEEvT_ll", "sm_90a", 72, 0, 24960)])

    def test_names_what_differs(self):
        old = [("Cast", "sm_80", 38, 0, 0), ("Gone", "sm_80", 1, 0, 0)]
        new = [("Cast", "sm_80", 40, 8, 0), ("New", "sm_80", 1, 0, 0)]
        self.assertEqual(kernel_resources.differences(old, new), [
            "Gone sm_80: is in the table and not in the library", "New sm_80: is not in the table",
            "Cast sm_80: registers was 38, is 40", "Cast sm_80: stack_bytes was 0, is 8"])
        self.assertEqual(kernel_resources.differences(old, old), [])

    def test_a_table_survives_being_written(self):
        rows = [("ReduceBlock<double,32>", "sm_90a", 54, 0, 4096)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.csv"
            path.write_text(kernel_resources.as_csv(rows, "13.0"))
            self.assertEqual(kernel_resources.read_csv(path), ("13.0", rows))


class CommittedTable(unittest.TestCase):
    def test_every_kernel_has_a_row_for_every_architecture(self):
        _, rows = kernel_resources.read_csv(Path(__file__).resolve().parent / "kernel_resources.csv")
        architectures = {row[1] for row in rows}
        self.assertLessEqual({"sm_80", "sm_86", "sm_89", "sm_90a"}, architectures)
        for kernel in {row[0] for row in rows}:
            # wgmma exists for one of them.
            expected = {"sm_90a"} if kernel.startswith("Warpgroup") else architectures
            self.assertEqual({row[1] for row in rows if row[0] == kernel}, expected, kernel)

    def test_only_trigonometric_slow_paths_need_a_stack(self):
        _, rows = kernel_resources.read_csv(Path(__file__).resolve().parent / "kernel_resources.csv")
        self.assertEqual({row[0] for row in rows if row[3] > 0}, {"UnarySingle<float>"})


if __name__ == "__main__":
    unittest.main()
