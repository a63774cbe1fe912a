"""The networks under configs/demo: complete, of the promised form, and small."""
import csv
import json
import math
import pathlib
import sys
import unittest

try:
    import onnx
    from onnx import numpy_helper
    MISSING = None
except ImportError as error:
    MISSING = f"onnx is needed: {error}"
    print(f"test_demo_networks: skipped, {MISSING}", file=sys.stderr)

DEMO = pathlib.Path(__file__).resolve().parents[2] / "configs" / "demo"
SIZE_LIMIT = 18_000_000  # bytes; the repository keeps them


class DemoNetworksTest(unittest.TestCase):
    def runs(self):
        return sorted(x.parent for x in DEMO.glob("*/settings.json"))

    def test_all_runs_are_there(self):
        vgg9 = [f"vgg9_{optimizer}_wd{decay}_bs{batch}" for optimizer in ("sgd", "adam") for decay in ("0", "5e-4")
                for batch in (128, 2048)]
        resnets = ["resnet20", "resnet56", "resnet56_noshort"]
        self.assertLessEqual({*vgg9, *resnets}, {x.name for x in self.runs()})

    def test_size(self):
        self.assertLess(sum(x.stat().st_size for x in DEMO.rglob("*") if x.is_file()), SIZE_LIMIT)

    def test_logs(self):
        for run in self.runs():
            with self.subTest(run.name):
                settings = json.loads((run / "settings.json").read_text())
                rows = list(csv.DictReader((run / "train.csv").read_text().splitlines()))
                epochs = [int(x["epoch"]) for x in rows]
                self.assertEqual(epochs, sorted(set(epochs)))
                self.assertEqual((epochs[0], epochs[-1]), (0, settings["epochs"]))
                steps = math.ceil(settings["train_images"] / settings["batch"])
                self.assertEqual([int(x["iteration"]) for x in rows], [steps * i for i in epochs])
                self.assertAlmostEqual(float(rows[-1]["test_loss"]), settings["final"]["test_loss"], places=6)
                # Without shortcuts, 56 layers hardly train: the contrast that the networks are here to show.
                self.assertLess(settings["final"]["test_error"], 50 if "noshort" in run.name else 20)
                names = sorted(x.name for x in run.glob("*.onnx"))
                expected = ["model.onnx"] if settings["keep"] == "last" else [f"epoch_{i:02d}.onnx" for i in epochs]
                self.assertEqual(names, expected)

    @unittest.skipIf(MISSING, MISSING)
    def test_models(self):
        for run in self.runs():
            settings = json.loads((run / "settings.json").read_text())
            norms = 8 if settings["arch"] == "vgg9" else int(settings["arch"][6:]) - 1 + 2 * settings["shortcuts"]
            layouts = set()
            for path in sorted(run.glob("*.onnx")):
                with self.subTest(f"{run.name}/{path.name}"):
                    proto = onnx.load(str(path))
                    onnx.checker.check_model(proto)
                    tensors = {x.name: numpy_helper.to_array(x) for x in proto.graph.initializer}
                    names = json.loads({x.key: x.value for x in proto.metadata_props}["lossmap.parameters"])
                    self.assertEqual(sum(tensors[x].size for x in names), settings["parameters"])
                    rest = [x for x in tensors if x not in names]
                    self.assertTrue(all(x.endswith((".running_mean", ".running_var")) for x in rest), rest)
                    self.assertEqual([x.op_type for x in proto.graph.node].count("BatchNormalization"), norms)
                    layouts.add(json.dumps([(x, tensors[x].shape) for x in names]))
            self.assertEqual(len(layouts), 1)


if __name__ == "__main__":
    unittest.main()
