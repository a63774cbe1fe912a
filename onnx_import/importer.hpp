#pragma once

#include <filesystem>

#include "graph/graph.hpp"

namespace lossmap {

/// Reads an ONNX file into a Graph: values, nodes, initializers (fp16, bf16 and fp64 ones converted to fp32), metadata.
/// The file is untrusted: sizes are checked before memory is taken, external data must lie inside the model's folder.
/// Nothing is folded or inferred here. Operators that lossmap lacks are kept: `require_supported` refuses them,
/// `inspect` lists them. Throws InputError with one sentence naming the file (and node or tensor).
[[nodiscard]] Graph import_onnx(const std::filesystem::path& file);

}  // namespace lossmap
