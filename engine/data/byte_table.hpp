#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lossmap {

/// The f32 values that bytes of a sample stand for: scaled and normalised once for all samples.
struct ByteTable {
    static constexpr std::size_t kEntries = 256;  ///< of a channel

    std::int64_t channels = 1;  ///< a sample's first extent, or 1: the same for all elements
    std::vector<float> values;  ///< [channels, 256]

    /// @param bytes   of one sample, channel by channel
    /// @param sample  as many values
    void decode(std::span<const std::byte> bytes, std::span<float> sample) const;
};

}  // namespace lossmap
