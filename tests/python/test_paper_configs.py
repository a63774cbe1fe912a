"""Every configuration of configs/paper at reduced size, on the demo networks, against NumPy in fp64."""

import csv
import functools
import gzip
import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

# Before NumPy is loaded: with matrices as small as these, its threads mostly wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402

PAPER = support.ROOT / "configs" / "paper"
FASHION_MNIST = PAPER / "data" / "fashion_mnist.json"
COUNT, POINTS = 64, 5
REASON = support.REASON
if not REASON:
    import h5py
    import numpy as np
    from tests.support.numpy_network import NumpyNetwork

    absent = [file for split in ("train", "test") for files in json.loads(FASHION_MNIST.read_text())[split].values()
              for file in files if not Path(file).exists()]
    REASON = f"no data set at {absent[0]}" if absent else ""


def config_of(name):
    return json.loads((PAPER / f"{name}.json").read_text())


@functools.cache
def network(path):
    """A network or checkpoint by its path in the configurations."""
    return NumpyNetwork(PAPER / "../demo" / path)


def checkpoints(pattern):
    """Paths of all checkpoints of a run, as the configurations name them."""
    folder, name = pattern.split("/")
    return sorted(f"{folder}/{file.name}" for file in (PAPER / "../demo" / folder).glob(name))


@unittest.skipIf(REASON, REASON)
class PaperConfigs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        keep = tempfile.TemporaryDirectory()
        cls.addClassCleanup(keep.cleanup)
        cls.folder = Path(keep.name)
        cls.samples = {split: cls.shorten(split) for split in ("train", "test")}
        described = {**json.loads(FASHION_MNIST.read_text()),
                     **{split: {"images": [f"{split}-images"], "labels": [f"{split}-labels"]} for split in ("train", "test")}}
        cls.data = support.write_config(cls.folder, described, "data.json")
        # Pictures take longer than all the rest, and other tests look at them.
        stand_in = cls.folder / "gnuplot"
        stand_in.write_text("#!/bin/sh\necho drawn > picture\n")
        stand_in.chmod(0o700)
        os.environ["LOSSMAP_GNUPLOT"] = str(stand_in)
        cls.addClassCleanup(os.environ.pop, "LOSSMAP_GNUPLOT", None)

    @classmethod
    def shorten(cls, split):
        """Files of the first images of a split, so that no run unpacks all of them; returns the samples, normalised."""
        described = json.loads(FASHION_MNIST.read_text())
        arrays = []
        for kind, shape in (("images", [COUNT, 28, 28]), ("labels", [COUNT])):
            header = 4 + 4 * len(shape)
            with gzip.open(described[split][kind][0]) as file:
                content = file.read(header + int(np.prod(shape)))
            body = content[header:]
            sizes = np.array(shape, ">u4").tobytes()
            (cls.folder / f"{split}-{kind}").write_bytes(content[:4] + sizes + body)
            arrays.append(np.frombuffer(body, np.uint8).reshape(shape))
        (mean,), (deviation,) = described["normalize"]["mean"], described["normalize"]["std"]
        return (arrays[0][:, None] / 255 - mean) / deviation, arrays[1]

    @classmethod
    @functools.cache
    def run_config(cls, name):
        """Runs a configuration at reduced size; returns its folder."""
        config = config_of(name)
        changes = []
        if "data" in config:
            changes = [f"/data/file={cls.data}"]
            changes += [f"/data/subset/{split}/count={COUNT}" for split in config["data"]["subset"]]
        changes += [f"/{axis}/points={POINTS}" for axis in "xy" if axis in config]
        for number, axis in enumerate(config.get("sweep", [])):
            for value, values in enumerate(axis["values"]):
                for place, pointer in enumerate(axis["pointer"]):
                    if pointer in ("/x", "/y"):
                        values[place]["points"] = POINTS
                        changes.append(f"/sweep/{number}/values/{value}/{place}/points={POINTS}")
        options = [part for change in changes for part in ("--set", change)]
        out = cls.folder / name
        support.run_lossmap("run", PAPER / f"{name}.json", "--out", out, "--progress", "none", *options)
        return out

    def rows(self, name):
        with open(self.run_config(name) / "table.csv", newline="") as file:
            return list(csv.DictReader(file))

    def combinations(self, name):
        """(folder, value) of each combination of a sweep over one axis."""
        out = self.run_config(name)
        axis = config_of(name)["sweep"][0]
        parts = json.loads((out / "sweep.json").read_text())["combinations"]
        self.assertEqual([part["labels"][0] for part in parts], axis["labels"])
        return [(out / part["folder"], value) for part, value in zip(parts, axis["values"])]

    @classmethod
    @functools.cache
    def loss_of(cls, path, split):
        return network(path).loss(*cls.samples[split])

    def assert_close(self, ours, expected, message):
        """Losses (or norms) at 1e-4 relative; NaN is NaN."""
        np.testing.assert_allclose(float(ours), expected, rtol=1e-4, err_msg=str(message))

    def check_point(self, folder, split, index, net, weights):
        with h5py.File(folder / "surface.h5") as file:
            self.assertEqual(file[f"{split}_samples"][()].flat[0], COUNT)
            loss, accuracy = file[f"{split}_loss"][index], file[f"{split}_acc"][index]
        expected, error = net.loss(*self.samples[split], weights)
        self.assert_close(loss, expected, (folder.name, split, index))
        if np.isfinite(expected):
            self.assertAlmostEqual(accuracy, 100 - error, places=6, msg=f"{folder.name}, {split}")

    @staticmethod
    def directions(folder):
        """Direction of each axis by parameter, fp64, and the coordinates of the axes."""
        with h5py.File(folder / "direction.h5") as file:
            groups = [file[name] for name in ("xdirection", "ydirection") if name in file]
            axes = [{group[key].attrs["parameter"]: group[key][()].astype(np.float64) for key in group} for group in groups]
        with h5py.File(folder / "surface.h5") as file:
            coordinates = [file[name][()] for name in ("xcoordinates", "ycoordinates") if name in file]
        return axes, coordinates

    def check_landscape(self, folder, path, splits, indices):
        """Losses at some points (ix, or iy and ix) from the directions that the run has left."""
        net = network(path)
        axes, coordinates = self.directions(folder)
        self.assertTrue(all(len(one) == POINTS for one in coordinates))
        for index in indices:
            weights = dict(net.weights)
            steps = [one[k] for one, k in zip(coordinates, reversed(index))]
            for axis, step in zip(axes, steps):
                for name, direction in axis.items():
                    weights[name] = weights[name] + step * direction
            for split in splits:
                self.check_point(folder, split, index, net, weights)

    def check_random_directions(self, folder, path, normalization):
        """Lengths are those of the network's own filters or layers; single numbers are Gaussian where nothing is
        normalised; tensors of one dimension do not move."""
        net = network(path)
        axes, _ = self.directions(folder)
        for axis in axes:
            self.assertEqual(set(axis), set(net.parameters))
            for name, direction in axis.items():
                weight = net.weights[name]
                if weight.ndim < 2:
                    self.assertFalse(direction.any(), name)
                elif normalization == "filter":
                    ours, theirs = (np.linalg.norm(one.reshape(len(one), -1), axis=1) for one in (direction, weight))
                    np.testing.assert_allclose(ours, theirs, rtol=1e-5, err_msg=name)
                elif normalization == "layer":
                    np.testing.assert_allclose(np.linalg.norm(direction), np.linalg.norm(weight), rtol=1e-5, err_msg=name)
            if normalization == "none":
                numbers = np.concatenate([one.ravel() for one in axis.values() if one.ndim > 1])
                self.assertAlmostEqual(numbers.std(), 1, delta=0.02)

    def check_random_sweep(self, name, splits, indices, normalization):
        for number, (folder, path) in enumerate(self.combinations(name)):
            self.check_random_directions(folder, path, normalization)
            self.check_landscape(folder, path, splits[number % len(splits):][:1], indices)
        for row, (_, path) in zip(self.rows(name), self.combinations(name)):
            for split in ("train", "test"):
                self.assert_close(row[f"{split}_loss"], self.loss_of(path, split)[0], (name, path, split))
                self.assertAlmostEqual(float(row[f"{split}_error"]), self.loss_of(path, split)[1], places=6)

    def test_figure_8(self):
        rows = iter(self.rows("figure08"))
        for run in config_of("figure08")["runs"]:
            for epoch, iteration, path in zip(run["epochs"], run["iterations"], checkpoints(run["checkpoints"])):
                row = next(rows)
                self.assertEqual([row["run"], row["epoch"], row["iteration"]], [run["label"], str(epoch), str(iteration)])
                net = network(path)
                for column, least in (("weight_norm", 1), ("filter_norm", 2)):
                    parts = [net.weights[name].ravel() for name in net.parameters if net.weights[name].ndim >= least]
                    self.assertAlmostEqual(float(row[column]), np.linalg.norm(np.concatenate(parts)), places=9)
        self.assertIsNone(next(rows, None))

    def test_figures_9_to_11(self):
        for name, normalization in (("figure09", "none"), ("figure10", "layer"), ("figure11", "filter")):
            with self.subTest(name):
                self.check_random_sweep(name, ["train", "test"], [(4,)], normalization)

    def test_figure_12(self):
        x = config_of("figure12")["x"]
        steps = np.linspace(x["min"], x["max"], POINTS)
        for folder, (start, end) in self.combinations("figure12"):
            net, other = network(start), network(end)
            for index, split in ((0, "train"), (1, "test"), (3, "train"), (4, "test")):
                weights = {name: value + steps[index] * (other.weights[name] - value) for name, value in net.weights.items()}
                self.check_point(folder, split, (index,), net, weights)

    def test_figure_13(self):
        self.check_random_sweep("figure13", ["train"], [(3, 0)], "filter")

    def check_repetitions(self, name, splits, indices):
        """Each repetition has the bits of a plain run of its seed, and those are checked as any landscape."""
        config = config_of(name)
        out, path, seed, count = self.run_config(name), config["model"], config["directions"]["seed"], config["count"]
        with h5py.File(out / "surface.h5") as file:
            self.assertEqual(file["seeds"][()].tolist(), list(range(seed, seed + count)))
            losses = {split: file[f"{split}_loss"][()] for split in splits}
        for split in splits:
            self.assertEqual(len({repetition.tobytes() for repetition in losses[split]}), count)
        for repetition in (0, count - 1):
            plain = {**config, "experiment": "surface", "networks": str(PAPER / "../demo"), "splits": splits,
                     "directions": {**config["directions"], "seed": seed + repetition},
                     "data": {"file": str(self.data), "subset": {split: {"start": 0, "count": COUNT} for split in splits}},
                     **{axis: {**config[axis], "points": POINTS} for axis in "xy" if axis in config}}
            del plain["count"], plain["$schema"]
            folder = self.folder / f"{name}-{repetition}"
            file = support.write_config(self.folder, plain, f"{name}-{repetition}.json")
            support.run_lossmap("run", file, "--out", folder, "--progress", "none")
            self.check_random_directions(folder, path, "filter")
            self.check_landscape(folder, path, splits, indices)
            with h5py.File(folder / "surface.h5") as file:
                for split in splits:
                    self.assertEqual(file[f"{split}_loss"][()].tobytes(), losses[split][repetition].tobytes())

    def test_figure_14(self):
        self.check_repetitions("figure14", ["test"], [(1,)])

    def test_figure_15(self):
        self.check_repetitions("figure15", ["train"], [(1, 4)])

    def check_run_losses(self, name):
        rows = iter(self.rows(name))
        for number, run in enumerate(config_of(name)["runs"]):
            pattern = run["checkpoints"]
            paths = checkpoints(pattern) if isinstance(pattern, str) else pattern
            mine = [next(rows) for _ in paths]
            self.assertEqual([(row["run"], int(row["epoch"])) for row in mine], [(run["label"], k) for k in run["epochs"]])
            for k in {number % len(paths), len(paths) - 1}:
                for split in ("train", "test"):
                    loss, error = self.loss_of(paths[k], split)
                    self.assert_close(mine[k][f"{split}_loss"], loss, (paths[k], split))
                    self.assertAlmostEqual(float(mine[k][f"{split}_error"]), error, places=6)
        self.assertIsNone(next(rows, None))

    def test_figure_16(self):
        self.check_run_losses("figure16")

    def test_figure_17(self):
        self.check_run_losses("figure17")

    def check_path(self, folder, pattern, components):
        """The path's coordinates in the plane, shares of its variance, and losses beside it and on it."""
        paths = checkpoints(pattern)
        end = network(paths[-1])
        moving = [name for name in end.parameters if end.weights[name].ndim > 1 or not components]
        flat = [np.concatenate([network(path).weights[name].ravel() for name in moving]) for path in paths]
        rows = np.stack(flat) - flat[-1]
        axes = np.stack([np.concatenate([axis[name].ravel() for name in moving]) for axis in self.directions(folder)[0]])
        np.testing.assert_allclose(np.linalg.norm(axes, axis=1), 1, rtol=1e-5)
        with h5py.File(folder / "trajectory.h5") as file:
            content = {name: file[name][()] for name in file}
        np.testing.assert_array_equal(content["epochs"], range(13))
        np.testing.assert_array_equal(content["lr_drops"], config_of("figure18")["lr_drops"])
        coordinates = (rows @ axes.T).T
        scale = np.linalg.norm(rows, axis=1).max()
        np.testing.assert_allclose([content["proj_xcoord"], content["proj_ycoord"]], coordinates, atol=1e-5 * scale)
        self.assert_close(content["train_checkpoint_loss"][-1], self.loss_of(paths[-1], "train")[0], folder.name)
        if components:
            _, singular, vectors = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
            np.testing.assert_allclose(np.abs(np.sum(axes * vectors[:2], axis=1)), 1, atol=1e-4)
            with h5py.File(folder / "direction.h5") as file:
                ratio = singular ** 2 / np.sum(singular ** 2)
                np.testing.assert_allclose(file["explained_variance_ratio_"][()], ratio[:2], rtol=1e-5)

    def test_figure_18(self):
        for folder, pattern in self.combinations("figure18"):
            self.check_path(folder, pattern, components=True)
            self.check_landscape(folder, checkpoints(pattern)[-1], ["train"], [(1, 3)])

    def test_figure_19(self):
        pattern = config_of("figure19")["checkpoints"]
        for folder, _ in self.combinations("figure19"):
            self.check_path(folder, pattern, components=False)
            self.check_landscape(folder, checkpoints(pattern)[-1], ["train"], [(1, 3)])

    def test_tables(self):
        for name in ("table1", "table2"):
            config = config_of(name)
            rows = self.rows(name)
            self.assertEqual([row["model"] for row in rows], config["labels"])
            for row, path in zip(rows, config["models"]):
                for split in ("train", "test"):
                    loss, error = self.loss_of(path, split)
                    self.assert_close(row[f"{split}_loss"], loss, (path, split))
                    self.assertAlmostEqual(float(row[f"{split}_error"]), error, places=6)

    def test_every_configuration_is_here(self):
        figures = [f"figure{number:02}" for number in range(8, 20)]
        self.assertEqual(sorted(file.stem for file in PAPER.glob("*.json")), [*figures, "table1", "table2"])


@unittest.skipIf(support.REASON, support.REASON)
class OtherNetworks(unittest.TestCase):
    def test_two_paths_change(self):
        """What configs/paper/README.md says: the folder of networks and the file of the data."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            described = {"format": "synthetic", "count": COUNT}
            (folder / "nets").symlink_to((PAPER / "../demo").resolve())
            support.write_config(folder, described, "data.json")
            output = support.run_lossmap("validate", PAPER / "figure16.json", "--set", f"/networks={folder / 'nets'}",
                                         "--set", f"/data/file={folder / 'data.json'}", "--set", '/data/subset={}')
            self.assertIn("synthetic", output.stdout)
        for key in ("train", "test"):
            self.assertIn(key, json.loads((PAPER / "data" / "cifar10.json").read_text()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
