"""What a run leaves behind: numbers against NumPy in fp64, HDF5 files as documented, pictures, page, table."""

import csv
import json
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402

if not support.REASON:
    import h5py
    import numpy as np

NAMES = ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")


def mlp_loss(weights, x, y):
    """Mean cross-entropy and accuracy in percent, fp64."""
    w = [np.asarray(weights[name], np.float64) for name in NAMES]
    logits = np.tanh(x.astype(np.float64) @ w[0].T + w[1]) @ w[2].T + w[3]
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]
    return losses.mean(), 100.0 * (logits.argmax(axis=1) == y).mean()


def read_direction(file, group):
    return {name: file[group][str(k)][()] for k, name in enumerate(NAMES)}


@unittest.skipIf(support.REASON, support.REASON)
class Plane(unittest.TestCase):
    """A plane with nx != ny over two splits."""

    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.keep.name)
        config = support.line_config(cls.folder, x=support.axis(-1, 1, 5), y=support.axis(-0.5, 1, 3), splits=["train", "test"])
        cls.weights = support.write_mlp(cls.folder / "net.onnx")
        cls.samples = {"train": support.write_samples(cls.folder / "samples.npz"),
                       "test": support.write_samples(cls.folder / "test.npz", count=9, seed=8)}
        config["data"]["test"] = "test.npz"
        config["data"]["chunk"] = 7
        cls.file = support.write_config(cls.folder, config)
        cls.out = cls.folder / "out"
        cls.process = support.run_lossmap("run", cls.file, "--out", cls.out, "--progress", "none")

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    def test_numbers(self):
        with h5py.File(self.out / "surface.h5") as surface, h5py.File(self.out / "direction.h5") as directions:
            dx, dy = read_direction(directions, "xdirection"), read_direction(directions, "ydirection")
            xs, ys = surface["xcoordinates"][()], surface["ycoordinates"][()]
            np.testing.assert_array_equal(xs, np.linspace(-1, 1, 5))
            np.testing.assert_array_equal(ys, np.linspace(-0.5, 1, 3))
            for split, (x, y) in self.samples.items():
                self.assertEqual(surface[f"{split}_loss"].shape, (3, 5))
                for iy, b in enumerate(ys):
                    for ix, a in enumerate(xs):
                        moved = {n: self.weights[n] + a * dx[n] + b * dy[n] for n in NAMES}
                        loss, accuracy = mlp_loss(moved, x, y)
                        self.assertAlmostEqual(surface[f"{split}_loss"][iy, ix], loss, delta=1e-5 * loss)
                        self.assertAlmostEqual(surface[f"{split}_acc"][iy, ix], accuracy, delta=100.0 / len(y) + 1e-9)

    def test_documented_datasets(self):
        with h5py.File(self.out / "surface.h5") as file:
            self.assertEqual(file["dir_file"][()].decode(), "direction.h5")
            for split, (x, _) in self.samples.items():
                self.assertEqual(file[f"{split}_loss"].dtype, np.float64)
                self.assertEqual(file[f"{split}_acc"].dtype, np.float64)
                self.assertEqual(file[f"{split}_done"].dtype, np.uint8)
                self.assertTrue((file[f"{split}_done"][()] == 1).all())
                self.assertEqual(file[f"{split}_non_finite"].dtype, np.int64)
                self.assertTrue((file[f"{split}_samples"][()] == len(x)).all())
                self.assertTrue((file[f"{split}_standard_error"][()] > 0).all())
            provenance = json.loads(file.attrs["lossmap_provenance"])
            self.assertEqual(provenance["config"]["x"]["points"], 5)
            self.assertEqual(len(file.attrs["lossmap_identity"]), 32)
        with h5py.File(self.out / "direction.h5") as file:
            self.assertEqual(sorted(file["xdirection"]), ["0", "1", "2", "3"])
            for group in ("xdirection", "ydirection"):
                for k, name in enumerate(NAMES):
                    data = file[group][str(k)]
                    self.assertEqual((data.shape, data.dtype, data.attrs["parameter"]), (self.weights[name].shape, np.float32, name))
                    if data.ndim == 1:
                        self.assertTrue((data[()] == 0).all())
                    else:  # filter normalisation
                        np.testing.assert_allclose(np.linalg.norm(data[()], axis=1), np.linalg.norm(self.weights[name], axis=1), rtol=1e-5)
            dx, dy = (np.concatenate([file[g][str(k)][()].ravel() for k in range(4)]).astype(np.float64)
                      for g in ("xdirection", "ydirection"))
            self.assertAlmostEqual(file.attrs["lossmap_cosine"], dx @ dy / np.linalg.norm(dx) / np.linalg.norm(dy), places=9)
            entries = support.HIDDEN * support.FEATURES + support.CLASSES * support.HIDDEN
            self.assertAlmostEqual(file.attrs["lossmap_expected_absolute_cosine"], np.sqrt(2 / (np.pi * entries)), places=12)

    def test_files_and_stdout(self):
        names = {str(path.relative_to(self.out)) for path in self.out.rglob("*") if path.is_file()}
        pictures = {f"plots/{split}_{kind}.svg" for split in ("train", "test") for kind in ("contour", "filled", "heatmap", "surface3d")}
        expected = {"config.resolved.json", "direction.h5", "surface.h5", "report.html", *pictures}
        self.assertEqual({name for name in names if not name.startswith("journal.sqlite")}, expected | {"log.txt"})
        self.assertEqual({str(Path(line).relative_to(self.out)) for line in self.process.stdout.splitlines()}, expected)
        self.assertIn("cosine of the directions", (self.out / "log.txt").read_text())

    def test_resolved_configuration_gives_the_same_run(self):
        resolved = json.loads((self.out / "config.resolved.json").read_text())
        self.assertEqual(resolved["directions"], {"kind": "random", "seed": 1, "normalization": "filter", "ignore": ["1d"]})
        self.assertEqual(resolved["data"]["chunk"], 7)
        provenance = resolved["provenance"]
        for key in ("program", "identity", "hashes", "device", "libraries", "plan"):
            self.assertTrue(provenance[key], key)
        again = support.run_lossmap("run", self.out / "config.resolved.json", "--out", self.out, "--progress", "none")
        self.assertIn("units are in the journal", again.stderr)

    def test_direction_file_gives_the_same_surface(self):
        shutil.copy(self.out / "direction.h5", self.folder / "d.h5")
        out = self.folder / "from_file"
        support.run_lossmap("run", self.file, "--out", out, "--progress", "none", "--set",
                            '/directions={"kind": "file", "path": "d.h5"}')
        with h5py.File(out / "surface.h5") as again, h5py.File(self.out / "surface.h5") as first:
            self.assertEqual(again["test_loss"][()].tobytes(), first["test_loss"][()].tobytes())

    def test_plot_and_report(self):
        copy = self.folder / "elsewhere" / "copy.h5"
        copy.parent.mkdir()
        shutil.copy(self.out / "surface.h5", copy)
        process = support.run_lossmap("plot", copy, "--kind", "contour", "--format", "png")
        files = process.stdout.splitlines()
        self.assertEqual([Path(name).name for name in files], ["copy_train_contour.png", "copy_test_contour.png"])
        self.assertTrue(all(Path(name).read_bytes().startswith(b"\x89PNG") for name in files))
        one = self.folder / "one.svg"
        support.run_lossmap("plot", self.out, "--kind", "heatmap", "--vmin", "0.5", "--vmax", "4", "--out", one)
        self.assertIn(b"<svg", one.read_bytes())
        support.run_lossmap("plot", self.out, "--kind", "line", expect=2)
        page = self.folder / "page.html"
        support.run_lossmap("report", self.out, copy, "--out", page)
        self.assertIn("<html", page.read_text()[:1000].lower())

    def test_export(self):
        run = shutil.copytree(self.out, self.folder / "exported")
        process = support.run_lossmap("export", run, "--format", "csv")
        table = Path(process.stdout.strip())
        self.assertEqual(table, run / "surface.csv")
        with h5py.File(run / "surface.h5") as file:
            points = file["train_loss"][()].size
        self.assertEqual(len(table.read_text().splitlines()), points + 1)
        mesh = self.folder / "mesh.vtp"
        support.run_lossmap("export", run / "surface.h5", "--format", "vtp", "--log", "--out", mesh)
        self.assertIn("zvalue", mesh.read_text())
        support.run_lossmap("export", run, "--format", "png", expect=2)


@unittest.skipIf(support.REASON, support.REASON)
class Others(unittest.TestCase):
    def setUp(self):
        self.keep = tempfile.TemporaryDirectory()
        self.addCleanup(self.keep.cleanup)
        self.folder = Path(self.keep.name)
        self.config = support.line_config(self.folder)

    def run_it(self, name="out", config=None, *arguments):
        file = support.write_config(self.folder, config or self.config)
        support.run_lossmap("run", file, "--out", self.folder / name, "--progress", "none", *arguments)
        return self.folder / name

    def line(self, name="out", config=None):
        with h5py.File(self.run_it(name, config) / "surface.h5") as file:
            return file["train_loss"][()]

    def test_passes_that_are_left_out(self):
        """Another identity, the same surface but for rounding."""
        file = support.write_config(self.folder, self.config)
        plain, other = self.folder / "plain", self.folder / "other"
        support.run_lossmap("run", file, "--out", plain, "--progress", "none")
        support.run_lossmap("run", file, "--out", other, "--disable-pass", "bias_add", "--disable-pass", "constant_folding",
                            "--disable-pass", "split_stages", "--progress", "none")
        with h5py.File(plain / "surface.h5") as a, h5py.File(other / "surface.h5") as b:
            np.testing.assert_allclose(b["train_loss"][:], a["train_loss"][:], rtol=1e-6)
        resolved = [json.loads((out / "config.resolved.json").read_text()) for out in (plain, other)]
        self.assertNotEqual(*(config["provenance"]["identity"] for config in resolved))
        self.assertEqual([name for name, on in resolved[1]["passes"].items() if not on],
                         ["constant_folding", "bias_add", "split_stages"])
        self.assertTrue(all(resolved[0]["passes"].values()))
        process = support.run_lossmap("run", file, "--out", plain, "--disable-pass", "activation", expect=2)
        self.assertIn("passes", process.stderr)
        self.assertIn("bias_add", support.run_lossmap("run", file, "--disable-pass", "bias", expect=2).stderr)

    def test_difference_joins_two_networks(self):
        weights = [support.write_mlp(self.folder / "net.onnx", 0), support.write_mlp(self.folder / "other.onnx", 5)]
        x, y = support.write_samples(self.folder / "samples.npz")
        self.config.update(directions={"kind": "difference", "models": ["other.onnx"]}, x=support.axis(0, 1, 2))
        loss = self.line()
        for k in range(2):
            self.assertAlmostEqual(loss[k], mlp_loss(weights[k], x, y)[0], delta=1e-5)

    def test_checkpoint_takes_the_place_of_the_weights(self):
        other = support.write_mlp(self.folder / "other.onnx", 5)
        np.savez(self.folder / "ckpt.npz", **other)
        expected = None
        for model in ("other.onnx", {"path": "net.onnx", "parameters": "ckpt.npz"}, {"path": "net.onnx", "parameters": "other.onnx"}):
            loss = self.line(f"out_{expected is not None}_{isinstance(model, str)}_{len(str(model))}", {**self.config, "model": model})
            expected = loss if expected is None else expected
            self.assertEqual(loss.tobytes(), expected.tobytes())

    def test_direction_of_arrays_by_name(self):
        np.savez(self.folder / "d.npz", **{"net.fc2.bias": np.array([1, 2, 3], np.float32)})
        self.config.update(directions={"x": {"kind": "file", "path": "d.npz", "prefix": "net."}}, x=support.axis(-1, 1, 3))
        out = self.run_it()
        weights = support.write_mlp(self.folder / "net.onnx")
        x, y = support.write_samples(self.folder / "samples.npz")
        weights["fc2.bias"] = weights["fc2.bias"] + np.array([1, 2, 3])
        with h5py.File(out / "surface.h5") as file:
            self.assertAlmostEqual(file["train_loss"][2], mlp_loss(weights, x, y)[0], delta=1e-5)
        self.assertIn("not moving: fc1.weight, fc1.bias, fc2.weight", (out / "log.txt").read_text())

    def test_infinity_is_a_result(self):
        np.savez(self.folder / "d.npz", **{"fc2.bias": np.array([np.inf, 0, 0], np.float32)})
        self.config.update(directions={"kind": "file", "path": "d.npz"}, x=support.axis(1, 1, 1))
        out = self.run_it()
        with h5py.File(out / "surface.h5") as file:
            self.assertEqual(file["train_done"][0], 1)
            self.assertFalse(np.isfinite(file["train_loss"][0]))
            self.assertEqual(file["train_non_finite"][0], 20)

    def test_evaluate_writes_a_table(self):
        weights = {f"e_{k}.onnx": support.write_mlp(self.folder / f"e_{k}.onnx", k) for k in (2, 10)}
        x, y = support.write_samples(self.folder / "samples.npz")
        config = {"experiment": "evaluate", "models": "e_*.onnx", "data": self.config["data"]}
        out = self.run_it("table", config)
        with open(out / "table.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([Path(row["model"]).name for row in rows], ["e_2.onnx", "e_10.onnx"])
        for row in rows:
            loss, accuracy = mlp_loss(weights[Path(row["model"]).name], x, y)
            self.assertAlmostEqual(float(row["train_loss"]), loss, delta=1e-5)
            self.assertAlmostEqual(float(row["train_error"]), 100 - accuracy, delta=1e-6)
        self.assertIn("| train loss |", (out / "table.md").read_text())
        self.assertIn("\\begin{tabular}{lrr}", (out / "table.tex").read_text())
        self.assertFalse((out / "surface.h5").exists())

    def test_default_folder_and_validate(self):
        file = support.write_config(self.folder, self.config)
        support.run_lossmap("run", file, "--progress", "none", cwd=self.folder)
        self.assertTrue((self.folder / "runs" / "line" / "surface.h5").exists())
        process = support.run_lossmap("validate", file)
        for part in ("valid", "5 points", "100 (points x samples)", "estimate", "memory"):
            self.assertIn(part, process.stdout)

    def test_inspect_json(self):
        summary = json.loads(support.run_lossmap("inspect", self.folder / "net.onnx", "--json").stdout)
        self.assertTrue(summary["supported"])
        self.assertEqual([p["name"] for p in summary["parameters"]], list(NAMES))
        self.assertEqual([p["role"] for p in summary["parameters"]], ["filter_weight", "bias", "filter_weight", "bias"])
        self.assertEqual(summary["parameters"][0]["filter_axis"], 0)
        self.assertEqual(summary["operators"], {"Gemm": 2, "Tanh": 1})
        self.assertEqual(summary["macs"], support.FEATURES * support.HIDDEN + support.HIDDEN * support.CLASSES)
        text = support.run_lossmap("inspect", self.folder / "net.onnx").stdout
        self.assertIn("fc1.weight", text)

    def test_options_may_stand_before_the_configuration(self):
        file = support.write_config(self.folder, self.config)
        support.run_lossmap("run", "--set", "/x/points=2", "--set", "/name=other", file, "--progress", "none", cwd=self.folder)
        with h5py.File(self.folder / "runs" / "other" / "surface.h5") as surface:
            self.assertEqual(surface["train_loss"].shape, (2,))
        process = support.run_lossmap("plot", "--kind", "line", "runs/other", "--format", "pdf", cwd=self.folder)
        self.assertEqual(process.stdout, "runs/other/plots/line.pdf\n")

    def test_progress_json_goes_to_stdout(self):
        file = support.write_config(self.folder, self.config)
        process = support.run_lossmap("run", file, "--out", self.folder / "out", "--progress", "json")
        events = [json.loads(line) for line in process.stdout.splitlines()]
        self.assertEqual(events[-1]["event"], "done")
        self.assertEqual(events[-2]["finished_units"], events[-2]["total_units"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
