"""A run that is stopped, killed or repeated ends with the bytes of an unbroken one."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402

if not support.REASON:
    import h5py


def plane(folder):
    """About two seconds of work on two cores."""
    support.write_convnet(Path(folder) / "net.onnx")
    return {"name": "plane", "experiment": "surface", "model": "net.onnx",
            "data": {"format": "synthetic", "count": 1500, "seed": 4, "chunk": 250}, "splits": ["train"],
            "directions": {"kind": "random", "seed": 2, "normalization": "filter", "ignore": ["1d"]},
            "x": support.axis(-1, 1, 9), "y": support.axis(-0.5, 1, 8)}


@unittest.skipIf(support.REASON, support.REASON)
class Stopped(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.keep.name)
        cls.file = support.write_config(cls.folder, plane(cls.folder))
        support.run_lossmap("run", cls.file, "--out", cls.folder / "unbroken", "--progress", "none")

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    def same_as_unbroken(self, out):
        for name in ("surface.h5", "direction.h5"):
            self.assertEqual((out / name).read_bytes(), (self.folder / "unbroken" / name).read_bytes(), name)

    def stop_and_go_on(self, signal_number):
        out = self.folder / f"stopped_{signal_number}"
        status, errors = support.stop_in_the_middle(self.file, out, signal_number)
        if (out / "report.html").exists():
            self.skipTest("the run was over before the signal came")
        after = support.run_lossmap("run", self.file, "--out", out, "--progress", "none")
        self.assertIn("going on: ", after.stderr)
        self.same_as_unbroken(out)
        return status, errors, out

    def test_kill_9(self):
        status, _, _ = self.stop_and_go_on(support.KILL)
        self.assertEqual(status, -support.KILL)

    def test_sigint(self):
        status, errors, _ = self.stop_and_go_on(support.INTERRUPT)
        self.assertEqual(status, 130)
        self.assertIn("lossmap: error: interrupted", errors)

    def test_sigterm_leaves_what_is_done(self):
        out = self.folder / "terminated"
        status, _ = support.stop_in_the_middle(self.file, out, support.TERMINATE)
        self.assertEqual(status, 130)
        with h5py.File(out / "surface.h5") as file:
            done = file["train_done"][()]
            self.assertTrue((file["train_loss"][()][done == 0] == -1).all())
            self.assertLess(done.sum(), done.size)

    def test_a_finished_run_again_is_only_shown_again(self):
        out = self.folder / "unbroken"
        before = (out / "surface.h5").read_bytes()
        process = support.run_lossmap("run", self.file, "--out", out, "--progress", "none")
        self.assertIn("432 of 432 units are in the journal", process.stderr)
        self.assertEqual((out / "surface.h5").read_bytes(), before)

    def test_number_of_threads_does_not_matter(self):
        out = self.folder / "threads"
        support.run_lossmap("run", self.file, "--out", out, "--progress", "none", "--threads", 1)
        with h5py.File(out / "surface.h5") as one, h5py.File(self.folder / "unbroken" / "surface.h5") as all_threads:
            self.assertEqual(one["train_loss"][()].tobytes(), all_threads["train_loss"][()].tobytes())


@unittest.skipIf(support.REASON, support.REASON)
class Identity(unittest.TestCase):
    def setUp(self):
        self.keep = tempfile.TemporaryDirectory()
        self.addCleanup(self.keep.cleanup)
        self.folder = Path(self.keep.name)
        self.config = support.line_config(self.folder)
        self.out = self.folder / "out"
        self.run_line()

    def run_line(self, *arguments, expect=0):
        file = support.write_config(self.folder, self.config)
        return support.run_lossmap("run", file, "--out", self.out, "--progress", "none", *arguments, expect=expect)

    def refused(self, differing):
        before = (self.out / "surface.h5").read_bytes()
        process = self.run_line("--log-level", "off", expect=2)
        self.assertIn(f"it differs in: {differing})", process.stderr)
        self.assertIn("--fresh", process.stderr)
        self.assertEqual((self.out / "surface.h5").read_bytes(), before)

    def test_another_grid(self):
        self.config["x"]["points"] = 6
        self.refused("grid")

    def test_another_seed(self):
        self.config["directions"]["seed"] = 2
        self.refused("directions")

    def test_other_data(self):
        support.write_samples(self.folder / "samples.npz", seed=9)
        self.refused("data")

    def test_another_model(self):
        support.write_mlp(self.folder / "net.onnx", seed=9)
        self.refused("model, directions")

    def test_another_loss_and_chunking(self):
        self.config["loss"] = {"kind": "cross_entropy", "label_smoothing": 0.1}
        self.config["data"]["chunk"] = 7
        self.refused("loss, chunking")

    def test_names_device_and_copies_of_files_do_not_matter(self):
        (self.folder / "copy.onnx").write_bytes((self.folder / "net.onnx").read_bytes())
        self.config.update(name="other", model="copy.onnx", device="cpu")
        self.run_line("--threads", "1")

    def test_fresh_starts_over_and_leaves_other_files(self):
        (self.out / "notes.txt").write_text("mine")
        self.config["x"]["points"] = 6
        self.run_line("--fresh")
        self.assertEqual((self.out / "notes.txt").read_text(), "mine")
        with h5py.File(self.out / "surface.h5") as file:
            self.assertEqual(file["train_loss"].shape, (6,))

    def test_a_folder_of_other_things_is_left_alone(self):
        other = self.folder / "other"
        other.mkdir()
        (other / "notes.txt").write_text("mine")
        file = support.write_config(self.folder, self.config)
        process = support.run_lossmap("run", file, "--out", other, "--log-level", "off", expect=2)
        self.assertIn("is not empty and holds no run", process.stderr)
        self.assertEqual([path.name for path in other.iterdir()], ["notes.txt"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
