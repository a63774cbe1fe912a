"""tools/gpu_check on a bundle of stand-ins: order, failures, time limits and its JSON."""

import json
import os
import pathlib
import shutil
import stat
import subprocess
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

DEVICES = """#!/bin/sh
[ "$1" = devices ] && echo "cuda:" && echo "  cuda:0   stand-in" && exit 0
echo "stand-in does $1"
"""


TESTS = """#!/bin/sh
echo "[==========] 3 tests from 1 test suite ran. (0 ms total)"
echo "[  PASSED  ] 3 tests."
"""

# Writes a surface whose loss depends on the precision, and the events of a run.
RUN = """#!/bin/sh
[ "$1" = devices ] && echo "cuda:" && echo "  cuda:0   stand-in" && exit 0
[ "$1" = export ] && exit 0
while [ $# -gt 0 ]; do
    [ "$1" = --out ] && out=$2
    [ "$1" = --precision ] && precision=$2
    [ "$1" = --device ] && devices="$devices $2"
    [ "$1" = --check-against ] && checked=$2
    [ "$1" = --profile ] && profile=1
    [ "$1" = --disable-pass ] && echo "without $2"
    shift
done
case $devices in " cpu" | " cuda") ;; *) echo "devices:$devices"; exit 2 ;; esac
if [ "$checked" = cpu ]; then
    echo "a layer's difference in $precision"
    [ "$precision" = fp32 ] && echo "lossmap: error: cuda:0 computes 'r1' (Conv) wrong" && exit 1
    exit 0
fi
case $LOSSMAP_PLAN_CACHE in /*/plans) ;; *) echo "plans: $LOSSMAP_PLAN_CACHE"; exit 2 ;; esac
[ "$profile" ] && echo "12 Mevaluations/s" && exit 0
mkdir -p "$out"
loss=2.5
[ "$precision" = fp16 ] && loss=2.6
printf 'x,y,train_loss,train_accuracy\\n0,0,%s,10\\n' $loss > "$out/surface.csv"
echo '{"event":"progress","finished_evaluations":100,"elapsed_seconds":2.0,"evaluations_per_second":50.0}'
echo '{"event":"progress","finished_evaluations":700,"elapsed_seconds":5.0,"evaluations_per_second":140.0}'
echo "lossmap: error: all numbers are computed and saved, but gnuplot is not here"
exit 1
"""

# A plane of three points on the GPU, of which the CPU computes two, the second as the environment says.
PLANES = """#!/bin/sh
[ "$1" = devices ] && echo "cuda:" && echo "  cuda:0   stand-in" && exit 0
[ "$1" = export ] && exit 0
echo "$*"
while [ $# -gt 0 ]; do
    [ "$1" = --out ] && out=$2
    [ "$1" = --device ] && device=$2
    shift
done
mkdir -p "$out"
echo x,y,train_loss,train_accuracy > "$out/surface.csv"
case $device in
    cpu) printf '0,0,2.5,10\\n1,0,%s,10\\n' "$SECOND" ;;
    *) printf '0,0,2.5,10\\n0.5,0,7,10\\n1,0,3,10\\n' ;;
esac >> "$out/surface.csv"
"""


class GpuCheck(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "bin").mkdir()
        for name in ("gpu_check", "compare_surfaces.py"):
            shutil.copy(ROOT / "tools" / name, self.folder)
        (self.folder / "data" / "gpu").mkdir(parents=True)
        for name in ("plane", "throughput"):
            (self.folder / "data" / "gpu" / f"{name}.json").write_text("{}")

    def program(self, name, text):
        file = self.folder / "bin" / name
        file.write_text(text)
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def check(self, *arguments, **environment):
        done = subprocess.run([self.folder / "gpu_check", "--out", self.folder / "out", *arguments],
                              capture_output=True, text=True, timeout=60, env={**os.environ, "LC_ALL": "C", **environment})
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
        self.program("test_backends_gpu", TESTS)
        done, steps = self.check()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(steps["kernels"]["status"], "failed")
        self.assertEqual(steps["backends"]["status"], "passed")
        self.assertEqual(steps["zoo"]["status"], "skipped")
        self.assertEqual(steps["throughput_fp16"]["status"], "passed")
        self.assertEqual(steps["same_bits"]["status"], "skipped")  # the stand-in writes nothing
        self.assertEqual(steps["trajectories"]["status"], "skipped")
        self.assertEqual(steps["quickstart"]["status"], "skipped")
        self.assertNotIn("quickstart_agrees", steps)
        self.assertIn("12 tests ran, 12 passed", steps["backends"]["detail"])
        self.assertIn("--- kernels\nbroken", done.stdout)
        names = list(steps)
        self.assertLess(names.index("kernels"), names.index("backends"))
        self.assertLess(names.index("backends"), names.index("throughput_fp32"))

    def test_only_steps_that_are_asked_for_run(self):
        self.program("lossmap", RUN)
        self.program("test_kernels_cuda", TESTS + 'echo "$GTEST_FILTER"\n')
        self.program("test_backends_gpu", "#!/bin/sh\nexit 1\n")
        done, steps = self.check("--only", "kernels,profile_fp*", GTEST_FILTER="*stage*")
        self.assertEqual(done.returncode, 0, done.stdout)
        found = [name for name in steps if name not in ("nvidia_smi", "libraries")]
        self.assertEqual(found, ["devices", "kernels", "profile_fp16", "profile_fp32"])
        self.assertEqual(steps["profile_fp32"]["detail"], "12 Mevaluations/s")
        self.assertIn("*stage*", (self.folder / "out" / "kernels.log").read_text())
        done = subprocess.run([self.folder / "gpu_check", "--only"], capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--only needs names", done.stderr)

    def test_stage_kernels_are_timed_and_searched_for_races(self):
        self.program("lossmap", DEVICES)
        self.program("test_kernels_cuda", TESTS)
        self.program("stage_probe", "#!/bin/sh\necho '{}'\necho '16x32x32 in 1 image: 400 TFLOP/s' >&2\n")
        self.program("gpu_probe", '#!/bin/sh\necho "$LD_LIBRARY_PATH"\n')
        tools = self.folder / "tools"
        tools.mkdir()
        sanitizer = tools / "compute-sanitizer"
        sanitizer.write_text('#!/bin/sh\necho "sanitizer: $*"\nexit 9\n')
        sanitizer.chmod(0o755)
        path = f"{tools}:{os.environ['PATH']}"
        steps = self.check(PATH=path, LD_LIBRARY_PATH="/driver")[1]
        self.assertTrue(steps["probe"]["detail"].endswith(":/driver"), steps["probe"])  # what was there stays
        self.assertEqual(steps["stages"]["detail"], "16x32x32 in 1 image: 400 TFLOP/s")
        self.assertEqual(steps["racecheck"]["status"], "failed")
        self.assertIn("--tool racecheck", steps["racecheck"]["detail"])
        self.assertIn("AgreesWithItsReference/warpgroup_*integers*:", steps["racecheck"]["detail"])
        self.assertIn("AgreesWithItsReference/decode*:", steps["memcheck"]["detail"])
        self.assertEqual(steps["same_sums"]["status"], "passed")
        names = list(steps)
        self.assertLess(names.index("throughput_fp32"), names.index("racecheck"))
        self.assertLess(names.index("racecheck"), names.index("stages"))
        self.assertLess(names.index("stages"), names.index("peers"))

    def test_clocks_are_kept_all_along(self):
        self.program("lossmap", DEVICES)
        tools = self.folder / "tools"
        tools.mkdir()
        watching = self.folder / "watching"
        smi = tools / "nvidia-smi"
        smi.write_text(f"""#!/bin/sh
case "$*" in *--loop=*) ;; *) echo "a GPU"; exit ;; esac
trap 'rm {watching}; exit' TERM
touch {watching}
while :; do echo "1755 MHz"; sleep 0.1; done
""")
        smi.chmod(0o755)
        self.check("--only", "backends", PATH=f"{tools}:{os.environ['PATH']}")
        with tarfile.open(self.folder / "out" / "logs.tar.gz") as logs:
            self.assertIn(b"1755 MHz", logs.extractfile("./clocks.log").read())
        self.assertFalse(watching.exists())  # ended with the check

    def test_a_program_that_runs_no_test_has_not_passed(self):
        self.program("lossmap", DEVICES)
        self.program("test_backends_gpu", '#!/bin/sh\necho "skipped: no driver"\n')
        steps = self.check("--only", "backends")[1]
        self.assertEqual(steps["backends"]["status"], "failed")
        self.assertIn("0 tests ran", steps["backends"]["detail"])

    def test_what_was_skipped_whole_tells_why(self):
        self.program("lossmap", DEVICES)
        skipped = ('#!/bin/sh\nprintf "../nccl_test.cpp:31: Skipped\\nlibnccl.so.2 cannot be loaded: not found\\n\\n"\n'
                   'echo "[==========] 2 tests from 1 test suite ran. (0 ms total)"\n'
                   'echo "[  PASSED  ] 0 tests."\necho "[  SKIPPED ] 2 tests."\n')
        self.program("test_backends_gpu", skipped)
        done, steps = self.check("--only", "nccl")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual((steps["nccl"]["status"], steps["nccl"]["detail"]),
                         ("skipped", "2 tests ran, 0 passed, 2 skipped (libnccl.so.2 cannot be loaded: not found)"))

    def test_surfaces_are_compared_and_rates_read(self):
        self.program("lossmap", RUN)
        reference = self.folder / "data" / "reference"
        reference.mkdir()
        (reference / "pytorch.json").write_text("{}")
        (reference / "expected.json").write_text('[{"x": 0, "y": 0, "train_loss": 2.5, "train_accuracy": 10}]')
        done, steps = self.check()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(steps["pytorch_fp32_agrees"]["status"], "passed")
        self.assertIn("largest relative difference 4.00e-02 at (0, 0)", steps["pytorch_fp16_differs"]["detail"])
        self.assertEqual(steps["same_bits"]["detail"], "the two surfaces have the same bits")
        self.assertEqual(steps["throughput_fp16"]["detail"], "200 evaluations/s over 3.0 s (after the first 2.0 s)")
        for name in ("throughput_fp32", "pytorch_fp32"):  # on tensor cores, and on the FMA units
            self.assertEqual(steps[name + "_plain"]["status"], "passed")
            self.assertIn("without split_stages", (self.folder / "out" / f"{name}_plain.log").read_text())
            self.assertNotIn("without", (self.folder / "out" / f"{name}.log").read_text())
            self.assertIn("without warpgroup_split_stages", (self.folder / "out" / f"{name}_mma.log").read_text())
        self.assertEqual(steps["pytorch_fp32_plain_agrees"]["status"], "passed")
        self.assertEqual(steps["pytorch_fp32_mma_agrees"]["status"], "passed")
        self.assertEqual(steps["pytorch_bf16_layers"]["detail"], "a layer's difference in bf16")
        # A reduced precision's stages on the GPUs that lack the fastest kernel: rate, difference, verdict.
        self.assertEqual(steps["pytorch_fp16_mma_layers"]["status"], "passed")
        self.assertIn("4.00e-02", steps["pytorch_fp16_mma_differs"]["detail"])
        for name in ("throughput_fp16", "pytorch_fp16"):
            self.assertIn("without warpgroup_stages", (self.folder / "out" / f"{name}_mma.log").read_text())
            self.assertNotIn("without", (self.folder / "out" / f"{name}.log").read_text())
        self.assertEqual(steps["profile_tf32"]["detail"], "12 Mevaluations/s")
        self.assertEqual(steps["profile_lenet_maxpool"]["status"], "skipped")
        self.assertNotIn("pytorch_fp32_layers", steps)  # asked for where there is something to explain
        self.assertNotIn("plane_layers", steps)
        with tarfile.open(self.folder / "out" / "logs.tar.gz") as logs:
            self.assertLessEqual({"./result.json", "./devices.log", "./runs/plane/surface.csv"}, set(logs.getnames()))
        (reference / "expected.json").write_text('[{"x": 0, "y": 0, "train_loss": 2.501, "train_accuracy": 10}]')
        done, steps = self.check("--only", "pytorch_fp32*")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(steps["pytorch_fp32_agrees"]["status"], "failed")
        names = list(steps)
        self.assertEqual(names[names.index("pytorch_fp32_agrees") + 1], "pytorch_fp32_layers")
        self.assertEqual(steps["pytorch_fp32_layers"]["status"], "failed")
        self.assertIn("cuda:0 computes 'r1' (Conv) wrong", steps["pytorch_fp32_layers"]["detail"])
        self.assertIn("--- pytorch_fp32_layers\na layer's difference in fp32", done.stdout)

    def test_trajectories_and_nccl_are_steps_of_their_own(self):
        self.program("lossmap", DEVICES)
        self.program("test_backends_gpu", TESTS + 'echo "$* in $LOSSMAP_REFERENCE_DIR"\n')
        self.program("test_zoo_gpu", TESTS)
        trajectories = self.folder / "data" / "trajectories"
        trajectories.mkdir()
        steps = self.check()[1]
        self.assertEqual(steps["trajectories"]["detail"], "6 tests ran, 6 passed, 0 skipped")
        self.assertEqual((steps["nccl"]["status"], steps["nccl"]["detail"]), ("passed", "3 tests ran, 3 passed, 0 skipped"))
        self.assertIn("--gtest_filter=*Nccl*", (self.folder / "out" / "nccl.log").read_text())
        self.assertIn(f"--gtest_filter=*TrajectoryPlane* in {trajectories}", (self.folder / "out" / "trajectories.log").read_text())
        self.assertIn("--gtest_filter=-*TrajectoryPlane*:*Nccl*", (self.folder / "out" / "backends.log").read_text())  # once is enough
        names = list(steps)
        self.assertEqual(names[names.index("zoo") + 1], "trajectories")
        self.assertLess(names.index("throughput_fp16"), names.index("nccl"))

    def test_quickstart_agrees_with_a_part_of_it_on_the_cpu(self):
        self.program("lossmap", PLANES)
        (self.folder / "data" / "quickstart").mkdir()
        for name in ("quickstart", "quickstart-path"):
            (self.folder / "data" / "quickstart" / f"{name}.json").write_text("{}")
        steps = self.check(SECOND="3")[1]
        for name, points in (("quickstart", 11), ("quickstart-path", 9)):
            self.assertEqual(steps[f"{name}_agrees"]["status"], "passed", steps)
            self.assertIn("2 points, largest relative difference 0.00e+00", steps[f"{name}_agrees"]["detail"])
            log = (self.folder / "out" / f"{name}_cpu.log").read_text()
            self.assertIn(f"--device cpu --progress json --set /x/points={points} --set /y/points={points}", log)
            log = (self.folder / "out" / f"{name}.log").read_text()
            self.assertIn("--device cuda", log)
            self.assertNotIn("--set", log)  # all that ./quickstart computes
        names = list(steps)
        self.assertLess(names.index("trajectories"), names.index("quickstart"))
        self.assertLess(names.index("quickstart-path_agrees"), names.index("throughput_fp16"))
        done, steps = self.check("--only", "quickstart*", SECOND="3.001")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(steps["quickstart-path_agrees"]["status"], "failed")

    def test_more_images_than_pytorchs(self):
        self.program("lossmap", RUN)
        reference = self.folder / "data" / "reference"
        reference.mkdir()
        (reference / "images.json").write_text("{}")
        steps = self.check("--only", "images_*")[1]
        self.assertEqual(steps["images_fp32_plain"]["status"], "passed")
        self.assertIn("without split_stages", (self.folder / "out" / "images_fp32_plain.log").read_text())
        self.assertIn("1 points above 0.01: largest 4.00e-02, 1 over 0.1 %", steps["images_fp16_differs"]["detail"])
        self.assertIn("1 points above 0.01: largest 0.00e+00, 0 over 0.1 %", steps["images_fp32_differs"]["detail"])

    def test_the_headline_is_timed_beside_pytorch(self):
        self.program("lossmap", RUN)
        reference = self.folder / "data" / "reference"
        reference.mkdir()
        (reference / "headline.json").write_text("{}")
        (self.folder / "torch.py").write_text("")  # as much of PyTorch as is asked for
        (self.folder / "peers.py").write_text('import sys\nprint("fastest:", *sys.argv[1:3])\n')
        steps = self.check("--only", "headline*,peers", PYTHONPATH=str(self.folder))[1]
        self.assertEqual(steps["headline_256"]["detail"], "200 evaluations/s over 3.0 s (after the first 2.0 s)")
        self.assertEqual((steps["peers"]["status"], steps["peers"]["detail"]), ("passed", "fastest: --seconds 60"))
        (self.folder / "torch.py").write_text("raise ImportError")
        self.assertEqual(self.check("--only", "peers", PYTHONPATH=str(self.folder))[1]["peers"]["detail"], "PyTorch is not here")

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
