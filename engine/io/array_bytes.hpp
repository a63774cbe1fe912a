#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.hpp"
#include "core/shape.hpp"
#include "core/tensor.hpp"
#include "io/mapped_file.hpp"

namespace lossmap {

/// A dense row-major little-endian array as a file holds it: in a mapped file, or decoded into memory. Copies share the
/// bytes. They may lie at any address: copy elements out with memcpy, or use `to_tensor`.
struct ArrayBytes {
    std::string source;  ///< "train.npz: array 'x'", for messages
    DType dtype = DType::u8;
    Shape shape;
    std::span<const std::byte> bytes;                      ///< element_count(shape) * size_of(dtype) of them
    std::shared_ptr<const MappedFile> file;                ///< owner of the bytes, or
    std::shared_ptr<const std::vector<std::byte>> memory;  ///< this

    /// Hint that this part of `bytes` was read for the time being; see MappedFile::release. Nothing for bytes in
    /// memory.
    void release(std::span<const std::byte> part) const noexcept;

    /// The elements in a tensor of their own, fp16 and bf16 as f32, others as they are.
    [[nodiscard]] Tensor to_tensor() const;
};

/// fp32 elements of an array of any type. Throws InputError when an integer is not exactly an fp32 number.
[[nodiscard]] Tensor to_float32(const ArrayBytes& array);

/// The same for elements [first, first + values.size()) only.
void copy_float32(const ArrayBytes& array, std::int64_t first, std::span<float> values);

/// Number of bytes of an array, checked against overflow. Throws InputError("<source>: ..") on a negative extent too.
[[nodiscard]] std::size_t checked_size_bytes(DType dtype, const Shape& shape, const std::string& source);

}  // namespace lossmap
