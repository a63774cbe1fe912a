"""Reads exported files with other people's readers: trimesh, numpy, the xml module, vtk.

usage: export_readers_test.py WRITE_TEST_EXPORTS
"""
import base64
import csv
import importlib.util
import math
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else None
NX, NY = 7, 5
X = [-1 + 2 * i / (NX - 1) for i in range(NX)]
Y = [j / (NY - 1) for j in range(NY)]
GAPS = {8, 20, 24}   # NaN, infinite, not computed
KINDS = ("plane", "gaps")


def needs(package):
    missing = importlib.util.find_spec(package) is None
    return unittest.skipIf(missing, f"the Python package {package} is missing")


def value(point, log):
    """The z value of a point of the plane, from the formula in write_test_exports.cpp."""
    train = 1 + X[point % NX] + 10 * Y[point // NX] ** 2
    return math.log(min(1.5 * train + 0.25, 5.0) + 0.1) if log else train


def quads(kind, solid=False):
    """Corners of the quads that touch no gap, counter-clockwise."""
    gaps = GAPS if kind == "gaps" else set()
    # Points 8 and 24 are two steps apart along a diagonal: the holes around them meet in point 16 = (2, 2), and a solid
    # leaves out the lower one of the two quads that touch there.
    parted = solid and kind == "gaps"
    for j in range(NY - 1):
        for i in range(NX - 1):
            corners = [j * NX + i, j * NX + i + 1, (j + 1) * NX + i + 1, (j + 1) * NX + i]
            if not gaps & set(corners) and not (parted and (i, j) == (2, 1)):
                yield corners


def expected(kind, log, solid=False):
    """Points (x, y, z value) that a quad uses, and the quads as indices into them."""
    used = sorted({point for corners in quads(kind, solid) for point in corners})
    number = {point: k for k, point in enumerate(used)}
    return ([(X[p % NX], Y[p // NX], value(p, log)) for p in used],
            [[number[p] for p in corners] for corners in quads(kind, solid)])


def heights(points):
    low = min(z for _, _, z in points)
    high = max(z for _, _, z in points)
    return [(z - low) / (high - low) for _, _, z in points]


class Exports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = Path(cls.folder.name)
        subprocess.run([PROGRAM, cls.folder.name], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def cases(self, ending):
        for kind in KINDS:
            for log in (False, True):
                yield kind, log, self.path / f"{kind}{'-log' if log else ''}.{ending}"

    def close(self, found, wanted, tolerance=1e-6):
        self.assertEqual(len(found), len(wanted))
        for row, right in zip(found, wanted):
            for a, b in zip(row, right, strict=True):
                self.assertAlmostEqual(float(a), float(b), delta=tolerance)

    def test_vtp_as_xml(self):
        for kind, log, file in self.cases("vtp"):
            with self.subTest(file=file.name):
                points, faces = expected(kind, log)
                root = ElementTree.parse(file).getroot()
                self.assertEqual((root.get("type"), root.get("version")), ("PolyData", "1.0"))
                piece = root.find("PolyData/Piece")
                self.assertEqual(int(piece.get("NumberOfPoints")), len(points))
                self.assertEqual(int(piece.get("NumberOfPolys")), len(faces))
                numbers = {a.get("Name"): [float(t) for t in a.text.split()] for a in piece.iter("DataArray")}
                self.close([[z] for z in numbers["zvalue"]], [[p[2]] for p in points], 1e-12)
                flat = numbers["Points"]
                self.close([flat[i:i + 3] for i in range(0, len(flat), 3)], points, 1e-12)
                self.assertEqual(numbers["connectivity"], [k for face in faces for k in face])
                self.assertEqual(numbers["offsets"], [4 * (k + 1) for k in range(len(faces))])

    @needs("vtk")
    def test_vtp_with_vtk(self):
        import vtk
        for kind, log, file in self.cases("vtp"):
            with self.subTest(file=file.name):
                points, faces = expected(kind, log)
                reader = vtk.vtkXMLPolyDataReader()
                reader.SetFileName(str(file))
                reader.Update()
                data = reader.GetOutput()
                self.close([data.GetPoint(k) for k in range(data.GetNumberOfPoints())], points, 1e-12)
                self.assertEqual(data.GetNumberOfPolys(), len(faces))
                values = data.GetPointData().GetArray("zvalue")
                self.close([[values.GetValue(k)] for k in range(len(points))], [[p[2]] for p in points], 1e-12)

    # The runs of write_test_exports.cpp: runs 0 and 1, pieces of checkpoints.
    PATH_X, PATH_Y = (0.9, 0.5, 0.25, -0.125, 0.0), (0.75, 0.5, 0.5, 0.25, 0.0)
    PATHS = {"grid_path.vtp": ([], [[(0, k) for k in range(5)], [(1, k) for k in range(4)]]),
             "path.vtp": ([[(1, 0)]], [[(0, 0), (0, 1)], [(0, 3), (0, 4)], [(1, 3), (1, 4)]])}

    def path_points(self, name):
        """(x, y, z) of each vertex by (run, checkpoint), in the file's order."""
        points = {}
        for key in sorted(key for group in self.PATHS[name] for piece in group for key in piece):
            x, y = self.PATH_X[key[1]], self.PATH_Y[key[1]]
            if key == (1, 4):
                x = 5.0
            if name == "path.vtp":
                z = math.log(min((9, 8, math.nan, 6, 0.5)[key[1]], 7.0) + 0.1)
            else:  # 1 + x + 10 y^2, bilinear between the grid's points
                low = min(int(y * (NY - 1)), NY - 2)
                share = y * (NY - 1) - low
                z = 1 + x + 10 * ((1 - share) * Y[low] ** 2 + share * Y[low + 1] ** 2)
            points[key] = (x, y, z)
        return points

    def test_paths_as_xml(self):
        for name, (singles, lines) in self.PATHS.items():
            with self.subTest(file=name):
                points = self.path_points(name)
                order = list(points)
                piece = ElementTree.parse(self.path / name).getroot().find("PolyData/Piece")
                self.assertEqual([int(piece.get(f"NumberOf{kind}")) for kind in ("Points", "Verts", "Lines", "Polys")],
                                 [len(points), len(singles), len(lines), 0])
                arrays = {(parent.tag, array.get("Name")): array for parent in piece for array in parent}
                numbers = {key: [float(t) for t in array.text.split()] for key, array in arrays.items()
                           if array.get("format") == "ascii"}
                flat = numbers["Points", "Points"]
                self.close([flat[i:i + 3] for i in range(0, len(flat), 3)], points.values(), 1e-12)
                data = {key[1]: value for key, value in numbers.items() if key[0] == "PointData"}
                self.close([[z] for z in data["zvalue"]], [[p[2]] for p in points.values()], 1e-12)
                self.assertEqual(list(zip(data["run"], data["checkpoint"])), order)
                self.assertEqual(data["epoch"], [5 * k for _, k in order])
                self.assertEqual(data["learning_rate_drop"], [float(key == (0, 2)) for key in order])
                for kind, pieces in (("Verts", singles), ("Lines", lines)):
                    self.assertEqual(numbers[kind, "connectivity"], [order.index(key) for one in pieces for key in one])
                    ends = [sum(map(len, pieces[:k + 1])) for k in range(len(pieces))]
                    self.assertEqual(numbers[kind, "offsets"], ends)
                raw = base64.b64decode(arrays["PointData", "distance"].text)
                length, *distances = struct.unpack(f"<Q{len(points)}d", raw)
                self.assertEqual(length, 8 * len(points))
                for found, (_, k) in zip(distances, order):
                    wanted = (0.5, math.nan, 0.25, 0.125, 0.0)[k]
                    self.assertTrue(found == wanted or (math.isnan(found) and math.isnan(wanted)), (found, wanted))
                self.assertEqual(("PointData", "checkpoint_loss") in arrays, name == "path.vtp")

    @needs("vtk")
    def test_paths_with_vtk(self):
        import vtk
        for name, (singles, lines) in self.PATHS.items():
            with self.subTest(file=name):
                points = self.path_points(name)
                order = list(points)
                reader = vtk.vtkXMLPolyDataReader()
                reader.SetFileName(str(self.path / name))
                reader.Update()
                data = reader.GetOutput()
                self.close([data.GetPoint(k) for k in range(data.GetNumberOfPoints())], points.values(), 1e-12)
                self.assertEqual((data.GetNumberOfVerts(), data.GetNumberOfLines()), (len(singles), len(lines)))
                for k, piece in enumerate([*singles, *lines]):
                    ids = data.GetCell(k).GetPointIds()
                    self.assertEqual([order[ids.GetId(i)] for i in range(ids.GetNumberOfIds())], piece)
                distance = data.GetPointData().GetArray("distance")
                self.assertEqual([math.isnan(distance.GetValue(k)) for k in range(len(order))], [k == 1 for _, k in order])
                if name == "path.vtp":
                    losses = data.GetPointData().GetArray("checkpoint_loss")
                    self.assertEqual([losses.GetValue(k) for k in range(len(order))],
                                     [(1, 2, 3, math.inf, 5)[k] for _, k in order])

    @needs("trimesh")
    def test_obj(self):
        import trimesh
        for kind, log, file in self.cases("obj"):
            with self.subTest(file=file.name):
                points, faces = expected(kind, log)
                mesh = trimesh.load(file, process=False, maintain_order=True)
                # The longer side, x, is 2 units already; y is centred.
                shape = [(x, y - 0.5, h) for (x, y, _), h in zip(points, heights(points))]
                self.close(mesh.vertices, shape)
                self.assertEqual(len(mesh.faces), 2 * len(faces))
                self.assertTrue((mesh.face_normals[:, 2] > 0).all())
                self.assertAlmostEqual(mesh.area_faces @ mesh.face_normals[:, 2], len(faces) / 12, places=6)

    @needs("trimesh")
    def test_stl_is_a_printable_solid(self):
        import trimesh
        for kind, log, file in self.cases("stl"):
            with self.subTest(file=file.name):
                points, faces = expected(kind, log, solid=True)
                mesh = trimesh.load(file)
                self.assertTrue(mesh.is_watertight)
                self.assertTrue(mesh.is_winding_consistent)
                self.assertTrue(mesh.is_volume)
                top = [3 + 50 * h for h in heights(points)]
                # Prisms under the two triangles of each quad: area times the mean of three heights.
                area = 100 / (NX - 1) * 50 / (NY - 1) / 2
                volume = sum(area * (2 * top[a] + top[b] + 2 * top[c] + top[d]) / 3 for a, b, c, d in faces)
                self.assertAlmostEqual(mesh.volume / volume, 1, places=5)
                self.close(mesh.bounds, [(-50, -25, 0), (50, 25, 53)], 1e-4)

    @needs("trimesh")
    def test_gltf(self):
        import numpy
        import trimesh
        for ending in ("gltf", "glb"):
            for kind, log, file in self.cases(ending):
                with self.subTest(file=file.name):
                    points, faces = expected(kind, log)
                    scene = trimesh.load_scene(file, process=False)
                    self.assertEqual(list(scene.geometry), ["test" if log else "train"])
                    mesh = next(iter(scene.geometry.values()))
                    height = heights(points)
                    self.close(mesh.vertices, [(x, h, 0.5 - y) for (x, y, _), h in zip(points, height)])
                    self.assertEqual(len(mesh.faces), 2 * len(faces))
                    self.assertTrue((mesh.face_normals[:, 1] > 0).all())
                    colours = numpy.asarray(mesh.visual.vertex_attributes["color"])
                    # viridis from dark violet to yellow, linear light
                    ends = [colours[height.index(0)][:3], colours[height.index(1)][:3]]
                    scale = 255 if colours.dtype == numpy.uint8 else 1
                    linear = [[((c / 255 + 0.055) / 1.055) ** 2.4 if c > 10 else c / 255 / 12.92 for c in colour]
                              for colour in ((0x44, 0x01, 0x54), (0xfd, 0xe7, 0x25))]
                    self.close([end / scale for end in ends], linear, 0.004)

    @needs("numpy")
    def test_npz(self):
        import numpy
        for kind, log, file in self.cases("npz"):
            with self.subTest(file=file.name):
                gaps = GAPS if kind == "gaps" else set()
                split = "test" if log else "train"
                with numpy.load(file) as arrays:
                    numpy.testing.assert_array_equal(arrays["xcoordinates"], X)
                    numpy.testing.assert_array_equal(arrays["ycoordinates"], Y)
                    names = {f"{split}_{n}" for n in ("loss", "acc", "done", "non_finite", "samples", "standard_error")}
                    if log:
                        self.assertEqual(set(arrays), names | {"xcoordinates", "ycoordinates", "test_zvalue"})
                    self.assertLessEqual(names, set(arrays))
                    for name in names:
                        self.assertEqual(arrays[name].shape, (NY, NX))
                    drawn = arrays["test_zvalue" if log else "train_loss"].ravel()
                    for point in set(range(NX * NY)) - gaps:
                        self.assertAlmostEqual(drawn[point], value(point, log), delta=1e-12)
                    if gaps:
                        loss = arrays[f"{split}_loss"].ravel()
                        self.assertTrue(numpy.isnan(loss[[8, 24]]).all() and loss[20] == numpy.inf)
                        self.assertEqual(numpy.flatnonzero(arrays[f"{split}_done"].ravel() == 0).tolist(), [24])
        with numpy.load(self.path / "line.npz") as arrays:
            self.assertNotIn("ycoordinates", arrays)
            numpy.testing.assert_allclose(arrays["train_loss"], numpy.linspace(-1, 1, 9) ** 2, atol=1e-15)

    def test_csv(self):
        for kind, log, file in self.cases("csv"):
            with self.subTest(file=file.name):
                split = "test" if log else "train"
                with open(file, newline="", encoding="utf-8") as stream:
                    rows = list(csv.DictReader(stream))
                self.assertEqual(len(rows), NX * NY)
                for point, row in enumerate(rows):
                    self.assertEqual((float(row["x"]), float(row["y"])), (X[point % NX], Y[point // NX]))
                    missing = kind == "gaps" and point == 24
                    self.assertEqual(row[f"{split}_done"], "0" if missing else "1")
                    drawn = float(row["test_zvalue" if log else "train_loss"])
                    if kind == "gaps" and point in GAPS:
                        self.assertFalse(math.isfinite(drawn))
                    else:
                        self.assertAlmostEqual(drawn, value(point, log), delta=1e-12)
                    self.assertEqual(math.isnan(float(row[f"{split}_accuracy"])), missing)
                    self.assertEqual(row[f"{split}_samples"], "0" if missing else "1000")
        with open(self.path / "line.csv", newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream))
        self.assertEqual(rows[0][:3], ["x", "train_loss", "train_accuracy"])
        self.assertEqual(len(rows), 10)


if __name__ == "__main__":
    if PROGRAM is None:
        sys.exit(__doc__)
    unittest.main()
