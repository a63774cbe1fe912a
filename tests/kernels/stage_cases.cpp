#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "stage_chain.hpp"

namespace lossmap::kernels::test {
namespace {

/// One sample's input is too large in one channel, negative sums in front of a ReLU; another one's is NaN.
KernelCase flags_case(int side) {
    Chain shape;
    shape.points = 1;
    shape.samples = 9;
    shape.channels = shape.in_channels = shape.out_channels = 64;
    shape.side = side;
    shape.tile_images = 8;
    shape.kinds = {kRelu, kBlock};
    auto chain = dense(std::move(shape));
    const auto put = [&](std::int64_t sample, std::int64_t k, float value) {
        store_float(chain->in.data(), DType::f16, sample * chain->image() + k, value);
    };
    // Only negative sums: the first layer's weights of channel 5 are below 0 everywhere.
    for (std::int64_t k = 0; k < 64; ++k) {
        for (std::int64_t tap = 0; tap < 9; ++tap)
            chain->weights.as<float>()[static_cast<std::size_t>((k * 64 + 5) * 9 + tap)] = -2.0F;
    }
    for (std::int64_t pixel = 0; pixel < std::int64_t{1} * side * side; ++pixel) {
        put(3, pixel * 64 + 5, 60000.0F);
        put(8, pixel * 64 + 5, 60000.0F);
    }
    put(6, 17, NAN);
    return flags_of(fmt::format("flags_overflow_in_front_of_a_relu_{}", side), chain);
}

/// The exit's sums do not fit f16 in one sample, below zero in front of its ReLU; another sample's shortcut neither.
KernelCase exit_flags_case() {
    auto chain = dense(exit_of(Stage32x16{}, 1));
    const auto weight = [&](std::int64_t block, std::int64_t filter, std::int64_t channel) {
        return chain->weights.as<float>().data() + ((block * 32 + filter) * 32 + channel) * 9;
    };
    for (std::int64_t k = 0; k < 32; ++k) {
        std::fill_n(weight(0, k, 5), 9, 0.0F);
        std::fill_n(weight(0, k, 6), 9, 0.0F);
        std::fill_n(weight(1, k, 5), 9, -1.0F);
        weight(4, k, 6)[4] = 60000.0F;
    }
    // What the layer makes of channels 5 and 6 is what comes in.
    std::fill_n(weight(0, 5, 0), std::int64_t{9} * 32, 0.0F);
    std::fill_n(weight(0, 6, 0), std::int64_t{9} * 32, 0.0F);
    weight(0, 5, 5)[4] = weight(0, 6, 6)[4] = 1.0F;
    for (std::int64_t pixel = 0; pixel < chain->pixels(); ++pixel) {
        store_float(chain->in.data(), DType::f16, pixel * 32 + 5, 50000.0F);
        for (std::int64_t sample = 1; sample < 3; ++sample) {
            store_float(chain->in.data(), DType::f16, (sample * chain->pixels() + pixel) * 32 + 5, 0.0F);
            store_float(chain->in.data(), DType::f16, (sample * chain->pixels() + pixel) * 32 + 6,
                        sample == 2 ? 2.0F : 0.0F);
        }
    }
    return flags_of("flags_overflow_at_the_exit", chain);
}

}  // namespace

std::vector<KernelCase> stage_cases() {
    std::vector<KernelCase> cases;
    for_each_stage_shape([&](auto shape) {
        using Of = decltype(shape);
        const std::vector<std::uint8_t> kinds{kBlock, kPlain, kLinearBlock, kRelu};
        cases.push_back(
            chain_case("integers", integers(Chain::of(shape, Of::kImages > 2 ? 1 : 2, {kRelu, kBlock, kInner})), 0.0));
        cases.push_back(chain_case("integers_with_residual", integers(Chain::of(shape, 1, kinds)), 0.0));
        // Roundings of f16 may fall the other way where sums differ in the last bits, and grow through the layers.
        cases.push_back(chain_case("dense", dense(Chain::of(shape, 1, kinds)), 2e-3));
        if (Of::kHasExit) {
            cases.push_back(chain_case("integers_with_exit", integers(exit_of(shape, 2)), 0.0));
            cases.push_back(chain_case("dense_with_exit", dense(exit_of(shape, 1)), 2e-3));
        }
    });
    // Fewer channels in memory than are computed: a network's first layer, and narrow networks.
    for (const auto& [stored, out, exit] : {std::tuple{8, 16, 0}, {8, 8, 8}, {16, 16, 24}}) {
        Chain chain = Chain::of(Stage16x28{}, 1, {kRelu, kRelu});
        chain.in_channels = stored;
        chain.out_channels = out;
        chain.exit_channels = exit;
        const std::string name = fmt::format("integers_{}_to_{}_to_{}", stored, out, exit);
        cases.push_back(chain_case(name, integers(std::move(chain)), 0.0));
    }
    cases.push_back(chain_case("one_layer", dense(Chain::of(Stage16x32{}, 1, {kRelu})), 5e-4));
    for (const int side : {7, 8})
        cases.push_back(flags_case(side));
    cases.push_back(exit_flags_case());
    return cases;
}

}  // namespace lossmap::kernels::test
