#pragma once

#include <cstdint>

namespace lossmap::kernels {

/// A window sliding over up to three spatial dimensions, the missing ones in front with extents of 1. Output position o
/// sees input positions o * stride - pad_begin + k * dilation.
struct WindowGeometry {
    std::int64_t input[3] = {1, 1, 1};
    std::int64_t output[3] = {1, 1, 1};
    std::int64_t kernel[3] = {1, 1, 1};
    std::int64_t stride[3] = {1, 1, 1};
    std::int64_t dilation[3] = {1, 1, 1};
    std::int64_t pad_begin[3] = {0, 0, 0};
    std::int64_t pad_end[3] = {0, 0, 0};
};

/// Strides, in elements, of an array of feature planes; NCHW and NHWC differ in nothing else.
struct PlaneStrides {
    std::int64_t sample = 0;
    std::int64_t channel = 0;
    std::int64_t spatial[3] = {0, 0, 0};
};

/// [samples, channels, spatial..], channels outermost.
inline PlaneStrides channels_first(std::int64_t channels, const std::int64_t (&extents)[3]) {
    const std::int64_t plane = extents[0] * extents[1] * extents[2];
    return {channels * plane, plane, {extents[1] * extents[2], extents[2], 1}};
}
/// [samples, spatial.., channels]; `channels` counts padding.
inline PlaneStrides channels_last(std::int64_t channels, const std::int64_t (&extents)[3]) {
    return {channels * extents[0] * extents[1] * extents[2],
            1,
            {channels * extents[1] * extents[2], channels * extents[2], channels}};
}

}  // namespace lossmap::kernels
