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

    def check_against(self, *arguments, expect=0):
        file = support.write_config(self.folder, self.config)
        process = support.run_lossmap("run", file, "--out", self.folder / "out", "--log-level", "off", "--check-against",
                                      *arguments, expect=expect)
        self.assertFalse((self.folder / "out").exists())
        return process

    def test_layers_are_checked_instead_of_a_run(self):
        support.write_mlp(self.folder / "net.onnx", activation="Relu")
        rows = self.check_against("cpu").stdout.splitlines()
        self.assertEqual(rows[0], "cpu in fp32 against cpu in fp32, layers on 4 samples")
        layers = {row.split()[0]: row.split()[1:] for row in rows[2:] if not row.startswith("  loss")}
        self.assertEqual(list(layers), ["b", "y"])  # the first dense layer and its activation are one step
        for difference, bound, *operators in layers.values():
            self.assertLess(float(difference), float(bound))
            self.assertLess(float(bound), 1e-4)
        self.assertEqual(layers["b"][2:], ["Gemm,", "Relu"])
        self.assertEqual([row.split(":")[0] for row in rows if row.startswith("  loss")],
                         ["  loss of 20 samples at (0)", "  loss of 20 samples at (-1)"])
        rows = self.check_against("cpu", "--disable-pass", "activation").stdout.splitlines()
        self.assertEqual([row.split()[0] for row in rows[2:5]], ["a", "b", "y"])

    def test_the_losses_are_those_of_the_run(self):
        rows = self.check_against("cpu").stdout.splitlines()
        support.run_lossmap("run", self.folder / "config.json", "--out", self.folder / "out", "--progress", "none")
        import h5py
        with h5py.File(self.folder / "out" / "surface.h5") as surface:
            losses = surface["train_loss"][:]
        for row, expected in zip(rows[-2:], (losses[2], losses[0])):
            self.assertAlmostEqual(float(row.split(": ")[1].split(",")[0]), expected, delta=1e-6 * expected)

    def test_other_experiments_are_checked_or_refused(self):
        for experiment in ({"experiment": "repeat", "count": 2},
                           {"experiment": "interpolation", "to": "net.onnx", "directions": None}):
            with self.subTest(experiment["experiment"]):
                self.config = {key: value for key, value in {**support.line_config(self.folder), **experiment}.items() if value}
                self.assertIn("  loss of 20 samples at (0)", self.check_against("cpu").stdout)
        line = support.line_config(self.folder)
        self.config = {"name": "e", "experiment": "evaluate", "models": ["net.onnx"], "data": line["data"],
                       "splits": ["train"], "loss": "cross_entropy"}
        self.assertIn("at the model's parameters", self.check_against("cpu").stdout)
        self.config = {"name": "w", "experiment": "weight_norm", "checkpoints": ["net.onnx"]}
        self.assertIn("experiment weight_norm evaluates no network", self.check_against("cpu", expect=2).stderr)
        self.config = {**line, "sweep": [{"pointer": "/directions/seed", "values": [1, 2]}]}
        self.assertIn("a sweep is many runs", self.check_against("cpu", expect=2).stderr)

    def test_a_reference_that_is_not_there(self):
        process = self.check_against("cuda", expect=2)
        self.assertEqual(process.stderr, f"lossmap: error: device 'cuda': {self.reason}\n")
        self.check_against("cpu", "--dry-run", expect=2)

    def profile(self, *arguments, expect=0):
        file = support.write_config(self.folder, self.config)
        process = support.run_lossmap("run", file, "--out", self.folder / "out", "--log-level", "off", "--profile", *arguments,
                                      expect=expect)
        self.assertFalse((self.folder / "out").exists())
        return process

    def test_a_profile_shares_out_a_chunks_time(self):
        support.write_mlp(self.folder / "net.onnx", activation="Relu")
        title, header, *rows, rate = self.profile("--threads", "1").stdout.splitlines()
        self.assertRegex(title, r"^net.onnx on cpu in fp32, passes of 1 point x \d+ samples, 20 samples a chunk$")
        self.assertEqual(header.split(), ["share", "us", "operation", "computed", "by"])
        split = rows.index("  in all")
        shares = [[float(row.split(" %")[0]) for row in part] for part in (rows[:split], rows[split + 1:])]
        for part in shares:
            self.assertAlmostEqual(sum(part), 100.0, delta=0.06 * len(part))
        self.assertEqual(shares[1], sorted(shares[1], reverse=True))
        self.assertEqual([row.split()[3] for row in (rows[0], rows[1], rows[split - 1])], ["weights", "samples", "loss"])
        self.assertRegex(rate, r"^[\d.]+ [kMG]?evaluations/s, [\d.]+ [kMG]?FLOP/s$")

    def test_what_has_no_profile_is_refused(self):
        self.profile("--dry-run", expect=2)
        self.profile("--check-against", "cpu", expect=2)
        line = support.line_config(self.folder)
        self.config = {"name": "w", "experiment": "weight_norm", "checkpoints": ["net.onnx"]}
        self.assertIn("experiment weight_norm evaluates no network", self.profile(expect=2).stderr)
        self.config = {**line, "sweep": [{"pointer": "/directions/seed", "values": [1, 2]}]}
        self.assertIn("a sweep is many runs; --profile takes one", self.profile(expect=2).stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
