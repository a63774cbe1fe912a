#pragma once

#include <cstdint>

#include "core/host_device.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

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

/// Output positions of a window operation as an index space: the innermost dimension is the one that lies side by side
/// in memory, so that neighbouring threads touch neighbouring elements.
struct PlaneLoop {
    struct Place {
        std::int64_t sample, channel, position[3];
    };
    bool channels_inside = false;
    FastExtent channels;
    FastExtent extents[3];

    PlaneLoop() = default;
    PlaneLoop(std::int64_t samples, std::int64_t channels_in, const std::int64_t (&positions)[3], bool inside)
        : channels_inside(inside) {
        const bool narrow = is_narrow(samples * channels_in * positions[0] * positions[1] * positions[2]);
        channels = FastExtent(channels_in, narrow);
        for (int axis = 0; axis < 3; ++axis)
            extents[axis] = FastExtent(positions[axis], narrow);
    }
    [[nodiscard]] LOSSMAP_HD Place at(std::int64_t index) const {
        Place place{};
        if (channels_inside) place.channel = channels.take(index);
        for (int axis = 2; axis >= 0; --axis)
            place.position[axis] = extents[axis].take(index);
        if (!channels_inside) place.channel = channels.take(index);
        place.sample = index;
        return place;
    }
};

LOSSMAP_HD inline std::int64_t plane_offset(const PlaneStrides& strides, std::int64_t sample, std::int64_t channel) {
    return sample * strides.sample + channel * strides.channel;
}
LOSSMAP_HD inline std::int64_t spatial_offset(const PlaneStrides& strides, std::int64_t d, std::int64_t h,
                                              std::int64_t w) {
    return d * strides.spatial[0] + h * strides.spatial[1] + w * strides.spatial[2];
}

/// Whether a plane can be read by packs of channels.
inline bool has_channel_packs(const PlaneStrides& strides) {
    bool fits = strides.channel == 1 && strides.sample % kPackWidth == 0;
    for (const std::int64_t stride : strides.spatial)
        fits = fits && stride % kPackWidth == 0;
    return fits;
}

}  // namespace lossmap::kernels
