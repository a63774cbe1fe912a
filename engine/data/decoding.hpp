#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.hpp"
#include "data/byte_table.hpp"

namespace lossmap {

/// Turns the elements of one sample into fp32 and normalises them a channel: (value - mean) / std, each step rounded to
/// fp32 as PyTorch's ToTensor and Normalize do. Bytes are scaled to 0..1 first (value / 255).
class InputDecoder {
public:
    /// `mean` and `std` hold a value a channel, or are both empty. `dtype`: u8, boolean, f16, f32 or f64.
    InputDecoder(DType dtype, std::vector<float> mean, std::vector<float> std);

    /// `row` holds `values.size()` elements, a multiple of the channel count, channel by channel.
    void decode(std::span<const std::byte> row, std::span<float> values) const;

    /// What u8 elements stand for; nullptr for all other types.
    [[nodiscard]] const std::shared_ptr<const ByteTable>& table() const { return table_; }

    /// Whether inputs of this type can be decoded.
    [[nodiscard]] static bool accepts(DType dtype);

    [[nodiscard]] const std::vector<float>& mean() const { return mean_; }
    [[nodiscard]] const std::vector<float>& std() const { return std_; }

private:
    void convert(std::span<const std::byte> row, std::span<float> values) const;

    DType dtype_;
    std::vector<float> mean_;
    std::vector<float> std_;
    std::shared_ptr<const ByteTable> table_;  // for bytes: looked up instead of computed
};

/// Integer elements of any type as int64; `row` holds `values.size()` elements. Throws InputError("<source>: ..") when
/// one does not fit.
void decode_integers(DType dtype, std::span<const std::byte> row, std::span<std::int64_t> values,
                     const std::string& source);

/// Numbers of any type as fp32, not scaled: regression targets.
void decode_numbers(DType dtype, std::span<const std::byte> row, std::span<float> values);

}  // namespace lossmap
