"""Shares of one surface joined again: the numbers of a run without shares, from the folders' files alone."""

import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cli_support as support  # noqa: E402
from test_cli_reestimate import write_images, write_net  # noqa: E402
from test_cli_shard import Case, plane  # noqa: E402

if not support.REASON:
    import h5py
    import numpy as np


def contents(file):
    """Every dataset of a file: shape, type, bytes."""
    found = {}

    def take(name, item):
        if isinstance(item, h5py.Dataset):
            value = item[()]
            found[name] = (item.shape, item.dtype, value.tobytes() if isinstance(value, np.ndarray) and item.dtype.kind != "O" else str(value))
    with h5py.File(file) as stored:
        stored.visititems(take)
    return found


class Merging(Case):
    def shares(self, count, name="share", order=None):
        """Runs every share in a folder of its own; returns the folders."""
        folders = []
        for index in order or range(1, count + 1):
            self.run_it(f"{name}_{index}_{count}", "--shard", f"{index}/{count}")
            folders.append(self.folder / f"{name}_{index}_{count}")
        return folders

    def merge(self, folders, out="merged", expect=0):
        return support.run_lossmap("merge", *folders, "--out", self.folder / out, expect=expect)

    def same_numbers(self, out="merged", whole="whole"):
        files = [name for name in ("surface.h5", "direction.h5", "trajectory.h5") if (self.folder / whole / name).exists()]
        for name in files:
            expected, found = contents(self.folder / whole / name), contents(self.folder / out / name)
            self.assertEqual(expected.keys(), found.keys(), name)
            for dataset, values in expected.items():
                self.assertEqual(found[dataset], values, (name, dataset))
        for name in ("table.csv", "table.md", "table.tex"):
            if (self.folder / whole / name).exists():
                self.assertEqual((self.folder / out / name).read_bytes(), (self.folder / whole / name).read_bytes(), name)

    def refused(self, folders, *messages, out="merged"):
        process = self.merge(folders, out, expect=2)
        errors = [line for line in process.stderr.splitlines() if "error" in line]
        self.assertEqual(len(errors), 1, process.stderr)
        for message in messages:
            self.assertIn(message, errors[0])

    def resolved(self, out):
        return json.loads((self.folder / out / "config.resolved.json").read_text())


@unittest.skipIf(support.REASON, support.REASON)
class SameBits(Merging):
    def test_a_plane_of_two_splits_in_two_and_three_shares(self):
        self.run_it("whole")
        for count, order in ((2, [2, 1]), (3, [3, 1, 2])):
            folders = self.shares(count, order=order)
            hidden = self.folder / "net.onnx"  # neither model nor data is looked at
            hidden.rename(self.folder / "hidden")
            process = self.merge(folders, f"merged_{count}")
            (self.folder / "hidden").rename(hidden)
            self.assertIn("all 15 points are done", process.stderr)
            self.assertNotIn("different plans", process.stderr)
            self.same_numbers(f"merged_{count}")
        out = self.folder / "merged_3"
        listed = {str(Path(line).relative_to(out)) for line in process.stdout.splitlines()}
        self.assertEqual(listed, {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} - {"journal.sqlite", "log.txt"})
        whole, merged = self.resolved("whole"), self.resolved("merged_3")
        origins = merged["provenance"].pop("merged")
        self.assertEqual(merged, whole)
        self.assertEqual([origin["shard"] for origin in origins], ["3/3", "1/3", "2/3"])
        self.assertEqual(origins[0]["run"], str(folders[0]))
        self.assertEqual(origins[0]["device"], whole["provenance"]["device"])
        with h5py.File(out / "surface.h5") as file:
            self.assertNotIn("lossmap_shard", file.attrs)
            self.assertEqual(json.loads(file.attrs["lossmap_merged"]), origins)
        before = (out / "direction.h5").read_bytes()
        self.assertEqual(before, (self.folder / "whole" / "direction.h5").read_bytes())
        after = self.run_it("merged_3")
        self.assertIn("75 of 75 units are in the journal", after.stderr)
        self.assertEqual((out / "surface.h5").read_bytes(), (self.folder / "whole" / "surface.h5").read_bytes())

    def test_repetitions_of_a_plane(self):
        self.config.update(experiment="repeat", count=3)
        self.run_it("whole")
        self.merge(self.shares(2))
        self.same_numbers()
        with h5py.File(self.folder / "merged" / "surface.h5") as file:
            self.assertEqual(file["train_loss"].shape, (3, 3, 5))

    def test_an_interpolation_with_statistics_of_each_point(self):
        write_net(self.folder / "from.onnx", 1)
        write_net(self.folder / "to.onnx", 2)
        write_images(self.folder / "train.npz", 30, 3)
        self.config = {"name": "line", "experiment": "interpolation", "model": "from.onnx", "to": "to.onnx", "move": "reestimate",
                       "statistics": {"split": "train", "count": 23, "batch": 8}, "x": support.axis(-0.5, 1.5, 5),
                       "data": {"format": "npz", "train": "train.npz", "chunk": 9, "subset": {"train": {"count": 20, "seed": 1, "stratified": True}}}}
        self.run_it("whole")
        self.merge(self.shares(2))
        self.same_numbers()
        with h5py.File(self.folder / "merged" / "surface.h5") as file:
            self.assertEqual(dict(file["train_loss"].attrs), dict(h5py.File(self.folder / "whole" / "surface.h5")["train_loss"].attrs))

    def test_paths_with_the_true_loss_of_every_checkpoint(self):
        for k in range(5):
            support.write_mlp(self.folder / f"{'ab'[k % 2]}_{k}.onnx", k)
        self.config = {"name": "runs", "experiment": "trajectory", "plane": {"kind": "pca", "ignore": []},
                       "runs": [{"label": "first", "checkpoints": "a_*.onnx"}, {"label": "second", "checkpoints": "b_*.onnx"}],
                       "data": self.config["data"], "splits": ["train", "test"], "x": {"points": 4}, "y": {"points": 3}}
        self.run_it("whole")
        folders = self.shares(2)
        with h5py.File(folders[0] / "trajectory.h5") as file:
            self.assertIn(-1, file["runs/0/train_checkpoint_loss"][()])
        self.merge(folders)
        self.same_numbers()
        with h5py.File(self.folder / "merged" / "trajectory.h5") as file:
            self.assertTrue((file["runs/1/test_checkpoint_loss"][()] > 0).all())
        self.assertIn("all 22 points are done", (self.folder / "merged" / "log.txt").read_text())

    def test_points_of_an_earlier_run_stay(self):
        del self.config["y"]
        self.run_it("small")
        self.config.update(x=support.axis(-1, 1, 9), grow=True, **{"from": "small"})
        self.run_it("whole")
        folders = self.shares(2)
        shutil.rmtree(self.folder / "small")
        self.merge(folders)
        self.same_numbers()

    def test_points_of_a_surface_file_stay(self):
        del self.config["y"]
        self.run_it("whole")
        with h5py.File(self.folder / "whole" / "surface.h5") as ours, h5py.File(self.folder / "theirs.h5", "w") as theirs:
            for name in ("xcoordinates", "train_loss", "train_acc"):
                theirs[name] = ours[name][()]
            theirs["train_loss"][0] = theirs["train_acc"][0] = -1
        self.config.update(grow=True, **{"from": "theirs.h5"})
        self.run_it("grown")
        self.merge(self.shares(2))
        self.same_numbers(whole="grown")
        self.assertIn("units are in the journal", self.run_it("merged").stderr)

    def test_a_sweep_folder_by_folder(self):
        del self.config["y"]
        self.config.update(splits=["train"], sweep=[{"pointer": "/directions/seed", "values": [1, 2]}])
        self.run_it("whole")
        folders = self.shares(2)
        self.assertFalse((folders[0] / "report.html").exists())
        self.merge(folders)
        for name in ("001-1", "002-2"):
            self.same_numbers(f"merged/{name}", f"whole/{name}")
            self.assertTrue((self.folder / "merged" / name / "origin" / "table.csv").exists())
        for name in ("table.csv", "table.md", "sweep.json"):
            self.assertEqual((self.folder / "merged" / name).read_bytes(), (self.folder / "whole" / name).read_bytes(), name)
        self.assertTrue((self.folder / "merged" / "report.html").exists())
        self.assertIn("units are in the journal", self.run_it("merged").stderr)
        self.refused([folders[0], self.folder / "whole" / "001-1"], "is none", out="other")


@unittest.skipIf(support.REASON, support.REASON)
class OneByOne(Merging):
    def setUp(self):
        super().setUp()
        del self.config["y"]  # a line of 5 points
        self.config["splits"] = ["train"]
        self.run_it("whole")

    def test_what_is_missing_is_said_and_can_be_merged_or_computed(self):
        folders = self.shares(5)
        process = self.merge(folders[:2])
        self.assertIn("3 of 5 points are missing (of shares 3/5, 4/5, 5/5)", process.stderr)
        out = self.folder / "merged"
        self.assertIn(f"'lossmap run {out / 'config.resolved.json'} --out {out}' computes them", process.stderr)
        self.assertEqual(self.done("merged").tolist(), [0, 1, 1, 0, 0])
        process = self.merge(folders[1:4])  # one of them again
        self.assertIn("1 of 5 points are missing (of share 5/5)", process.stderr)
        self.assertEqual([origin["shard"] for origin in self.resolved("merged")["provenance"]["merged"]], ["1/5", "2/5", "3/5", "4/5"])
        shutil.copytree(self.folder / "merged", self.folder / "computed")
        process = support.run_lossmap("run", self.folder / "computed" / "config.resolved.json", "--out", self.folder / "computed", "--progress", "none")
        self.assertIn("12 of 15 units are in the journal", process.stderr)
        self.same_numbers("computed")
        self.assertIn("all 5 points are done", self.merge([folders[4]]).stderr)
        self.same_numbers()

    def test_into_one_of_the_shares(self):
        folders = self.shares(2)
        self.merge(folders[:1] * 2 + folders[1:], folders[1].name)
        self.same_numbers(folders[1].name)
        self.assertNotIn("shard", self.resolved(folders[1].name)["provenance"])

    def test_a_merge_that_was_cut_short_goes_on(self):
        folders = self.shares(2)
        stand_in = (self.folder / "gnuplot").read_text()
        (self.folder / "gnuplot").write_text("#!/bin/sh\nexit 1\n")
        process = self.merge(folders, expect=1)
        self.assertIn("all numbers are merged and saved, but cannot draw", process.stderr)
        self.same_numbers()
        (self.folder / "gnuplot").write_text(stand_in)
        for file in (self.folder / "merged").iterdir():  # stopped as soon as the journal was written
            if file.is_file() and file.name != "journal.sqlite":
                file.unlink()
        self.assertIn("all 5 points are done", self.merge(folders[:1]).stderr)
        self.same_numbers()
        self.assertTrue((self.folder / "merged" / "report.html").exists())

    def test_more_shares_than_points(self):
        self.merge(self.shares(1), "single")
        self.same_numbers("single")
        folders = self.shares(7, order=[6, 1, 2, 3, 4, 7])
        self.assertIn("all 5 points are done", self.merge(folders).stderr)
        self.same_numbers()

    def test_different_runs_are_named_with_what_differs(self):
        folders = self.shares(2)
        self.config["x"] = support.axis(-1, 2, 5)
        self.run_it("wider", "--shard", "2/2")
        self.refused([folders[0], self.folder / "wider"], str(folders[0]), str(self.folder / "wider"), "(they differ in: grid)")
        self.assertFalse((self.folder / "merged").exists())
        before = (self.folder / "wider" / "surface.h5").read_bytes()
        self.refused(folders, "'" + str(self.folder / "wider") + "' holds another run (it differs in: grid): choose another --out", out="wider")
        self.assertEqual((self.folder / "wider" / "surface.h5").read_bytes(), before)

    def test_folders_that_are_no_runs_are_refused(self):
        folders = self.shares(2)
        (self.folder / "mine").mkdir()
        self.refused([folders[0], self.folder / "mine"], "'" + str(self.folder / "mine") + "' holds no run of lossmap")
        (self.folder / "mine" / "notes.txt").write_text("mine")
        self.refused(folders, "is not empty and holds no run of lossmap", out="mine")
        self.refused([folders[0], self.folder / "absent"], "no such folder")
        self.refused(folders, "is no folder", out="net.onnx")
        (folders[1] / "config.resolved.json").write_text("{}")
        self.refused(folders, "does not belong to the journal beside it")
        shutil.copy(self.folder / "whole" / "config.resolved.json", folders[1])
        self.config["x"] = support.axis(-1, 1, 4)
        self.run_it("other")
        for name in ("direction.h5", "surface.h5"):
            kept = (folders[0] / name).read_bytes()
            shutil.copy(self.folder / "other" / name, folders[0])
            self.refused(folders, f"'{folders[0] / name}' does not belong to the journal beside it")
            (folders[0] / name).write_bytes(kept)
        for name, dataset, what in (("direction.h5", "xdirection/2", "directions"), ("surface.h5", "xcoordinates", "coordinates")):
            kept = (folders[0] / name).read_bytes()
            with h5py.File(folders[0] / name, "r+") as file:
                file[dataset][...] += 1e-3
            self.refused(folders, f"'{folders[0] / name}' is damaged: its {what} are not those of the run")
            (folders[0] / name).write_bytes(kept)
        (folders[0] / "surface.h5").write_bytes(b"damaged")
        self.refused(folders, "surface.h5")
        self.assertFalse((self.folder / "merged").exists())

    def test_a_refined_run_is_refused(self):
        self.config["refine"] = {"initial": 3, "tolerance": 0.01}
        self.run_it("refined")
        self.refused([self.folder / "refined"], "a refined grid chooses its points from all results")

    def tamper(self, folder, point, loss):
        """Another unit, or another loss sum in it, with a sound checksum."""
        with sqlite3.connect(folder / "journal.sqlite") as journal:
            fields = struct.pack("<3d4q", loss, 2.5, 7, 3, 7, 0, 0)
            value = 0xcbf29ce484222325
            for byte in f"train\n{point}\n1\n".encode() + fields:
                value = (value ^ byte) * 0x100000001b3 % 2 ** 64
            journal.execute("INSERT OR REPLACE INTO unit VALUES ('train', ?, 1, ?)", (point, fields + struct.pack("<Q", value)))
        journal.close()

    def test_units_that_contradict_each_other(self):
        folders = self.shares(2)
        shutil.copytree(folders[0], self.folder / "copy")
        self.merge([*folders, self.folder / "copy"])  # the same unit twice is fine
        self.same_numbers()
        self.tamper(self.folder / "copy", 3, 1.25)
        self.refused([*folders, self.folder / "copy"], "point 3 (chunk 1 of split 'train')", str(folders[0]), str(self.folder / "copy"), out="again")
        self.refused([self.folder / "copy"], "point 3 (chunk 1 of split 'train')", str(self.folder / "merged"))
        self.same_numbers()
        self.tamper(folders[0], 5, 1.25)
        self.refused(folders, f"{folders[0]}: the journal holds point 5, chunk 1 of split 'train', which this run does not have", out="again")
        self.assertFalse((self.folder / "again").exists())

    def test_another_plan_is_a_warning(self):
        folders = self.shares(2)
        with sqlite3.connect(folders[1] / "journal.sqlite") as journal:
            journal.execute("UPDATE meta SET value = '{\"isa\": \"other\"}' WHERE key = 'note:plan'")
        journal.close()
        resolved = self.resolved(folders[1].name)
        resolved["provenance"]["device"] = "another processor"
        (folders[1] / "config.resolved.json").write_text(json.dumps(resolved))
        self.assertIn("were computed with different plans", self.merge(folders).stderr)
        self.same_numbers()
        devices = self.resolved("merged")["provenance"]["device"]
        self.assertEqual(devices, self.resolved("whole")["provenance"]["device"] + "; another processor")


    def test_the_example_for_slurm(self):
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "lossmap").symlink_to(support.BINARY)
        (tools / "srun").write_text('#!/bin/sh\nexec "$@"\n')
        (tools / "srun").chmod(0o700)
        script = support.ROOT / "configs" / "slurm" / "shares.sh"
        file = support.write_config(self.folder, self.config)
        for task in ({"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_COUNT": "2"}, {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "2"}, {}):
            subprocess.run([script, file, self.folder / "merged"], check=True, capture_output=True,
                           env={**os.environ, **task, "PATH": f"{tools}:{os.environ['PATH']}"})
        self.same_numbers()


@unittest.skipIf(support.REASON, support.REASON)
class Killed(Merging):
    def test_a_killed_share_gives_what_it_has_and_goes_on(self):
        support.write_convnet(self.folder / "net.onnx")
        self.config = {"name": "plane", "experiment": "surface", "model": "net.onnx", "splits": ["train"],
                       "data": {"format": "synthetic", "count": 2000, "seed": 4, "chunk": 100},
                       "directions": {"kind": "random", "seed": 2}, "x": support.axis(-1, 1, 9), "y": support.axis(-0.5, 1, 7)}
        self.run_it("whole")
        self.run_it("second", "--shard", "2/2")
        file = support.write_config(self.folder, self.config)
        support.stop_in_the_middle(file, self.folder / "first", support.KILL, arguments=("--shard", "1/2"))
        if (self.folder / "first" / "report.html").exists():
            self.skipTest("the share was over before the signal came")
        folders = [self.folder / "first", self.folder / "second"]
        self.assertIn("points are missing (of share 1/2)", self.merge(folders).stderr)
        self.assertIn("going on: ", self.run_it("first", "--shard", "1/2").stderr)
        self.assertIn("all 63 points are done", self.merge(folders).stderr)
        self.same_numbers()


if __name__ == "__main__":
    unittest.main(verbosity=2)
