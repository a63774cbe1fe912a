"""tools/gpu_check on a bundle of stand-ins: order, failures, time limits and its JSON."""

import json
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

DEVICES = """#!/bin/sh
[ "$1" = devices ] && echo "cuda:" && echo "  cuda:0   stand-in" && exit 0
echo "stand-in does $1"
"""


class GpuCheck(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "bin").mkdir()
        shutil.copy(ROOT / "tools" / "gpu_check", self.folder)

    def program(self, name, text):
        file = self.folder / "bin" / name
        file.write_text(text)
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def check(self, *arguments):
        done = subprocess.run([self.folder / "gpu_check", "--out", self.folder / "out", *arguments],
                              capture_output=True, text=True, timeout=60, env={**os.environ, "LC_ALL": "C"})
        result = json.loads((self.folder / "out" / "result.json").read_text())
        return done, {step["name"]: step for step in result["steps"]}

    def test_without_a_gpu_it_says_why(self):
        self.program("lossmap", '#!/bin/sh\necho "cuda: no \\"driver\\" here"\n')
        done, steps = self.check()
        self.assertEqual(done.returncode, 3)
        self.assertIn('no "driver" here', done.stderr)
        self.assertEqual(steps["gpu"]["status"], "missing")

    def test_a_failing_step_stops_no_other(self):
        self.program("lossmap", DEVICES)
        self.program("test_kernels_cuda", "#!/bin/sh\necho broken\nexit 1\n")
        self.program("test_backends_gpu", "#!/bin/sh\necho fine\n")
        done, steps = self.check()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(steps["kernels"]["status"], "failed")
        self.assertIn("broken", steps["kernels"]["detail"])
        self.assertEqual(steps["backends"]["status"], "passed")
        self.assertEqual(steps["zoo"]["status"], "skipped")
        self.assertEqual(steps["throughput_fp16"]["status"], "passed")
        self.assertEqual(steps["same_bits"]["status"], "skipped")  # the stand-in writes nothing
        names = list(steps)
        self.assertLess(names.index("kernels"), names.index("backends"))
        self.assertLess(names.index("backends"), names.index("throughput_fp32"))

    def test_it_keeps_to_its_time(self):
        self.program("lossmap", DEVICES)
        self.program("test_kernels_cuda", "#!/bin/sh\nsleep 30\n")
        done, steps = self.check("--seconds", "7")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(steps["kernels"]["status"], "timeout")
        self.assertEqual(steps["throughput_fp32"]["status"], "skipped")
        self.assertIn("no time left", steps["throughput_fp32"]["detail"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
