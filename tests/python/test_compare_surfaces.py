"""tools/compare_surfaces.py: what it says of two surfaces, and its exit status."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "compare_surfaces.py"


class CompareSurfaces(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.expected, self.found = (pathlib.Path(folder.name) / name for name in ("expected.json", "surface.csv"))

    def compare(self, expected, found, *arguments, step=1):
        """Losses along a line, `step` between those that are expected; the status and the lines."""
        rows = [{"x": step * k, "train_loss": loss, "train_accuracy": 50} for k, loss in enumerate(expected)]
        self.expected.write_text(json.dumps(rows))
        self.found.write_text("x,train_loss,train_accuracy\n" + "".join(f"{x},{loss},50\n" for x, loss in enumerate(found)))
        return self.run_tool(*arguments)

    def run_tool(self, *arguments):
        done = subprocess.run([sys.executable, TOOL, self.expected, self.found, *arguments], capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout.splitlines()

    def test_the_largest_difference_and_where(self):
        status, lines = self.compare([1, 2, 4], [1, 2.5, 4])
        self.assertEqual(status, 0)  # without a tolerance nothing is beyond it
        self.assertEqual(lines, ["3 points, largest relative difference 2.50e-01 at (1): 2.5 instead of 2, accuracy 0.000 %"])
        self.assertEqual(self.compare([1, 2], [1, 2.5], "--tolerance", "0.2")[0], 1)
        self.assertEqual(self.compare([1, 2], [1, 2.5], "--tolerance", "0.3")[0], 0)

    def test_points_above_a_loss(self):
        # The first does not count: its loss is small, its difference large.
        status, lines = self.compare([0.01, 1, 2, 4, 8], [0.02, 1.0005, 2.004, 3.992, 8], "--above", "0.5")
        self.assertEqual(status, 0)
        self.assertIn("largest relative difference 1.00e+00 at (0)", lines[0])
        # +5e-4, +2e-3, -2e-3, 0
        self.assertEqual(lines[1:], ["4 points above 0.5: largest 2.00e-03, 2 over 0.1 %, median 1.25e-03, mean +1.25e-04"])

    def test_above_leaves_the_verdict_alone(self):
        self.assertEqual(self.compare([0.01, 1], [0.02, 1], "--above", "0.5", "--tolerance", "1e-4")[0], 1)
        self.assertEqual(self.compare([1, 2], [1, 2], "--above", "5")[1][1], "no loss above 5")

    def test_infinite_losses_are_above_nothing(self):
        infinite = float("inf")
        status, lines = self.compare([1, infinite], [1.5, infinite], "--above", "0.5")
        self.assertEqual(status, 0)
        self.assertEqual(lines[1], "1 points above 0.5: largest 5.00e-01, 1 over 0.1 %, median 5.00e-01, mean +5.00e-01")
        self.assertEqual(self.compare([1, infinite], [1, 3.0])[0], 1)

    def test_grids_that_differ_are_not_compared(self):
        self.assertEqual(self.compare([1, 2], [1], "--above", "0"), (1, ["1 points instead of 2"]))
        self.assertEqual(self.compare([1, 2], [1, 2], step=2), (1, ["a point at (1) instead of (2)"]))
        # As far apart as two ways of summing put them, and farther.
        self.assertEqual(self.compare([1, 2], [1, 2], step=1 + 5e-7)[0], 0)
        self.assertEqual(self.compare([1, 2], [1, 2], step=1 + 5e-6)[0], 1)

    def test_a_part_of_the_points(self):
        found = [1, 9, 9, 2, 9, 9, 4.5]
        status, lines = self.compare([1, 2, 4], found, "--part", step=3)
        self.assertEqual(status, 0)
        self.assertEqual(lines, ["3 points, largest relative difference 1.25e-01 at (6): 4.5 instead of 4, accuracy 0.000 %"])
        self.assertEqual(self.compare([1, 2, 4], found, "--part", "--tolerance", "0.1", step=3)[0], 1)
        self.assertEqual(self.compare([1, 2, 4], found, "--part", step=3.5), (1, ["no point at (3.5)"]))
        self.assertEqual(self.compare([1, 2, 4], found, step=3), (1, ["7 points instead of 3"]))

    def test_a_file_that_is_absent(self):
        self.expected.write_text("[]")
        self.assertEqual(self.run_tool(), (77, [f"{self.found} is not there"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
