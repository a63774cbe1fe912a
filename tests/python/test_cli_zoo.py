"""`lossmap inspect` on the reference folder's networks: quick, nothing unsupported, warnings where an exporter lost something."""

import json
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.support.reference_files import REFERENCE, run_lossmap  # noqa: E402

INDEX = REFERENCE / "models/zoo/index.json"


@unittest.skipUnless(INDEX.exists(), "the reference folder's models/zoo is absent; set LOSSMAP_REFERENCE_DIR")
class InspectZooTest(unittest.TestCase):
    def inspect(self, file):
        start = time.monotonic()
        summary = json.loads(run_lossmap("inspect", file, "--json").stdout)
        return summary, time.monotonic() - start

    def test_every_file(self):
        rows = json.loads(INDEX.read_text())["models"]
        quickest = []
        for row in rows:
            with self.subTest(row["file"]):
                summary, seconds = self.inspect(INDEX.parent / row["file"])
                quickest.append(seconds)
                self.assertTrue(summary["supported"])
                moved = json.dumps(row["parameters_moved"])
                warnings = "\n".join(summary["warnings"])
                self.assertEqual("look folded" in warnings, "batch norm folded in" in moved)
                if row["lost_parameters"]:
                    self.assertIn("cannot move", warnings)
                if summary["parameter_count"] > row["parameters"]:
                    self.assertIn("lost the tie", warnings)
                if summary["parameter_count"] < row["parameters"]:
                    self.assertNotEqual(warnings, "")
        # The machine may be busy with other things in the middle of any one of them.
        self.assertLess(sorted(quickest)[len(quickest) // 2], 2)

    def test_flops_of_resnet56(self):
        """Of the paper's ResNet-56, counted by hand: 3x3 convolutions of 9 residual blocks a stage, projections, one dense layer."""
        def convolution(channels, filters, kernel, side):
            return channels * filters * kernel * kernel * side * side

        count = convolution(3, 16, 3, 32) + 64 * 10
        for channels, filters, side in ((16, 16, 32), (16, 32, 16), (32, 64, 8)):
            count += convolution(channels, filters, 3, side) + 17 * convolution(filters, filters, 3, side)
            count += convolution(channels, filters, 1, side) if channels != filters else 0
        summary, _ = self.inspect(REFERENCE / "models/gold_resnet56.onnx")
        self.assertAlmostEqual(summary["flops"], 2 * count, delta=0.02 * 2 * count)


if __name__ == "__main__":
    unittest.main(verbosity=2)
