"""tools/bundle_data.py: what travels to a GPU machine is as much as was asked for, and complete."""
import contextlib
import gzip
import io
import json
import lzma
import os
import shutil
import struct
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, os.fspath(ROOT / "tools"))

import bundle_data

try:
    import h5py
    import numpy as np
    MISSING = None
except ImportError as error:
    MISSING = f"h5py and numpy are needed: {error}"
    print(f"test_bundle_data: partly skipped, {MISSING}", file=sys.stderr)


def idx(extents, content):
    return gzip.compress(struct.pack(f">HBB{len(extents)}I", 0, 8, len(extents), *extents) + content)


class BundleData(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "out"

    def run_tool(self, *arguments):
        """Exit status or message, and what was written to standard error."""
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), mock.patch.object(sys, "argv", ["bundle_data.py", *map(str, arguments)]):
            try:
                bundle_data.main()
            except SystemExit as end:
                return end.code, errors.getvalue()
        return 0, errors.getvalue()

    def write(self, name, content=b""):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def config(self, name):
        return json.loads((self.out / f"{name}.json").read_text())

    def write_reference(self, records):
        for name in ("models/gold_resnet56.onnx", "reference/gold_resnet56_direction.h5"):
            self.write(name, name.encode())
        content = b"".join(bytes([k % 251]) * bundle_data.RECORD_BYTES for k in range(records))
        self.write("data/cifar10/data_batch_1.bin.xz", lzma.compress(content, preset=0))
        with h5py.File(self.folder / "reference/gold_resnet56_surface.h5", "w") as file:
            file["xcoordinates"], file["ycoordinates"] = [-1.0, 0.0, 1.0], [-2.0, 2.0]
            file["train_loss"], file["train_acc"] = np.arange(6.0).reshape(2, 3), 10 * np.arange(6.0).reshape(2, 3)
        return content

    @unittest.skipIf(MISSING, MISSING)
    def test_a_plane_of_pytorchs_and_the_same_over_more_images(self):
        content = self.write_reference(1300)
        self.assertEqual(self.run_tool("--reference", self.folder, "--images", 1200, self.out)[0], 0)
        self.assertEqual((self.out / "images.bin").read_bytes(), content[:1200 * bundle_data.RECORD_BYTES])
        configs = {name: self.config(name) for name in ("pytorch", "images", "headline")}
        subsets = {name: config["data"].get("subset") for name, config in configs.items()}
        self.assertEqual(subsets["pytorch"], {"train": {"start": 0, "count": 1000}})  # what PyTorch's losses are of
        self.assertEqual(subsets["images"], {"train": {"start": 0, "count": 1200}})
        self.assertEqual(configs["headline"]["data"]["count"], 50000)
        for name, config in configs.items():
            self.assertEqual(config["name"], name)
            self.assertEqual(config["x"], {"min": -1, "max": 1, "points": 3})
            self.assertEqual(config["y"], {"min": -2, "max": 2, "points": 2})
            self.assertTrue((self.out / config["model"]).is_file())
            self.assertTrue((self.out / config["directions"]["path"]).is_file())
        # Rows as the surface has them, x first.
        self.assertEqual(self.config("expected")[4], {"x": 0, "y": 2, "train_loss": 4, "train_accuracy": 40})

    @unittest.skipIf(MISSING, MISSING)
    def test_images_as_many_as_there_are(self):
        self.write_reference(1100)
        self.assertEqual(self.run_tool("--reference", self.folder, "--images", 999, self.out)[0], 2)
        self.assertIn("has 1100 images, not 1101", self.run_tool("--reference", self.folder, "--images", 1101, self.out)[0])
        self.assertEqual(self.run_tool("--reference", self.folder, self.out)[0], 0)
        self.assertEqual((self.out / "images.bin").stat().st_size, 1000 * bundle_data.RECORD_BYTES)
        self.assertFalse((self.out / "images.json").exists())  # would be PyTorch's plane once more

    def test_trajectories_as_the_tests_look_for_them(self):
        names = ["models/small/run/epoch_00.onnx", "models/small/run/epoch_01.onnx", "reference/small_run_pca.h5"]
        for name in [*names, "models/large.onnx", "reference/small_run_states.h5"]:
            self.write(name, name.encode())
        self.assertEqual(self.run_tool("--trajectories", self.folder, self.out)[0], 0)
        found = {os.fspath(file.relative_to(self.out)): file.read_bytes() for file in self.out.rglob("*") if file.is_file()}
        self.assertEqual(found, {name: name.encode() for name in names})

    def test_what_quickstart_runs(self):
        configs = self.folder / "configs"
        configs.mkdir()
        (configs / "demo").symlink_to(ROOT / "configs" / "demo")
        images = bytes(k * k % 256 for k in range(1100 * 4))
        self.write("images.gz", idx([1100, 2, 2], images))
        self.write("labels.gz", idx([1100], images[:1100]))
        given = {}
        for name in ("quickstart", "quickstart-path"):
            given[name] = json.loads((ROOT / "configs" / f"{name}.json").read_text())
            given[name]["data"]["train"] = {kind: [os.fspath(self.folder / f"{kind}.gz")] for kind in ("images", "labels")}
            (configs / f"{name}.json").write_text(json.dumps(given[name]))
        self.assertEqual(self.run_tool("--quickstart", configs, self.out)[0], 0)
        shutil.rmtree(configs)  # nothing outside is needed
        for name, count in (("quickstart", 1000), ("quickstart-path", 500)):
            config = self.config(name)
            train = config["data"]["train"]
            self.assertEqual((self.out / train["images"][0]).read_bytes()[:2], b"\x1f\x8b")
            self.assertEqual(gzip.decompress((self.out / train["images"][0]).read_bytes()),
                             gzip.decompress(idx([count, 2, 2], images[:4 * count])))
            self.assertEqual(gzip.decompress((self.out / train["labels"][0]).read_bytes()),
                             gzip.decompress(idx([count], images[:count])))
            del given[name]["$schema"]
            given[name]["data"]["train"] = train
            self.assertEqual(config, given[name])  # all else is as it was
        self.assertTrue((self.out / self.config("quickstart")["model"]).is_file())
        self.assertEqual(len(list(self.out.glob(self.config("quickstart-path")["checkpoints"]))), 13)

    def test_samples_that_are_not_installed(self):
        config = json.loads((ROOT / "configs" / "quickstart.json").read_text())
        config["data"]["train"]["images"] = ["/nowhere/images.gz"]
        self.write("quickstart.json", json.dumps(config).encode())
        self.assertIn("/nowhere/images.gz", self.run_tool("--quickstart", self.folder, self.out)[0])

    def test_one_kind_at_a_time(self):
        self.assertEqual(self.run_tool(self.out)[0], 2)
        self.assertIn("not allowed with", self.run_tool("--zoo", self.folder, "--reference", self.folder, self.out)[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
