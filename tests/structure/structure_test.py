"""The house stands as the architecture says: include arrows, vendors behind their layers, sources all built."""

import re
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import include_arrows  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


class IncludeArrows(unittest.TestCase):
    def test_no_arrow_is_broken(self):
        self.assertEqual(include_arrows.violations(ROOT), [])

    def test_every_layer_is_seen(self):
        layers = include_arrows.declared_layers(ROOT)
        for name in ("core", "graph", "io", "params", "data", "plan", "backend", "cpu", "landscape", "output",
                     "onnx_import", "kernels", "kernels_cuda"):
            self.assertIn(name, layers)

    def test_broken_arrows_are_found(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for path, text in {
                "engine/core/CMakeLists.txt": "lossmap_layer(NAME core HEADERS a.hpp SOURCES a.cpp)",
                "engine/graph/CMakeLists.txt": "lossmap_layer(NAME graph SOURCES g.cpp LAYERS core io)",
                "engine/core/a.cpp": '#include "graph/graph.hpp"\n#include <dnnl.hpp>\n',
                "engine/graph/g.cpp": '#include "core/error.hpp"\n#include "cpu/x.hpp"\n',
            }.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            self.assertEqual(include_arrows.violations(root), [
                "CMake: layer graph declares io, which the architecture does not allow",
                "engine/core/a.cpp: layer core must not include graph/graph.hpp (layer graph)",
                "engine/core/a.cpp: dnnl.hpp belongs to cpu alone",
                "engine/graph/g.cpp: layer graph must not include cpu/x.hpp (layer cpu)",
            ])


class Sources(unittest.TestCase):
    def test_every_source_is_listed_in_cmake(self):
        lists = " ".join(file.read_text() for folder in ("engine", "onnx_import", "cuda", "kernels", "tests", "bench")
                         for file in (ROOT / folder).rglob("CMakeLists.txt"))
        words = set(re.split(r"[\s()\"]+", lists))
        names = {word.rsplit("/", 1)[-1] for word in words}
        for folder in ("engine", "onnx_import", "cuda", "kernels", "tests", "bench"):
            for file in (ROOT / folder).rglob("*"):
                if file.suffix in (".cpp", ".cu"):
                    self.assertIn(file.name, names, f"{file.relative_to(ROOT)} is built by no CMakeLists.txt")


if __name__ == "__main__":
    unittest.main()
