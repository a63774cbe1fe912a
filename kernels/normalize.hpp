#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::kernels {

/// Layer, RMS, instance and group normalisation: (x - mean) / sqrt(variance + epsilon) * scale + shift over groups of
/// elements, moments in fp64 in two passes (the variance is biased), rms: x / sqrt(mean of squares + epsilon).
///
/// The input is [samples, groups, group_channels, inner], or [samples, inner, groups, group_channels] with
/// channels_last; a group's statistics run over group_channels and inner. Scale and shift have one entry for
/// `channels_per_entry` channels, [groups * group_channels / channels_per_entry]. A layer norm of rows of `width`:
/// groups 1, group_channels width, inner 1, channels_per_entry 1.
struct NormalizeArgs {
    bool rms = false;
    Input in;
    Output out;
    Input scale;     ///< null data: 1
    Input shift;     ///< null data: 0
    Output mean;     ///< [samples, groups]; null data: not wanted
    Output inverse;  ///< 1 / sqrt(variance + epsilon), likewise
    std::int64_t points = 1;
    std::int64_t samples = 1;
    std::int64_t groups = 1;
    std::int64_t group_channels = 1;
    std::int64_t inner = 1;
    std::int64_t channels_per_entry = 1;
    bool channels_last = false;
    double epsilon = 1e-5;
    OverflowFlags overflow;
};

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

}  // namespace lossmap::kernels
