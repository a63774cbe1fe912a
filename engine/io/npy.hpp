#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "io/array_bytes.hpp"

namespace lossmap {

/// What the header of a .npy file says (numpy.lib.format, versions 1.0 to 3.0).
struct NpyHeader {
    DType dtype = DType::f32;
    Shape shape;
    std::size_t data_offset = 0;  ///< of the first element, from the start of the file
};

/// Throws InputError("<source>: ..") for anything but a little-endian array in C order of f2, f4, f8, i1 to i8, u1 to
/// u8 or b1.
[[nodiscard]] NpyHeader parse_npy_header(std::span<const std::byte> bytes, const std::string& source);

/// The array inside the bytes of a .npy file; its bytes point into them, the caller adds the owner. Checks that every
/// element is there and nothing follows.
[[nodiscard]] ArrayBytes parse_npy(std::span<const std::byte> bytes, std::string source);

/// Maps a .npy file; elements are read when touched, so the array may be larger than memory.
[[nodiscard]] ArrayBytes map_npy(const std::filesystem::path& file);

/// Header of version 1.0, padded so that the elements start at a multiple of 64 bytes. bf16 is no NumPy type:
/// InternalError.
[[nodiscard]] std::string npy_header(DType dtype, const Shape& shape);

/// Writes a .npy file in one step (AtomicFile).
void write_npy(const std::filesystem::path& file, const ConstTensorView& tensor);

}  // namespace lossmap
