"""Statistics estimated at each point of the line between two demo networks against PyTorch's torch.nn.BatchNorm with
momentum=None (vgg9_reestimate.npz, made by write_reestimated.py), at 1e-4 relative in fp32."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.support.reference_files import ROOT, run_lossmap  # noqa: E402

REASON = ""
try:
    import h5py
    import numpy as np
except ImportError as error:
    REASON = f"{error.name} is not installed"
CONFIG = ROOT / "configs" / "interpolation-reestimate.json"
if not REASON:
    missing = [name for name in json.loads(CONFIG.read_text())["data"]["train"]["images"] if not Path(name).exists()]
    REASON = f"no data set at {missing[0]}" if missing else ""


@unittest.skipIf(REASON, REASON)
class Reestimated(unittest.TestCase):
    def test_demo_networks_agree_with_pytorch(self):
        theirs = np.load(Path(__file__).resolve().parent / "vgg9_reestimate.npz")
        statistics = {"split": "train", "count": int(theirs["statistics"]), "batch": int(theirs["batch"])}
        self.assertEqual(json.loads(CONFIG.read_text())["statistics"], statistics)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out"
            run_lossmap("run", CONFIG, "--out", out, "--progress", "none", "--set", f"/x/points={len(theirs['x'])}",
                        "--set", '/splits=["train"]')
            with h5py.File(out / "surface.h5") as ours:
                np.testing.assert_allclose(ours["xcoordinates"][()], theirs["x"], atol=1e-15)
                self.assertTrue((ours["train_samples"][()] == theirs["samples"]).all())
                worst = np.max(np.abs(ours["train_loss"][()] / theirs["loss"] - 1))
                accuracy = np.max(np.abs(ours["train_acc"][()] - theirs["accuracy"]))
        print(f"largest relative difference from PyTorch {worst:.2e}, accuracy {accuracy:.3f} %", flush=True)
        self.assertLessEqual(worst, 1e-4)
        self.assertLessEqual(accuracy, 0.1 + 1e-9)  # one of 1,000 samples


if __name__ == "__main__":
    unittest.main(verbosity=2)
