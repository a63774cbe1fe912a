#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

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

/// kPackWidth channels of one pixel a thread; neighbouring threads have neighbouring pixels, so that the side whose
/// planes are whole is read or written along them.
struct ChannelLayout {
    ChannelLayoutArgs args;
    FastExtent plane, packs;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t pixel = plane.take(index);
        const std::int64_t first = packs.take(index) * kPackWidth;
        const std::int64_t in = point * args.in.point_stride;
        const std::int64_t out = point * args.out.point_stride;
        const std::int64_t last = (index * args.plane + pixel) * args.padded_channels + first;
        if (args.to_channels_last) {
            float values[kPackWidth];
            LOSSMAP_UNROLL
            for (int k = 0; k < kPackWidth; ++k) {
                values[k] = first + k >= args.channels
                                ? 0.0F
                                : load_float(args.in.data, args.in.type, in + at_plane(index, first + k, pixel));
            }
            flag_pack(args.overflow, args.out.type, point, last, values);
            if (args.padded_channels % kPackWidth == 0)
                return store_pack(args.out.data, args.out.type, out + last, values);
            for (int k = 0; k < kPackWidth && first + k < args.padded_channels; ++k)
                store_float(args.out.data, args.out.type, out + last + k, values[k]);
            return;
        }
        for (int k = 0; k < kPackWidth && first + k < args.channels; ++k) {
            const std::int64_t to = at_plane(index, first + k, pixel);
            const float value = load_float(args.in.data, args.in.type, in + last + k);
            flag_overflow(args.overflow, args.out.type, point, to, value);
            store_float(args.out.data, args.out.type, out + to, value);
        }
    }

private:
    LOSSMAP_HD std::int64_t at_plane(std::int64_t sample, std::int64_t channel, std::int64_t pixel) const {
        return (sample * args.channels + channel) * args.plane + pixel;
    }
};

template <typename Launch>
void launch_channel_layout(const ChannelLayoutArgs& args, const Launch& launch) {
    if (!is_float_storage(args.in.type) || !is_float_storage(args.out.type))
        refuse("channel_layout", "element type", static_cast<int>(args.in.type));
    if (args.padded_channels < args.channels) refuse("channel_layout", "padded channels", args.padded_channels);
    if (args.to_channels_last && args.padded_channels % kPackWidth == 0 && !is_packable(args.out, args.padded_channels))
        refuse("channel_layout", "output is not aligned to 16 bytes", args.out.point_stride);
    const std::int64_t packs =
        ((args.to_channels_last ? args.padded_channels : args.channels) + kPackWidth - 1) / kPackWidth;
    const std::int64_t count = args.samples * packs * args.plane;
    launch.items(args.points, count,
                 ChannelLayout{args, FastExtent(args.plane, is_narrow(count)), FastExtent(packs, is_narrow(count))});
}

}  // namespace lossmap::kernels
