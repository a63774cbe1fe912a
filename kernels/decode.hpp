#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

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

/// kPackWidth channels of one pixel a thread; neighbouring threads have neighbouring pixels, so that reads run along
/// planes.
struct DecodeLast {
    static constexpr int kMinBlocks = 5;  ///< 20 KB of loads in flight a multiprocessor
    DecodeArgs args;
    FastExtent plane, packs;

    LOSSMAP_HD void operator()(std::int64_t, std::int64_t index) const {
        const std::int64_t pixel = plane.take(index);
        const std::int64_t first = packs.take(index) * kPackWidth;
        const std::int64_t sample = args.sample_indices == nullptr ? args.first + index : args.sample_indices[index];
        float values[kPackWidth];
        LOSSMAP_UNROLL
        for (int k = 0; k < kPackWidth; ++k) {
            const std::int64_t channel = first + k;
            values[k] = 0.0F;
            if (channel >= args.channels) continue;
            const std::uint8_t byte = args.images[(sample * args.channels + channel) * args.plane + pixel];
            values[k] = args.table[(args.table_channels == 1 ? 0 : channel) * 256 + byte];
        }
        store_pack(args.out, args.type, (index * args.plane + pixel) * args.padded_channels + first, values);
    }
};

/// One element a thread, for any layout.
struct DecodeSingle {
    DecodeArgs args;
    FastExtent inner, middle;  ///< channels first: plane, channels; channels last: padded channels, plane

    LOSSMAP_HD void operator()(std::int64_t, std::int64_t index) const {
        const std::int64_t to = index;
        const std::int64_t i = inner.take(index);
        const std::int64_t m = middle.take(index);
        const std::int64_t channel = args.channels_last ? i : m;
        const std::int64_t pixel = args.channels_last ? m : i;
        const std::int64_t sample = args.sample_indices == nullptr ? args.first + index : args.sample_indices[index];
        if (channel >= args.channels) return store_float(args.out, args.type, to, 0.0F);
        const std::uint8_t byte = args.images[(sample * args.channels + channel) * args.plane + pixel];
        store_float(args.out, args.type, to, args.table[(args.table_channels == 1 ? 0 : channel) * 256 + byte]);
    }
};

template <typename Launch>
void launch_decode(const DecodeArgs& args, const Launch& launch) {
    if (args.table_channels != 1 && args.table_channels != args.channels)
        refuse("decode", "tables do not fit the channels", args.table_channels);
    if (args.channels_last && args.padded_channels < args.channels)
        refuse("decode", "padded channels", args.padded_channels);
    const std::int64_t channels = args.channels_last ? args.padded_channels : args.channels;
    const std::int64_t count = args.samples * channels * args.plane;
    const bool narrow = is_narrow(count);
    const FastExtent plane(args.plane, narrow);
    if (args.channels_last && is_packable(Output{args.out, args.type, 0}, channels)) {
        return launch.items(1, count / kPackWidth, DecodeLast{args, plane, FastExtent(channels / kPackWidth, narrow)});
    }
    const FastExtent along(channels, narrow);
    launch.items(1, count, args.channels_last ? DecodeSingle{args, along, plane} : DecodeSingle{args, plane, along});
}

}  // namespace lossmap::kernels
