#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::kernels {

/// A batch normalisation that could not be folded: x * scale + shift a channel, in fp64, with the factors of
/// fold_factors; [samples, channels, inner].
struct BatchNormArgs {
    Input in;
    Output out;
    const double* scale = nullptr;
    const double* shift = nullptr;
    std::int64_t factor_point_stride = 0;
    std::int64_t points = 1;
    std::int64_t samples = 1;
    std::int64_t channels = 1;
    std::int64_t inner = 1;
    UnaryFunction activation;
    OverflowFlags overflow;
};

/// LRN: x / (bias + alpha / size * sum of squares over neighbouring channels) ^ beta; [samples, channels, inner].
struct LocalResponseArgs {
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t samples = 1;
    std::int64_t channels = 1;
    std::int64_t inner = 1;
    std::int64_t size = 1;
    double alpha = 1e-4;
    double beta = 0.75;
    double bias = 1.0;
};

/// LpNormalization along the middle of [outer, count, inner]: x / |x|, 0 where the norm is 0.
struct LpNormalizeArgs {
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
    bool first_order = false;  ///< p = 1, else p = 2
};

struct BatchNorm {
    BatchNormArgs args;
    FastExtent inner, channels;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        std::int64_t rest = index;
        (void)inner.take(rest);
        const std::int64_t at = point * args.factor_point_stride + channels.take(rest);
        const double x =
            static_cast<double>(load_float(args.in.data, args.in.type, point * args.in.point_stride + index));
        const auto y = static_cast<float>(x * args.scale[at] + args.shift[at]);
        flag_overflow(args.overflow, args.out.type, point, index, y);
        store_float(args.out.data, args.out.type, point * args.out.point_stride + index,
                    apply_activation(args.activation, y));
    }
};

template <typename Launch>
void launch_batch_norm(const BatchNormArgs& args, const Launch& launch) {
    if (is_trigonometric(args.activation.op)) refuse("batch_norm", "activation", static_cast<int>(args.activation.op));
    const std::int64_t count = args.samples * args.channels * args.inner;
    launch.items(
        args.points, count,
        BatchNorm{args, FastExtent(args.inner, is_narrow(count)), FastExtent(args.channels, is_narrow(count))});
}

struct LocalResponse {
    LocalResponseArgs args;
    FastExtent inner, channels;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        std::int64_t rest = index;
        const std::int64_t i = inner.take(rest);
        const std::int64_t channel = channels.take(rest);
        const std::int64_t base = point * args.in.point_stride + rest * args.channels * args.inner + i;
        const std::int64_t first = channel - (args.size - 1) / 2;
        const std::int64_t last = channel + args.size / 2;
        double squares = 0.0;
        for (std::int64_t c = first < 0 ? 0 : first; c <= last && c < args.channels; ++c) {
            const double x = static_cast<double>(load_float(args.in.data, args.in.type, base + c * args.inner));
            squares += x * x;
        }
        const double x = static_cast<double>(load_float(args.in.data, args.in.type, base + channel * args.inner));
        const double y = x / std::pow(args.bias + args.alpha / static_cast<double>(args.size) * squares, args.beta);
        store_float(args.out.data, args.out.type, point * args.out.point_stride + index, static_cast<float>(y));
    }
};

template <typename Launch>
void launch_local_response(const LocalResponseArgs& args, const Launch& launch) {
    const std::int64_t count = args.samples * args.channels * args.inner;
    launch.items(
        args.points, count,
        LocalResponse{args, FastExtent(args.inner, is_narrow(count)), FastExtent(args.channels, is_narrow(count))});
}

/// One thread a row.
struct LpNormalize {
    LpNormalizeArgs args;
    FastExtent inner;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t i = inner.take(index);
        const std::int64_t base = index * args.count * args.inner + i;
        const auto at = [&](std::int64_t k) {
            return static_cast<double>(
                load_float(args.in.data, args.in.type, point * args.in.point_stride + base + k * args.inner));
        };
        double norm = 0.0;
        for (std::int64_t k = 0; k < args.count; ++k)
            norm += args.first_order ? std::fabs(at(k)) : at(k) * at(k);
        if (!args.first_order) norm = std::sqrt(norm);
        for (std::int64_t k = 0; k < args.count; ++k) {
            store_float(args.out.data, args.out.type, point * args.out.point_stride + base + k * args.inner,
                        norm == 0.0 ? 0.0F : static_cast<float>(at(k) / norm));
        }
    }
};

template <typename Launch>
void launch_lp_normalize(const LpNormalizeArgs& args, const Launch& launch) {
    const std::int64_t rows = args.outer * args.inner;
    launch.items(args.points, rows, LpNormalize{args, FastExtent(args.inner, is_narrow(rows))});
}

}  // namespace lossmap::kernels
