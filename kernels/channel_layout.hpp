#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"

namespace lossmap::kernels {

/// Channels first to channels last, or back, with conversion of the floating-point type. Channels first: [samples,
/// channels, plane]; channels last: [samples, plane, padded_channels], the padding written as 0 and never read.
struct ChannelLayoutArgs {
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t samples = 0;
    std::int64_t channels = 0;
    std::int64_t plane = 0;
    std::int64_t padded_channels = 0;
    bool to_channels_last = true;
    OverflowFlags overflow;  ///< elements_per_sample counts those of the output
};

}  // namespace lossmap::kernels
