"""The examples in configs/ against the schema, and the schema against what the program takes and refuses."""

import copy
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.support.reference_files import ROOT  # noqa: E402

try:
    import jsonschema
    REASON = ""
except ImportError:
    REASON = "jsonschema is not installed"

CONFIGS = ROOT / "configs"


def examples():
    files = [*CONFIGS.glob("*.json"), *CONFIGS.glob("paper/*.json"), *CONFIGS.glob("gpu/*.json")]
    return [file for file in sorted(files) if file.name != "lossmap.schema.json"]


class Examples(unittest.TestCase):
    def test_examples_name_the_schema(self):
        self.assertGreaterEqual(len(examples()), 4)
        for file in examples():
            named = file.parent / json.loads(file.read_text())["$schema"]
            self.assertEqual(named.resolve(), CONFIGS / "lossmap.schema.json", file.name)

    @unittest.skipIf(REASON, REASON)
    def test_examples_are_valid(self):
        schema = json.loads((CONFIGS / "lossmap.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        for file in examples():
            jsonschema.validate(json.loads(file.read_text()), schema, jsonschema.Draft202012Validator)

    @unittest.skipIf(REASON, REASON)
    def test_wrong_ones_are_not(self):
        schema = json.loads((CONFIGS / "lossmap.schema.json").read_text())
        validator = jsonschema.Draft202012Validator(schema)
        good = json.loads((CONFIGS / "quickstart.json").read_text())
        changes = [("models", ["a.onnx"]), ("experiment", "trajectory"), ("unknown", 1), ("x", {"min": 0, "max": 1}),
                   ("loss", {"kind": "mse", "delta": 1}), ("directions", {"kind": "file"}), ("splits", []),
                   ("data", {"format": "synthetic", "train": "a"})]
        for key, value in changes:
            bad = copy.deepcopy(good)
            bad[key] = value
            self.assertFalse(validator.is_valid(bad), key)

    @unittest.skipIf(REASON, REASON)
    def test_a_sweep_may_supply_what_is_required(self):
        validator = jsonschema.Draft202012Validator(json.loads((CONFIGS / "lossmap.schema.json").read_text()))
        needs = {"surface": ("model", "x", "data"), "interpolation": ("model", "to", "data"), "trajectory": ("checkpoints", "data"),
                 "evaluate": ("models", "data"), "weight_norm": ("checkpoints",), "repeat": ("model", "x", "data", "count")}
        axis = {"min": -1, "max": 1, "points": 3}
        values = {"model": "a.onnx", "to": "b.onnx", "x": axis, "data": {"format": "synthetic"}, "checkpoints": ["a.onnx"],
                  "models": ["a.onnx"], "count": 2}
        for experiment, keys in needs.items():
            whole = {"experiment": experiment, **{key: values[key] for key in keys}}
            self.assertTrue(validator.is_valid(whole), experiment)
            for key in keys:
                part = {name: value for name, value in whole.items() if name != key}
                self.assertFalse(validator.is_valid(part), (experiment, key))
                swept = {**part, "sweep": [{"pointer": "/" + key, "values": [values[key]], "labels": ["a"]}]}
                self.assertTrue(validator.is_valid(swept), (experiment, key))
                self.assertFalse(validator.is_valid({**swept, "lr_drops": [1], "labels": ["a"]}), (experiment, key))

    @unittest.skipIf(REASON, REASON)
    def test_only_random_directions_are_repeated(self):
        validator = jsonschema.Draft202012Validator(json.loads((CONFIGS / "lossmap.schema.json").read_text()))
        good = json.loads((CONFIGS / "repeat.json").read_text())
        good["y"] = {"min": -1, "max": 1, "points": 5}
        self.assertTrue(validator.is_valid(good))
        for change in ({"count": 1}, {"directions": {"kind": "file", "path": "a.h5"}}, {"lr_drops": [1]}, {"to": "a.onnx"},
                       {"directions": {"x": {"kind": "random"}, "y": {"kind": "random"}}}, {"experiment": "surface"}):
            self.assertFalse(validator.is_valid({**good, **change}), change)


if __name__ == "__main__":
    unittest.main(verbosity=2)
