"""Which device a run takes: the CPU, a GPU, or a sentence that says why there is none. Holds for a program built with CUDA on a
machine without a driver, and for one built without CUDA."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402


@unittest.skipIf(support.REASON, support.REASON)
class Devices(unittest.TestCase):
    def setUp(self):
        # One line says what there is of CUDA: why it is missing, or nothing where devices follow.
        listed = support.run_lossmap("devices").stdout
        self.reason = next(line for line in listed.splitlines() if line.startswith("cuda:"))[len("cuda:"):].strip()
        if not self.reason:
            self.skipTest("there is a GPU here")
        keep = tempfile.TemporaryDirectory()
        self.addCleanup(keep.cleanup)
        self.folder = Path(keep.name)
        self.config = support.line_config(self.folder)

    def run_on(self, device, expect=0):
        file = support.write_config(self.folder, self.config)
        return support.run_lossmap("run", file, "--out", self.folder / "out", "--progress", "none", "--device", device,
                                   expect=expect)

    def test_the_list_says_why_there_is_no_gpu(self):
        self.assertIn(self.reason, ("no NVIDIA driver is installed", "not built (configure with -DLOSSMAP_CUDA=ON)"))
        self.assertIn("\n  cpu ", support.run_lossmap("devices").stdout)

    def test_a_gpu_that_is_asked_for_and_missing_ends_the_run(self):
        for device in ("cuda", "cuda:0", "cuda:7", "cuda:0,1"):
            with self.subTest(device):
                process = self.run_on(device, expect=2)
                self.assertEqual(process.stderr, f"lossmap: error: device '{device}': {self.reason}\n")
                self.assertFalse((self.folder / "out").exists())

    def test_a_device_that_does_not_exist(self):
        self.assertIn("tpu", self.run_on("tpu", expect=2).stderr)

    def test_auto_takes_the_cpu_and_says_why(self):
        log = self.run_on("auto").stderr
        self.assertIn(f"device auto: cpu; cuda: {self.reason}", log)
        plan = json.loads((self.folder / "out" / "config.resolved.json").read_text())
        self.assertEqual(plan["device"], "auto")


if __name__ == "__main__":
    unittest.main(verbosity=2)
