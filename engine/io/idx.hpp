#pragma once

#include <filesystem>

#include "io/array_bytes.hpp"

namespace lossmap {

/// Reads an IDX file of unsigned bytes (the format of MNIST, http://yann.lecun.com/exdb/mnist), plain or gzip: two zero
/// bytes, type 0x08, rank, big-endian extents, elements. A plain file stays mapped, a gzip file is decoded once. Throws
/// InputError for another element type, and when the file is shorter or longer than its header says.
[[nodiscard]] ArrayBytes read_idx(const std::filesystem::path& file);

}  // namespace lossmap
