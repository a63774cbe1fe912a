#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "io/array_bytes.hpp"

namespace lossmap {

/// The floating-point initializers of a model by name, where they lie in the file (or in the external data beside it):
/// for reading parts of them without the rest. Those whose values are not there as one run of bytes are left out.
/// For files that `import_onnx` has accepted: other faults of the file leave initializers out, too. Throws InputError
/// when a file cannot be opened or external data lies outside the model's folder.
[[nodiscard]] std::map<std::string, ArrayBytes> locate_initializers(const std::filesystem::path& file);

}  // namespace lossmap
