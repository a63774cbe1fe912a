"""What the user handed in is wrong: one sentence, exit status 2, and nothing written."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402

if not support.REASON:
    import numpy as np


@unittest.skipIf(support.REASON, support.REASON)
class Refusals(unittest.TestCase):
    def setUp(self):
        self.keep = tempfile.TemporaryDirectory()
        self.addCleanup(self.keep.cleanup)
        self.folder = Path(self.keep.name)
        self.config = support.line_config(self.folder)

    def refused(self, *parts, arguments=()):
        """Runs and validates the configuration; both must be refused with a sentence that holds all parts."""
        file = support.write_config(self.folder, self.config)
        out = self.folder / "out"
        for command in (("run", file, "--out", out), ("validate", file), ("run", file, "--out", out, "--dry-run")):
            process = support.run_lossmap(*command, *arguments, "--log-level", "off", expect=2)
            self.assertEqual(process.stdout, "")
            self.assertEqual(process.stderr.count("\n"), 1, process.stderr)
            self.assertTrue(process.stderr.startswith("lossmap: error: "), process.stderr)
            for part in parts:
                self.assertIn(part, process.stderr)
            self.assertFalse(out.exists(), "a refused run must leave nothing behind")

    def test_missing_model(self):
        self.config["model"] = "none.onnx"
        self.refused("none.onnx")

    def test_missing_data(self):
        self.config["data"]["train"] = ["none.npz"]
        self.refused("/data/train", "none.npz")

    def test_truncated_model(self):
        model = self.folder / "net.onnx"
        model.write_bytes(model.read_bytes()[:-20])
        self.refused("net.onnx")

    def test_model_that_is_none(self):
        (self.folder / "net.onnx").write_text("not a model at all")
        self.refused("net.onnx")

    def test_wrong_key(self):
        self.config["data"]["trian"] = self.config["data"].pop("train")
        self.refused("/data/trian: unknown key, did you mean 'train'?")

    def test_wrong_shape(self):
        support.write_samples(self.folder / "samples.npz", features=support.FEATURES + 1)
        self.refused("samples.npz", "[5]", "[4]")

    def test_labels_out_of_range(self):
        x = np.zeros((3, support.FEATURES), np.float32)
        np.savez(self.folder / "samples.npz", x=x, y=np.array([0, 1, support.CLASSES]))
        self.refused("samples.npz", "label 3", "3 classes")

    def test_unsupported_operator(self):
        support.write_mlp(self.folder / "net.onnx", activation="NonZeroish")
        self.refused("net.onnx", "NonZeroish")

    def test_unsupported_operator_is_refused_before_data_are_read(self):
        support.write_mlp(self.folder / "net.onnx", activation="NonZeroish")
        (self.folder / "samples.npz").unlink()
        self.refused("NonZeroish")

    def test_subset_beyond_the_end(self):
        self.config["data"]["subset"] = {"train": {"start": 15, "count": 6}}
        self.refused("20")

    def test_direction_that_does_not_fit(self):
        np.savez(self.folder / "d.npz", **{"fc1.weight": np.zeros((2, 2), np.float32)})
        self.config["directions"] = {"kind": "file", "path": "d.npz"}
        self.refused("/directions", "fc1.weight", "[2, 2]", "[5, 4]")

    def test_direction_without_any_match(self):
        np.savez(self.folder / "d.npz", other=np.zeros(3, np.float32))
        self.config["directions"] = {"kind": "file", "path": "d.npz"}
        self.refused("no array for any parameter")

    def test_checkpoint_that_does_not_fit(self):
        np.savez(self.folder / "c.npz", **{"fc1.weight": np.zeros((5, 4), np.float32), "fc2.bias": np.zeros(4, np.float32)})
        self.config["model"] = {"path": "net.onnx", "parameters": "c.npz"}
        self.refused("c.npz", "missing: fc1.bias, fc2.weight", "fc2.bias ([4] instead of [3])")

    def test_precision_that_is_not_there(self):
        self.refused("fp16", arguments=("--precision", "fp16", "--device", "cpu"))

    def test_repetitions_need_a_count_and_random_directions(self):
        self.config["experiment"] = "repeat"
        self.refused("/count: is missing, expected the number of repetitions")
        self.config.update(count=3, directions={"kind": "difference", "models": ["net.onnx"]})
        self.refused("/directions/kind: only random directions can be repeated")

    def test_an_existing_run_stays_as_it_was(self):
        file = support.write_config(self.folder, self.config)
        out = self.folder / "out"
        support.run_lossmap("run", file, "--out", out, "--progress", "none")
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
        self.config["model"] = "none.onnx"
        support.run_lossmap("run", support.write_config(self.folder, self.config), "--out", out, "--fresh", expect=2)
        self.assertEqual({path: path.read_bytes() for path in out.rglob("*") if path.is_file()}, before)

    def test_validate_looks_at_all_files(self):
        good = support.write_config(self.folder, self.config, "good.json")
        self.config["model"] = "none.onnx"
        bad = support.write_config(self.folder, self.config, "bad.json")
        process = support.run_lossmap("validate", bad, good, expect=2)
        self.assertIn(f"{good}: valid", process.stdout)
        self.assertIn("none.onnx", process.stderr)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["bad.json", "good.json", "net.onnx", "samples.npz"])

    def test_inspect_lists_unsupported_operators(self):
        support.write_mlp(self.folder / "net.onnx", activation="NonZeroish")
        process = support.run_lossmap("inspect", self.folder / "net.onnx", "--json")
        summary = json.loads(process.stdout)
        self.assertFalse(summary["supported"])
        self.assertEqual(len(summary["unsupported"]), 1)
        self.assertIn("NonZeroish", summary["unsupported"][0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
