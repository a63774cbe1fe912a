#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "data/byte_table.hpp"

namespace lossmap {

/// One array a sample: a graph input or the target.
struct FieldInfo {
    std::string name;          ///< of the graph input, or of the array when the input is not named; "target"
    DType dtype = DType::f32;  ///< as the network takes it: f32 or i64
    Shape sample_shape;        ///< without the sample dimension
    /// Of the table that says what the bytes of an f32 input stand for; 0: chunks hold values of `dtype`.
    std::int64_t byte_channels = 0;

    [[nodiscard]] bool is_bytes() const { return byte_channels > 0; }
    /// Of a sample, as chunks hold it.
    [[nodiscard]] std::int64_t sample_bytes() const {
        return element_count(sample_shape) * static_cast<std::int64_t>(is_bytes() ? 1 : size_of(dtype));
    }
};

/// An input of some samples, [samples, sample_shape..]: values of f32 or i64, or bytes (u8) with a table of the f32
/// values that they stand for.
struct SampleInput : Tensor {
    using Tensor::Tensor;
    SampleInput(Tensor values) : Tensor(std::move(values)) {}  // NOLINT: implicit
    SampleInput(Tensor bytes, std::shared_ptr<const ByteTable> what_they_are)
        : Tensor(std::move(bytes)), table(std::move(what_they_are)) {}

    [[nodiscard]] bool is_bytes() const { return table != nullptr; }
    /// Writes the values of samples [first, first + count), which are bytes, one after the other.
    void decode(std::int64_t first, std::int64_t count, float* values) const;

    std::shared_ptr<const ByteTable> table;
};

/// Samples [first, first + count) of a split: inputs f32 (images, features), as values or bytes, or i64 (tokens) as
/// [count, sample_shape..], targets i64 (classes) or f32 (regression) likewise.
struct SampleChunk {
    std::int64_t first = 0;
    std::int64_t count = 0;
    std::vector<SampleInput> inputs;  ///< in the order of Dataset::inputs
    Tensor target;                    ///< count() == 0 and shape {count, 0} when the data has no target
    /// Of what was read: chunks that share one hold the same samples, whoever keeps it. nullptr: that is not known.
    std::shared_ptr<const void> identity{};
};

/// Rows [first, first + rows) of a chunk, copied; of no known identity.
[[nodiscard]] SampleChunk rows_of(const SampleChunk& chunk, std::int64_t first, std::int64_t rows);

/// For what is read now.
[[nodiscard]] std::shared_ptr<const void> new_identity();

}  // namespace lossmap
