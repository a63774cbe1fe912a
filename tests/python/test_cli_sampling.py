"""Losses of samples that were drawn at random: intervals in files, tables, pictures and log; none where they were not."""

import csv
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402

if not support.REASON:
    import h5py
    import numpy as np

ALL, DRAWN = 200, 60


@unittest.skipIf(support.REASON, support.REASON)
class Sampled(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.keep.name)
        cls.config = support.line_config(cls.folder)
        support.write_samples(cls.folder / "samples.npz", count=ALL)
        cls.data = {"format": "npz", "train": "samples.npz"}
        cls.draw = {**cls.data, "subset": {"train": {"count": DRAWN, "seed": 3, "stratified": True}}}
        cls.out = cls.run_it("drawn", {**cls.config, "data": cls.draw})

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    @classmethod
    def run_it(cls, name, config):
        support.run_lossmap("run", support.write_config(cls.folder, config), "--out", cls.folder / name, "--progress", "none")
        return cls.folder / name

    def exported(self, out):
        support.run_lossmap("export", out, "--format", "csv", "--out", out / "table.csv")
        with open(out / "table.csv", newline="") as file:
            return list(csv.DictReader(file))

    def test_interval_stands_in_file_table_and_picture(self):
        with h5py.File(self.out / "surface.h5") as file:
            attributes = file["train_loss"].attrs
            self.assertEqual((attributes["lossmap_drawn"], attributes["lossmap_drawn_from"]), (DRAWN, ALL))
            half = 1.959963984540054 * file["train_standard_error"][()] * np.sqrt(1 - DRAWN / ALL)
        np.testing.assert_allclose([float(row["train_interval_95"]) for row in self.exported(self.out)], half, rtol=1e-12)
        note = f"{DRAWN} of {ALL} samples, drawn at random"
        self.assertIn(f"train: {note}; losses have 95 % confidence intervals", (self.out / "log.txt").read_text())
        self.assertIn(f"{note}; band: 95 % confidence", (self.out / "plots" / "line.svg").read_text())
        page = (self.out / "report.html").read_text()
        data = json.loads(page[page.index('type="application/json"'):].split(">", 1)[1].split("</script>", 1)[0])
        split = data["runs"][0]["splits"][0]
        self.assertEqual(split["drawn"], note)
        np.testing.assert_allclose(split["interval"], half, rtol=1e-12)

    def test_interval_covers_the_loss_of_all(self):
        whole = self.run_it("whole", {**self.config, "data": self.data})
        with h5py.File(whole / "surface.h5") as file:
            expected = file["train_loss"][()]
        rows = self.exported(self.out)
        covered = [abs(float(row["train_loss"]) - loss) <= 1.5 * float(row["train_interval_95"]) for row, loss in zip(rows, expected)]
        self.assertTrue(all(covered))

    def test_no_interval_without_a_draw(self):
        for name, subset in (("first", {"start": 0, "count": DRAWN}), ("everything", {"count": ALL, "seed": 3, "stratified": True})):
            out = self.run_it(name, {**self.config, "data": {**self.data, "subset": {"train": subset}}})
            with h5py.File(out / "surface.h5") as file:
                self.assertNotIn("lossmap_drawn", file["train_loss"].attrs)
            self.assertNotIn("train_interval_95", self.exported(out)[0])
            self.assertNotIn("drawn at random", (out / "plots" / "line.svg").read_text())

    def test_repetitions_have_intervals(self):
        config = {**self.config, "experiment": "repeat", "count": 3, "data": self.draw}
        note = f"{DRAWN} of {ALL} samples, drawn at random"
        out = self.run_it("repeats", config)
        with h5py.File(out / "surface.h5") as file:
            self.assertEqual(file["train_loss"].attrs["lossmap_drawn"], DRAWN)
            halves = 1.959963984540054 * file["train_standard_error"][()] * np.sqrt(1 - DRAWN / ALL)
        with open(out / "table.csv", newline="") as file:
            widths = [float(row["train_loss_interval_95"]) for row in csv.DictReader(file)]
        np.testing.assert_allclose(widths, halves.mean(axis=0), rtol=1e-12)
        sentence = f"train: {note}; 95 % confidence interval of the mean loss at most ± {max(widths):.3g}"
        self.assertIn(sentence, (out / "plots" / "train_repeats_line.svg").read_text())
        self.assertIn(f"train: {note}; losses have", (out / "log.txt").read_text())
        page = (out / "report.html").read_text()
        self.assertIn(sentence, page)
        support.run_lossmap("report", out)
        self.assertEqual((out / "report.html").read_text(), page)
        support.run_lossmap("export", out, "--format", "csv", "--out", out / "all.csv")
        with open(out / "all.csv", newline="") as file:
            exported = [float(row["train_seed_2_interval_95"]) for row in csv.DictReader(file)]
        np.testing.assert_allclose(exported, halves[1], rtol=1e-12)
        plane = self.run_it("planes", {**config, "y": support.axis(0, 1, 2)})
        self.assertIn(note, (plane / "plots" / "train_repeats_contour.svg").read_text())
        plain = self.run_it("plain", {**config, "data": self.data})
        self.assertNotIn("interval_95", (plain / "table.csv").read_text())
        self.assertNotIn("drawn at random", (plain / "plots" / "train_repeats_line.svg").read_text())

    def test_evaluate_has_the_interval_in_its_table(self):
        out = self.run_it("table", {"experiment": "evaluate", "models": ["net.onnx"], "data": self.draw})
        with open(out / "table.csv", newline="") as file:
            row = next(csv.DictReader(file))
        half = 1.959963984540054 * float(row["train_standard_error"]) * np.sqrt(1 - DRAWN / ALL)
        self.assertAlmostEqual(float(row["train_interval_95"]), half, places=12)


if __name__ == "__main__":
    unittest.main(verbosity=2)
