#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::kernels {

/// What stands behind a convolution or dense layer where its library call does not fuse it: out = f(in + bias[channel]
/// + residual) over [rows, channels] (channels last) or [rows, channels, inner]; each part may be absent. fp32
/// arithmetic; out may be in or the residual.
struct EpilogueArgs {
    Input in;
    Input bias;      ///< [channels]; null data: none
    Input residual;  ///< of the shape of `in`; null data: none
    Output out;
    std::int64_t points = 1;
    std::int64_t rows = 1;
    std::int64_t channels = 1;
    std::int64_t inner = 1;
    UnaryFunction activation;
    OverflowFlags overflow;  ///< watches what the activation is applied to
};

/// kPackWidth elements a thread, channels last; the bias starts anew every `channels` elements.
struct EpiloguePacked {
    static constexpr int kMinBlocks = 5;  ///< 20 KB of loads in flight a multiprocessor
    EpilogueArgs args;
    FastExtent channel_packs;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t begin = index * kPackWidth;
        float values[kPackWidth], other[kPackWidth];
        load_pack(args.in.data, args.in.type, point * args.in.point_stride + begin, values);
        if (args.bias.data != nullptr) {
            const std::int64_t channel = channel_packs.take(index) * kPackWidth;
            load_pack(args.bias.data, args.bias.type, point * args.bias.point_stride + channel, other);
            LOSSMAP_UNROLL
            for (int k = 0; k < kPackWidth; ++k)
                values[k] += other[k];
        }
        if (args.residual.data != nullptr) {
            load_pack(args.residual.data, args.residual.type, point * args.residual.point_stride + begin, other);
            LOSSMAP_UNROLL
            for (int k = 0; k < kPackWidth; ++k)
                values[k] += other[k];
        }
        flag_pack(args.overflow, args.out.type, point, begin, values);
        apply_to_pack(args.activation, values);
        store_pack(args.out.data, args.out.type, point * args.out.point_stride + begin, values);
    }
};

/// One element a thread.
struct EpilogueSingle {
    EpilogueArgs args;
    FastExtent inner, channels;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        float value = load_float(args.in.data, args.in.type, point * args.in.point_stride + index);
        if (args.bias.data != nullptr) {
            std::int64_t rest = index;
            (void)inner.take(rest);
            const std::int64_t channel = channels.take(rest);
            value += load_float(args.bias.data, args.bias.type, point * args.bias.point_stride + channel);
        }
        if (args.residual.data != nullptr)
            value += load_float(args.residual.data, args.residual.type, point * args.residual.point_stride + index);
        flag_overflow(args.overflow, args.out.type, point, index, value);
        store_float(args.out.data, args.out.type, point * args.out.point_stride + index,
                    apply_activation(args.activation, value));
    }
};

template <typename Launch>
void launch_epilogue(const EpilogueArgs& args, const Launch& launch) {
    if (is_trigonometric(args.activation.op)) refuse("epilogue", "activation", static_cast<int>(args.activation.op));
    if (!is_float_storage(args.in.type) || !is_float_storage(args.out.type))
        refuse("epilogue", "element type", static_cast<int>(args.in.type));
    const std::int64_t count = args.rows * args.channels * args.inner;
    const bool narrow = is_narrow(count);
    const auto fits = [&](const Input& operand, std::int64_t size) {
        return operand.data == nullptr || is_packable(operand, size);
    };
    if (args.inner == 1 && has_packed(args.activation.op) && is_packable(args.in, args.channels) &&
        is_packable(args.out, args.channels) && fits(args.bias, args.channels) && fits(args.residual, args.channels)) {
        return launch.items(args.points, count / kPackWidth,
                            EpiloguePacked{args, FastExtent(args.channels / kPackWidth, narrow)});
    }
    launch.items(args.points, count,
                 EpilogueSingle{args, FastExtent(args.inner, narrow), FastExtent(args.channels, narrow)});
}

}  // namespace lossmap::kernels
