"""tools/train_demo.py and its parts: data readers, networks, schedule, a tiny run twice."""
import contextlib
import csv
import gzip
import io
import json
import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))

try:
    import numpy as np
    import onnx
    import torch

    import demo_data
    import train_demo
    from demo_networks import make_network
    MISSING = None
except (ImportError, SystemExit) as error:
    MISSING = f"torch, onnx and numpy are needed: {error}"
    print(f"test_train_demo: skipped, {MISSING}", file=sys.stderr)


def write_idx(path, array):
    """Writes uint8 values as a compressed IDX file."""
    with gzip.open(path, "wb") as file:
        file.write(bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes())


@unittest.skipIf(MISSING, MISSING)
class TrainDemoTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        random = np.random.default_rng(1)
        for stem, count in (("train", 40), ("t10k", 20)):
            labels = (np.arange(count) % 10).astype(np.uint8)
            images = random.integers(0, 50, (count, 28, 28), dtype=np.uint8) + labels[:, None, None] * 20
            write_idx(os.path.join(self.folder, f"{stem}-images-idx3-ubyte.gz"), images)
            write_idx(os.path.join(self.folder, f"{stem}-labels-idx1-ubyte.gz"), labels)

    def run_tool(self, *arguments):
        """(exit status, stderr) of the tool."""
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            try:
                status = train_demo.main(list(arguments))
            except SystemExit as stop:
                status = stop.code
        return status, errors.getvalue()

    def test_run_is_complete_and_repeatable(self):
        contents = []
        for name in ("a", "b"):
            out = os.path.join(self.folder, name)
            status, errors = self.run_tool("--arch", "vgg9", "--width", "2", "--batch", "13", "--epochs", "2", "--subset",
                                           "39", "--data", self.folder, "--threads", "1", "--out", out)
            self.assertEqual((status, errors), (0, ""))
            self.assertEqual(sorted(os.listdir(out)), ["epoch_00.onnx", "epoch_01.onnx", "epoch_02.onnx", "settings.json",
                                                       "train.csv"])
            contents.append({x.name: x.read_bytes() for x in pathlib.Path(out).iterdir()})
        self.assertEqual(contents[0], contents[1])
        rows = list(csv.DictReader(io.StringIO(contents[0]["train.csv"].decode())))
        self.assertEqual([(x["epoch"], x["iteration"]) for x in rows], [("0", "0"), ("1", "3"), ("2", "6")])
        settings = json.loads(contents[0]["settings.json"])
        self.assertEqual(settings["train_images"], 39)
        self.assertAlmostEqual(settings["final"]["train_loss"], float(rows[-1]["train_loss"]), places=6)
        self.assertNotIn(self.folder.encode(), contents[0]["settings.json"])
        proto = onnx.load_from_string(contents[0]["epoch_02.onnx"])
        self.assertEqual([x.op_type for x in proto.graph.node].count("BatchNormalization"), 8)

    def test_last_checkpoint_only(self):
        out = os.path.join(self.folder, "out")
        status, _ = self.run_tool("--arch", "resnet20", "--noshort", "--width", "2", "--epochs", "1", "--optimizer", "adam",
                                  "--keep", "last", "--data", self.folder, "--threads", "1", "--out", out)
        self.assertEqual(status, 0)
        self.assertEqual(sorted(os.listdir(out)), ["model.onnx", "settings.json", "train.csv"])
        self.assertNotIn("Add", [x.op_type for x in onnx.load(os.path.join(out, "model.onnx")).graph.node])

    def test_wrong_input(self):
        base = ["--arch", "vgg9", "--data", self.folder, "--out", os.path.join(self.folder, "out")]
        for extra in (["--subset", "41"], ["--data", os.path.join(self.folder, "absent")], ["--batch", "0"], ["--noshort"],
                      ["--arch", "vgg11"], ["--lr", "0"], ["--dataset", "cifar10"]):
            status, errors = self.run_tool(*base, *extra)
            self.assertEqual(status, 2, extra)
            self.assertNotIn("Traceback", errors)
            self.assertTrue(errors.strip().splitlines()[-1].startswith("train_demo.py: "), errors)

    def test_damaged_files(self):
        path = os.path.join(self.folder, "t10k-labels-idx1-ubyte.gz")
        write_idx(path, np.zeros(19, np.uint8))
        with self.assertRaisesRegex(demo_data.DataError, "20 images but 19 labels"):
            demo_data.load_images("fashion_mnist", self.folder, "test")
        for content, message in ((b"\0\0\x08\1\0\0\0\5ab", "damaged"), (b"\0\0\x0d\1\0\0\0\0", "not an IDX file"),
                                 (b"", "not an IDX file")):
            with gzip.open(path, "wb") as file:
                file.write(content)
            with self.assertRaisesRegex(demo_data.DataError, message):
                demo_data.load_images("fashion_mnist", self.folder, "test")
        with open(path, "wb") as file:
            file.write(b"no gzip")
        with self.assertRaisesRegex(demo_data.DataError, "cannot read"):
            demo_data.load_images("fashion_mnist", self.folder, "test")

    def test_cifar_reader(self):
        record = np.arange(3073) % 251
        for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
            np.stack([record, record]).astype(np.uint8).tofile(os.path.join(self.folder, name))
        images, labels = demo_data.load_images("cifar10", self.folder, "train")
        self.assertEqual((images.shape, labels.tolist()), ((10, 3, 32, 32), [0] * 10))
        self.assertEqual(images[0, 1, 0, 0], 1025 % 251)
        with open(os.path.join(self.folder, "test_batch.bin"), "ab") as file:
            file.write(b"x")
        with self.assertRaisesRegex(demo_data.DataError, "whole number of records"):
            demo_data.load_images("cifar10", self.folder, "test")

    def test_learning_rate_drops_where_the_paper_has_them(self):
        rates = [train_demo.learning_rate(0.1, epoch, 300) for epoch in range(1, 301)]
        drops = [i + 1 for i in range(299) if rates[i + 1] < rates[i]]
        self.assertEqual(drops, [150, 225, 275])
        self.assertAlmostEqual(rates[-1], 1e-4)

    def test_networks(self):
        # ResNet-20 of width 16 with 1x1 shortcuts for CIFAR-10: 0.27 million weights, and two 1x1 shortcuts.
        convolutions = {"resnet20": 21, "resnet56": 57, "resnet110": 111}
        for arch, count in convolutions.items():
            for shortcut in (True, False):
                net = make_network(arch, 4, (3, 32, 32), shortcut=shortcut)
                found = sum(isinstance(x, torch.nn.Conv2d) for x in net.modules())
                self.assertEqual(found, count if shortcut else count - 2)
        net = make_network("resnet20", 16, (3, 32, 32))
        self.assertEqual(sum(p.numel() for p in net.parameters()), 272474)
        self.assertEqual(net(torch.zeros(2, 3, 32, 32)).shape, (2, 10))
        self.assertEqual(make_network("vgg9", 4, (1, 28, 28))(torch.zeros(2, 1, 28, 28)).shape, (2, 10))
        with self.assertRaisesRegex(ValueError, "unknown architecture"):
            make_network("vgg", 4, (1, 28, 28))


if __name__ == "__main__":
    unittest.main()
