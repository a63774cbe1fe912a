"""Shares of one surface, computed apart: what each of them has, and what they refuse."""

import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402

if not support.REASON:
    import h5py
    import numpy as np


def plane(folder, **changes):
    """5 x 3 points over two splits in chunks: 15 points of 5 units each."""
    config = support.line_config(folder, name="plane", splits=["train", "test"], y=support.axis(-0.5, 1, 3), **changes)
    support.write_samples(Path(folder) / "test.npz", count=9, seed=8)
    config["data"].update(test="test.npz", chunk=7)
    return config


class Case(unittest.TestCase):
    def setUp(self):
        keep = tempfile.TemporaryDirectory()
        self.addCleanup(keep.cleanup)
        self.folder = Path(keep.name)
        self.config = plane(self.folder)
        stand_in = self.folder / "gnuplot"  # no test looks at pictures, which take longer than all the rest
        stand_in.write_text("#!/bin/sh\necho drawn > picture\n")
        stand_in.chmod(0o700)
        os.environ["LOSSMAP_GNUPLOT"] = str(stand_in)
        self.addCleanup(os.environ.pop, "LOSSMAP_GNUPLOT", None)

    def run_it(self, out, *arguments, expect=0, command="run", folder=None):
        file = support.write_config(self.folder, self.config)
        more = ["--progress", "none"] + (["--out", self.folder / out] if out else []) if command == "run" else []
        return support.run_lossmap(command, file, *more, *arguments, expect=expect)

    def done(self, out, split="train"):
        with h5py.File(self.folder / out / "surface.h5") as file:
            return file[split + "_done"][()]


@unittest.skipIf(support.REASON, support.REASON)
class Share(Case):
    def setUp(self):
        super().setUp()
        del self.config["y"]
        self.config["x"] = support.axis(-1, 1, 15)

    def test_every_third_point_and_how_to_go_on(self):
        process = self.run_it("share", "--shard", "2/3")
        self.assertIn("share 2/3: 5 of 5 points are done; 'lossmap merge RUN... --out DIR' joins the shares", process.stderr)
        self.assertIn("share 2/3", (self.folder / "share" / "log.txt").read_text())
        for split in ("train", "test"):
            np.testing.assert_array_equal(self.done("share", split).ravel(), np.arange(15) % 3 == 2)
        with h5py.File(self.folder / "share" / "surface.h5") as file:
            self.assertTrue((file["train_loss"][()][file["train_done"][()] == 0] == -1).all())
            self.assertEqual(file.attrs["lossmap_shard"], "2/3")
        resolved = json.loads((self.folder / "share" / "config.resolved.json").read_text())
        self.assertEqual(resolved["provenance"]["shard"], "2/3")

    def test_the_default_folder_tells_the_share(self):
        file = support.write_config(self.folder, self.config)
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.folder)
        for given, name in (("0/4", "plane-shard-4-of-4"), ("3/4", "plane-shard-3-of-4")):
            support.run_lossmap("run", file, "--shard", given, "--progress", "none")
            self.assertTrue((self.folder / "runs" / name / "surface.h5").exists(), name)

    def test_one_folder_takes_share_after_share_and_the_rest(self):
        self.run_it("whole")
        self.run_it("one", "--shard", "1/4")
        again = self.run_it("one", "--shard", "3/4")
        self.assertNotIn("going on", again.stderr)  # nothing of this share is there yet
        self.assertEqual(self.done("one").sum(), 7)
        rest = self.run_it("one")
        self.assertIn("35 of 75 units are in the journal", rest.stderr)
        for name in ("surface.h5", "direction.h5"):
            self.assertEqual((self.folder / "one" / name).read_bytes(), (self.folder / "whole" / name).read_bytes(), name)

    def test_progress_counts_the_share(self):
        file = support.write_config(self.folder, self.config)
        out = support.run_lossmap("run", file, "--out", self.folder / "share", "--shard", "1/4", "--progress", "json").stdout
        events = [json.loads(line) for line in out.splitlines()]
        last = [event for event in events if event["event"] == "progress"][-1]
        self.assertEqual((last["finished_units"], last["total_units"]), (20, 20))

    def test_estimates_count_the_share(self):
        for process in (self.run_it(None, "--shard", "1/4", "--dry-run"), self.run_it(None, "--shard", "1/4", command="validate")):
            self.assertIn("share         1/4: 4 of 15 points", process.stdout)
            self.assertIn(f"evaluations   {4 * 29} (points x samples)", process.stdout)
        self.assertIn(f"evaluations   {15 * 29} (points", self.run_it(None, command="validate").stdout)

    def test_pictures_that_fail_are_a_warning(self):
        (self.folder / "gnuplot").write_text("#!/bin/sh\nexit 1\n")
        process = self.run_it("share", "--shard", "2/3")
        self.assertIn("no pictures of the share: cannot draw", process.stderr)
        self.assertIn("5 of 5 points are done", process.stderr)
        self.run_it("whole", expect=1)

    def test_more_shares_than_points(self):
        process = self.run_it("share", "--shard", "19/20")
        self.assertIn("share 19/20: 0 of 0 points are done", process.stderr)
        self.assertEqual(self.done("share").sum(), 0)

    def test_wrong_usage(self):
        for text in ("5/4", "1/0", "-1/4", "a/b", "1", "1/100001", ""):
            process = self.run_it("never", "--shard", text, expect=2)
            self.assertEqual(process.stderr.count("\n"), 1, process.stderr)
            self.assertIn("--shard", process.stderr)
        self.assertFalse((self.folder / "never").exists())

    def test_what_has_no_points_to_share_is_refused(self):
        plain = dict(self.config)
        evaluate = {key: plain[key] for key in ("data", "splits", "loss")}
        cases = (({**evaluate, "experiment": "evaluate", "models": ["net.onnx"]}, "experiment 'evaluate'"),
                 ({"experiment": "weight_norm", "checkpoints": ["net.onnx"]}, "experiment 'weight_norm'"),
                 ({**plain, "refine": {"initial": 3, "tolerance": 0.01}}, "/refine: --shard"))
        for self.config, message in cases:
            process = self.run_it("never", "--shard", "1/2", "--log-level", "off", expect=2)
            self.assertIn(message, process.stderr)
            self.assertEqual(process.stderr.count("\n"), 1, process.stderr)
        self.assertFalse((self.folder / "never").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
