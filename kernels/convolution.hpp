#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/unary_function.hpp"
#include "kernels/window.hpp"

namespace lossmap::kernels {

/// Direct convolution, or its transpose, in any layout, with any groups and dilation: for depthwise layers and where no
/// library has an engine. fp32 accumulation by fused multiply-add over (channel, tap) in order.
///
/// Weight element (filter f, channel c within its group, tap k) is at f * weight_filter_stride + c *
/// weight_channel_stride + sum_axis k[axis] * weight_tap_strides[axis]; for a transposed convolution the window is that
/// of the output seen from the input (as ConvTranspose states it) and filters count outputs.
struct ConvolutionArgs {
    bool transposed = false;
    Input in;
    Input weight;
    Input bias;  ///< [filters]; null data: none
    Output out;
    std::int64_t points = 1;
    std::int64_t samples = 1;
    std::int64_t groups = 1;
    std::int64_t group_channels = 1;  ///< input channels of one group
    std::int64_t group_filters = 1;   ///< output channels of one group
    WindowGeometry window;
    PlaneStrides in_strides;
    PlaneStrides out_strides;
    std::int64_t weight_group_stride = 0;
    std::int64_t weight_filter_stride = 0;  ///< within a group
    std::int64_t weight_channel_stride = 0;
    std::int64_t weight_tap_strides[3] = {0, 0, 1};
    UnaryFunction activation;
    OverflowFlags overflow;  ///< elements_per_sample counts [filters, output positions]
};

}  // namespace lossmap::kernels
