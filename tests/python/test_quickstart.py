"""./quickstart: which build it chooses from what the machine has. The programs that it calls are stand-ins that write down
how they were called."""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("bash", "dirname", "readlink", "sed", "grep", "sort", "rm")


class Quickstart(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.calls = self.root / "calls"
        shutil.copy(ROOT / "quickstart", self.root)
        # Nothing of the machine itself but a handful of plain tools.
        (self.root / "path").mkdir()
        for tool in TOOLS:
            (self.root / "path" / tool).symlink_to(shutil.which(tool))
        self.stand_in("setup", 'echo "setup $*" >> "$(dirname "$0")/calls"')
        self.stand_in("path/cmake", f'echo "cmake $*" >> {self.calls}')

    def stand_in(self, name, body):
        path = self.root / name
        path.write_text(f"#!/usr/bin/env bash\n{body}\n")
        path.chmod(0o755)

    def gpus(self, *capabilities):
        self.stand_in("path/nvidia-smi", "\n".join(f"echo {c}" for c in capabilities))

    def quickstart(self, *options):
        """Lines that the stand-ins wrote, and what was said."""
        result = subprocess.run(["bash", str(self.root / "quickstart"), "--build-only", *options],
                                env={"PATH": str(self.root / "path")}, capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return self.calls.read_text().splitlines(), result.stderr

    def test_without_a_gpu_it_builds_for_the_processor(self):
        calls, said = self.quickstart()
        self.assertEqual(calls, ["setup ", "cmake --preset default -DLOSSMAP_TESTS=OFF -DLOSSMAP_CUDA=OFF",
                                 "cmake --build --preset default --target lossmap"])
        self.assertEqual(said, "")

    def test_a_gpu_and_a_toolkit_make_a_cuda_build_for_that_gpu(self):
        self.gpus("9.0", "8.6", "9.0", "7.5")
        self.stand_in("path/nvcc", "exit 0")
        calls, _ = self.quickstart()
        self.assertEqual(calls[:2], ["setup --cuda", "cmake --preset default -DLOSSMAP_TESTS=OFF -DLOSSMAP_CUDA=ON "
                                     "-DCMAKE_CUDA_ARCHITECTURES=86-real;90a-real"])

    @unittest.skipIf(Path("/usr/local/cuda/bin/nvcc").exists(), "this machine has a toolkit where it is looked for")
    def test_a_gpu_without_a_toolkit_is_pointed_out(self):
        self.gpus("8.0")
        calls, said = self.quickstart()
        self.assertIn("-DLOSSMAP_CUDA=OFF", calls[1])
        self.assertIn("./quickstart --cuda", said)

    def test_too_old_a_gpu_is_left_alone(self):
        self.gpus("7.0")
        self.stand_in("path/nvcc", "exit 0")
        calls, _ = self.quickstart()
        self.assertIn("-DLOSSMAP_CUDA=OFF", calls[1])

    def test_options_decide(self):
        calls, _ = self.quickstart("--cuda")
        self.assertEqual(calls[:2], ["setup --cuda", "cmake --preset default -DLOSSMAP_TESTS=OFF -DLOSSMAP_CUDA=ON"])
        self.calls.unlink()
        self.gpus("12.0")
        self.stand_in("path/nvcc", "exit 0")
        calls, _ = self.quickstart("--cpu")
        self.assertEqual(calls[:2], ["setup ", "cmake --preset default -DLOSSMAP_TESTS=OFF -DLOSSMAP_CUDA=OFF"])


if __name__ == "__main__":
    unittest.main()
