#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"

namespace lossmap::kernels {

/// Bytes of resident samples [samples.., channels, plane] to normalised numbers, through a table of 256 entries a
/// channel (as InputDecoder builds it), laid out for the first layer.
struct DecodeArgs {
    const std::uint8_t* images = nullptr;
    const std::int64_t* sample_indices = nullptr;  ///< [samples] rows of `images`; null: first, first + 1, ..
    std::int64_t first = 0;
    std::int64_t samples = 0;
    std::int64_t channels = 0;
    std::int64_t plane = 0;           ///< elements of one channel
    const float* table = nullptr;     ///< [table_channels, 256]
    std::int64_t table_channels = 1;  ///< 1: the same for all channels; else `channels`
    void* out = nullptr;
    DType type = DType::f32;
    bool channels_last = false;        ///< out is [samples, plane, padded_channels], else [samples, channels, plane]
    std::int64_t padded_channels = 0;  ///< channels_last: at least `channels`; the rest becomes 0
};

}  // namespace lossmap::kernels
