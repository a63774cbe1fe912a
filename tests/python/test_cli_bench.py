"""lossmap bench and compare as their users see them: result files, histories, two programs in turn, exit statuses."""

import json
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402

# Rates are not judged here: a machine may be busy.
QUICK = ("--points", "2", "--samples", "8", "--min-time", "0.02", "--threads", "1")


@unittest.skipIf(support.REASON, support.REASON)
class Bench(unittest.TestCase):
    def setUp(self):
        keep = tempfile.TemporaryDirectory()
        self.addCleanup(keep.cleanup)
        self.folder = Path(keep.name)
        support.write_mlp(self.folder / "net.onnx")

    def bench(self, *arguments, expect=0):
        return support.run_lossmap("bench", *arguments, expect=expect)

    def compare(self, *arguments, expect=0):
        return support.run_lossmap("compare", *arguments, expect=expect)

    def results(self, name):
        file = self.folder / name
        self.bench(self.folder / "net.onnx", *QUICK, "--repeat", "2", "--json", file)
        return file

    def slowed(self, file, times):
        """The same results with other rates."""
        document = json.loads(file.read_text())
        for entry in document["benchmarks"]:
            entry["items_per_second"] *= times
        target = self.folder / f"times_{times}.json"
        target.write_text(json.dumps(document))
        return target

    def test_results_in_google_benchmarks_layout(self):
        file = self.folder / "out.json"
        process = self.bench(self.folder / "net.onnx", *QUICK, "--repeat", "3", "--json", file)
        name = "net/points:2/samples:8/fp32"
        self.assertIn(name, process.stdout)
        document = json.loads(file.read_text())
        entries = document["benchmarks"]
        self.assertEqual([entry["name"] for entry in entries],
                         [name] * 3 + [f"{name}_{kind}" for kind in ("mean", "median", "stddev", "cv")])
        for entry in entries[:3]:
            self.assertGreater(entry["items_per_second"], 0)
            seconds = entry["real_time"] * 1e-3
            self.assertAlmostEqual(entry["items_per_second"] * seconds, 2 * 8, delta=1e-6)
            # Two dense layers, a multiply-add is two.
            flops = 2 * (support.FEATURES * support.HIDDEN + support.HIDDEN * support.CLASSES)
            self.assertAlmostEqual(entry["flops_per_second"] / entry["items_per_second"], flops, delta=1e-6)
            self.assertGreater(entry["peak_bytes"], 0)
            self.assertAlmostEqual(entry["percent_of_ceiling"],
                                   100 * entry["flops_per_second"] / entry["ceiling_flops_per_second"], delta=1e-9)
        self.assertEqual(document["context"]["backend"], "cpu")
        self.assertIn("ceilings", document["context"])

    def test_a_suite_and_its_layers(self):
        support.write_convnet(self.folder / "conv.onnx")
        suite = self.folder / "suite.json"
        suite.write_text(json.dumps({"benchmarks": [{"model": "net.onnx", "points": [1, 3]},
                                                    {"model": "conv.onnx", "name": "small", "samples": 4}]}))
        process = self.bench("--suite", suite, *QUICK, "--repeat", "1", "--layers", "--json", self.folder / "out.json")
        names = [entry["name"] for entry in json.loads((self.folder / "out.json").read_text())["benchmarks"]]
        self.assertEqual(names, ["net/points:1/samples:8/fp32", "net/points:3/samples:8/fp32", "small/points:2/samples:4/fp32"])
        self.assertIn("fc1", process.stdout)
        self.assertIn("computed by", process.stdout)

    def test_the_example_is_read(self):
        process = self.bench("--suite", support.ROOT / "configs" / "bench" / "suite.json", "--device", "cuda:99", expect=2)
        self.assertIn("device 'cuda:99'", process.stderr)

    def test_slower_is_status_3(self):
        base = self.results("base.json")
        same = self.compare(base, base)
        self.assertIn(" 1.000 ", same.stdout)
        process = self.compare(base, self.slowed(base, 0.01), expect=3)
        self.assertIn("slower", process.stdout)
        self.compare(base, self.slowed(base, 0.01), "--threshold", "1")
        self.compare(self.slowed(base, 0.01), base)

    def test_another_context_is_a_warning(self):
        base = self.results("base.json")
        document = json.loads(base.read_text())
        document["context"]["device"] = "another chip"
        other = self.folder / "other.json"
        other.write_text(json.dumps(document))
        self.assertIn("context differs: device", self.compare(base, other).stderr)

    def test_offline_is_another_scenario(self):
        base, offline = self.results("base.json"), self.folder / "offline.json"
        self.bench(self.folder / "net.onnx", *QUICK, "--repeat", "2", "--offline", "--json", offline)
        self.assertEqual([json.loads(file.read_text())["context"]["scenario"] for file in (base, offline)],
                         ["resident", "offline"])
        process = self.compare(base, offline, "--threshold", "1")
        self.assertIn("net/points:2/samples:8/fp32", process.stdout)
        self.assertIn("context differs: scenario is resident", process.stderr)

    def test_a_history(self):
        history = self.folder / "history.sqlite"
        for label in ("main", "mine"):
            self.bench(self.folder / "net.onnx", *QUICK, "--repeat", "2", "--history", history, "--label", label)
        process = self.compare("--history", history, "main", "mine", "--threshold", "1")
        self.assertIn("net/points:2/samples:8/fp32", process.stdout)
        self.assertIn("the last ones are mine, main",
                      self.compare("--history", history, "main", "theirs", expect=2).stderr)

    def test_two_programs_in_turn(self):
        suite = self.folder / "suite.json"
        suite.write_text(json.dumps({"benchmarks": [{"model": "net.onnx", "points": 2, "samples": 8}]}))
        calls = self.folder / "calls"
        programs = []
        for name in ("old", "new"):
            program = self.folder / name
            program.write_text(f'#!/bin/sh\necho {name} >> "{calls}"\nexec "{support.BINARY}" "$@" --min-time 0.02\n')
            program.chmod(0o755)
            programs.append(program)
        self.compare("--binaries", *programs, "--suite", suite, "--repeat", "3", "--threshold", "1", "--threads", "1")
        self.assertEqual(calls.read_text().split(), ["old", "new", "new", "old", "old", "new"])
        broken = self.folder / "broken"
        broken.write_text("#!/bin/sh\nexit 7\n")
        broken.chmod(0o755)
        process = self.compare("--binaries", programs[0], broken, "--suite", suite, "--repeat", "1", expect=1)
        self.assertIn("failed with status 7", process.stderr)
        self.assertIn("cannot start", self.compare("--binaries", self.folder / "none", programs[1], "--suite", suite,
                                                   expect=2).stderr)

    def test_wrong_usage_is_one_sentence(self):
        (self.folder / "text.json").write_text("{}")
        cases = [(["bench"], "expected models"),
                 (["bench", self.folder / "absent.onnx", *QUICK], "absent.onnx"),
                 (["bench", self.folder / "net.onnx", *QUICK, "--label", "a"], "--history and --label belong together"),
                 (["bench", self.folder / "net.onnx", self.folder / "net.onnx", *QUICK], "two benchmarks have the name"),
                 (["bench", self.folder / "net.onnx", "--points", "0"], "--points"),
                 (["compare", self.folder / "text.json", self.folder / "text.json"], "is no benchmark result"),
                 (["compare", "a", "b", "--suite", "s.json"], "--suite is for --binaries"),
                 (["compare", "--binaries", "a", "b"], "--binaries needs --suite")]
        for arguments, message in cases:
            with self.subTest(message):
                process = support.run_lossmap(*arguments, expect=2)
                self.assertIn(message, process.stderr)
                self.assertEqual(process.stderr.count("\n"), 1, process.stderr)

    def test_a_signal_ends_it(self):
        support.write_convnet(self.folder / "conv.onnx")
        file = self.folder / "out.json"
        command = [support.BINARY, "bench", self.folder / "conv.onnx", "--min-time", "60", "--log-level", "info", "--json", file]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            process.stderr.readline()  # of the log: signals are caught by now
            process.send_signal(signal.SIGINT)
            _, messages = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, messages)
        self.assertIn("0 of 1 benchmarks are measured", messages)
        self.assertFalse(file.exists())

    def test_help_names_the_status(self):
        self.assertIn("status 3", support.run_lossmap("compare", "--help").stdout)
        self.assertIn("3 regression", support.run_lossmap("--help").stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
