"""tools/kernel_sass.py counts instructions, and notices what is missing or too much."""

import sys
import unittest
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import kernel_sass  # noqa: E402

DUMP = """
arch = sm_90a
\t\tFunction : _Z9run_warps
\t.headerflags\t@"EF_CUDA_TEXMODE_UNIFIED"
        /*0000*/                   LDC R1, c[0x0][0x28] ;                  /* 0x00000a00ff017b82 */
                                                                           /* 0x000fe20000000800 */
        /*3ed0*/                   HMMA.16816.F32 R64, R92.reuse, R52, R76 ;  /* 0x00 */
        /*3ee0*/               @P0 LDSM.16.M88.4 R92, [R96+0x10] ;            /* 0x00 */
        /*1ee0*/              @!P1 HMMA.16816.F32 R64, R92, R52, R76 ;        /* 0x00 */
"""
NAME = "Stage<StageShape<32,16,2,1,4,2>>"
GOOD = Counter({"HMMA.16816.F32": 148, "LDSM.16.M88.4": 56, "LDGSTS.E.BYPASS.128": 28, "FADD": 48})
WITHOUT_EXIT = Counter({"HMMA.16816.F32": 216, "LDSM.16.M88.4": 72, "LDGSTS.E.BYPASS.128": 28})

SPLIT = "SplitStage<SplitShape<16,32,1,4,8,2,3,1>>"
GOOD_SPLIT = Counter({"HMMA.16816.F32": 222, "LDSM.16.M88.4": 56, "LDGSTS.E.BYPASS.128": 14})
SPLIT_WITHOUT_EXIT = Counter({"HMMA.16816.F32": 324, "LDSM.16.M88.4": 108, "LDGSTS.E.BYPASS.128": 14})

WARPGROUPS = "WarpgroupStage<WarpgroupShape<16,32,2,2,2,2,1,1>>"
GOOD_WARPGROUPS = Counter({"HGMMA.64x96x16.F32": 32, "HGMMA.64x16x16.F32": 40, "WARPGROUP.DEPBAR.LE": 14,
                           "LDGSTS.E.BYPASS.128": 20})
SPLIT_WARPGROUPS = "WarpgroupSplitStage<WarpgroupShape<16,32,1,1,2,2,1,2>>"


class KernelSass(unittest.TestCase):
    def test_counts_instructions(self):
        self.assertEqual(kernel_sass.parse(DUMP), {
            ("sm_90a", "_Z9run_warps"): Counter({"HMMA.16816.F32": 2, "LDC": 1, "LDSM.16.M88.4": 1})})

    def test_names_what_is_wrong(self):
        self.assertEqual(kernel_sass.complaints(NAME, GOOD), [])
        self.assertEqual(kernel_sass.complaints("Stage<StageShape<64,8,8,1,8,1>>", WITHOUT_EXIT), [])
        self.assertEqual(kernel_sass.complaints(SPLIT, GOOD_SPLIT), [])
        self.assertEqual(kernel_sass.complaints("SplitStage<SplitShape<64,8,2,1,8,1,3,1>>", SPLIT_WITHOUT_EXIT), [])
        self.assertEqual(kernel_sass.complaints("SplitStage<SplitShape<32,16,4,1,8,2,1,1>>", GOOD), [])
        self.assertEqual(kernel_sass.complaints(SPLIT, Counter({**GOOD_SPLIT, "HMMA.16816.F32": 148})),
                         ["HMMA.16816.F32: 148 instead of 222"])
        self.assertEqual(kernel_sass.complaints(WARPGROUPS, GOOD_WARPGROUPS), [])
        self.assertEqual(kernel_sass.complaints("WarpgroupStage<WarpgroupShape<64,8,8,1,2,1,2,1>>",
                                                Counter({**GOOD_WARPGROUPS, "HGMMA.64x96x16.F32": 144})), [])
        split = Counter({"HGMMA.64x48x16.F32": 72, "WARPGROUP.DEPBAR.LE": 14, "LDGSTS.E.BYPASS.128": 20})
        self.assertEqual(kernel_sass.complaints(SPLIT_WARPGROUPS, split), [])
        self.assertEqual(kernel_sass.complaints("WarpgroupSplitStage<WarpgroupShape<32,16,2,1,2,1,2,2>>",
                                                Counter({**split, "HGMMA.64x48x16.F32": 216})), [])
        self.assertEqual(kernel_sass.complaints(WARPGROUPS, Counter({**GOOD_WARPGROUPS, "HGMMA.64x96x16.F32": 31})),
                         ["HGMMA.64x96x16.F32: 31 instead of 32"])
        self.assertEqual(kernel_sass.complaints(WARPGROUPS, Counter({**GOOD_WARPGROUPS, "WARPGROUP.DEPBAR.LE": 64})),
                         ["products that wait for each other"])
        for change, sentence in (({"HMMA.16816.F32": 147}, "HMMA.16816.F32: 147 instead of 148"),
                                 ({"LDSM.16.M88.4": 72}, "LDSM: 72 instead of 56"),
                                 ({"LDGSTS.E.BYPASS.128": 0}, "no asynchronous copy (LDGSTS)"),
                                 ({"STL.64": 2, "LDL": 1}, "3 accesses to local memory")):
            self.assertEqual(kernel_sass.complaints(NAME, Counter({**GOOD, **change})), [sentence])


if __name__ == "__main__":
    unittest.main()
