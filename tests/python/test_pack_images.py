"""tools/pack_images.py: a folder of images becomes arrays in the order and orientation that lossmap expects."""
import contextlib
import io
import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))

try:
    import numpy as np
    from PIL import Image

    import pack_images
    MISSING = None
except ImportError as error:
    MISSING = f"numpy and Pillow are needed: {error}"
    print(f"test_pack_images: skipped, {MISSING}", file=sys.stderr)


@unittest.skipIf(MISSING, MISSING)
class PackImages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "images"
        self.out = Path(folder.name) / "out"

    def save(self, name, pixels):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)

    def run_tool(self, *options):
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            try:
                status = pack_images.main([str(self.folder), str(self.out), *options])
            except SystemExit as stop:
                status = stop.code
        return status, errors.getvalue()

    def test_packs_classes_in_order_as_channels_first(self):
        rng = np.random.default_rng(1)
        pixels = {name: rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
                  for name in ("dog/b.png", "dog/a.png", "cat/z.png")}
        for name, image in pixels.items():
            self.save(name, image)
        self.assertEqual(self.run_tool(), (0, ""))
        x, y = np.load(self.out / "x.npy"), np.load(self.out / "y.npy")
        self.assertEqual((x.dtype, x.shape, y.dtype), (np.uint8, (3, 3, 4, 5), np.int64))
        self.assertEqual(y.tolist(), [0, 1, 1])
        for row, name in enumerate(("cat/z.png", "dog/a.png", "dog/b.png")):
            np.testing.assert_array_equal(x[row], pixels[name].transpose(2, 0, 1))
        self.assertEqual(json.loads((self.out / "classes.json").read_text()), ["cat", "dog"])
        self.assertEqual(sorted(path.name for path in self.out.iterdir()), ["classes.json", "x.npy", "y.npy"])

    def test_crops_the_centre(self):
        image = np.zeros((6, 10, 3), np.uint8)
        image[1:5, 3:7] = 200
        self.save("a/1.png", image)
        self.save("a/2.png", image.transpose(1, 0, 2))
        self.assertEqual(self.run_tool("--size", "4", "--resize", "6")[0], 0)
        self.assertTrue((np.load(self.out / "x.npy") == 200).all())

    def test_grey(self):
        self.save("a/1.png", np.full((2, 2), 7, np.uint8))
        self.assertEqual(self.run_tool("--mode", "L")[0], 0)
        self.assertEqual(np.load(self.out / "x.npy").tolist(), [[[[7, 7], [7, 7]]]])

    def test_errors_are_one_sentence_with_status_2(self):
        def expect(part, *options):
            status, message = self.run_tool(*options)
            self.assertEqual(status, 2)
            self.assertIn(part, message)
            return message

        self.assertEqual(expect("no such folder").count("\n"), 1)
        self.folder.mkdir()
        expect("no sub-folders")
        (self.folder / "a").mkdir()
        expect("has no images")
        self.save("a/1.png", np.zeros((2, 2, 3), np.uint8))
        self.save("a/2.png", np.zeros((2, 3, 3), np.uint8))
        expect("is 3 x 2 pixels, expected 2 x 2")
        expect("--resize needs a --size", "--resize", "3")
        expect("--resize needs a --size", "--resize", "3", "--size", "4")
        expect("--size", "--size", "0")
        (self.folder / "a" / "3.png").write_text("no image")
        expect("3.png: cannot be read as an image", "--size", "2")
        self.assertEqual(list(self.out.iterdir()), [], "half-written results")


if __name__ == "__main__":
    unittest.main()
