#pragma once

#include <cstdint>
#include <filesystem>

#include "io/array_bytes.hpp"

namespace lossmap {

/// A record of the CIFAR-10 binary format (https://www.cs.toronto.edu/~kriz/cifar.html): a label, then 32 x 32 pixels
/// of red, of green, of blue, row by row: an image [3, 32, 32].
inline constexpr std::int64_t kCifarLabelBytes = 1;
inline constexpr std::int64_t kCifarImageBytes = 3 * 32 * 32;
inline constexpr std::int64_t kCifarRecordBytes = kCifarLabelBytes + kCifarImageBytes;

/// Maps a file of such records as u8 [records, 3073]. Throws InputError when its size is no multiple of a record, or 0.
[[nodiscard]] ArrayBytes map_cifar(const std::filesystem::path& file);

}  // namespace lossmap
