#pragma once

#include <cstddef>

#include <gtest/gtest.h>

#include "stage_networks.hpp"

/// Networks for the stage kernels whose numbers are two fp16 halves, at any scale.
namespace lossmap::test {

/// Of a device's output against fp64: halves hold 22 bits, sums 24.
inline constexpr double kHalves = 4e-6;

/// Two layers and a skip at 16 x 32 x 32, the first one the network's; no biases, so that outputs grow as inputs do.
/// The parameters: 16 x 27 weights of the first layer, 16 x 144 and 16 x 144 of the next ones, 16 x 5 and 5 of the
/// head.
inline ReferenceNet homogeneous_net() {
    ReferenceNet net({3, 32, 32}, 41);
    const Handle x = net.relu(net.conv(net.input(), 16, 3, 1, 1));
    const Handle inner = net.relu(net.conv(x, 16, 3, 1, 1));
    const Handle y = net.relu(net.add(net.conv(inner, 16, 3, 1, 1), x));
    net.output(net.gemm(net.flatten(net.global_average_pool(y)), 5, true));
    return net;
}
inline constexpr std::size_t kFirst = 16 * 27, kInner = 16 * 144, kHead = 16 * 5;

inline void scale_weights(NetworkRunner& runner, std::size_t first, std::size_t count, float factor) {
    auto& weights = runner.net().origin().weights;
    for (std::size_t k = first; k < first + count; ++k) {
        weights[k] *= factor;
        for (std::size_t axis = 0; axis < 2; ++axis)
            runner.direction(axis)[k] *= factor;
    }
}

inline void scale_samples(NetworkRunner& runner, std::size_t first, std::size_t count, float factor) {
    auto inputs = const_cast<SampleChunk&>(runner.chunk()).inputs[0].as<float>();
    const std::size_t width = inputs.size() / static_cast<std::size_t>(runner.chunk().count);
    for (float& pixel : inputs.subspan(first * width, count * width))
        pixel *= factor;
}

/// One sample of homogeneous_net with activations of another scale, which the head makes up for: right where halves
/// hold them, and right, as it is computed again, where they do not.
inline void expect_right_at_scale(NetworkRunner& runner, float scale) {
    scale_samples(runner, 0, 1, scale);
    scale_weights(runner, kFirst + 2 * kInner, kHead, 1.0F / scale);
    const auto executable = runner.compile();
    EXPECT_LT(runner.error(*executable, {0.2, -0.1}), kHalves) << scale;
    const LossSums sums = runner.sums(*executable, {{{0.2, -0.1}}})[0];
    EXPECT_EQ(sums.overflowed, scale < 5e-6F || scale > 2e4F ? 1 : 0) << scale;
}

}  // namespace lossmap::test
