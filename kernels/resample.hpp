#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// One dimension of a linear or cubic Resize: out [outer, out_extent, inner] with out[o, x, i] = sum_k weights[x, k] *
/// in[o, sources[x, k], i], summed in fp64. Dimensions are resampled one after the other.
struct ResampleArgs {
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t outer = 1;
    std::int64_t in_extent = 1;
    std::int64_t out_extent = 1;
    std::int64_t inner = 1;
    int taps = 1;
    const std::int32_t* sources = nullptr;  ///< [out_extent, taps] in device memory, clamped to the input
    const double* weights = nullptr;        ///< [out_extent, taps]
};

struct Resample {
    ResampleArgs args;
    FastExtent inner, extent;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t to = point * args.out.point_stride + index;
        const std::int64_t i = inner.take(index);
        const std::int64_t x = extent.take(index);
        const std::int64_t base = point * args.in.point_stride + index * args.in_extent * args.inner + i;
        double sum = 0.0;
        for (int k = 0; k < args.taps; ++k) {
            const double weight = args.weights[x * args.taps + k];
            // A tap that does not count must not spread a NaN.
            if (weight == 0.0) continue;
            const std::int64_t source = args.sources[x * args.taps + k];
            sum += weight * static_cast<double>(load_float(args.in.data, args.in.type, base + source * args.inner));
        }
        store_float(args.out.data, args.out.type, to, static_cast<float>(sum));
    }
};

template <typename Launch>
void launch_resample(const ResampleArgs& args, const Launch& launch) {
    const std::int64_t count = args.outer * args.out_extent * args.inner;
    launch.items(
        args.points, count,
        Resample{args, FastExtent(args.inner, is_narrow(count)), FastExtent(args.out_extent, is_narrow(count))});
}

}  // namespace lossmap::kernels
