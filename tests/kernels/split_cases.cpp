#include <algorithm>
#include <cmath>
#include <span>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "stage_chain.hpp"

namespace lossmap::kernels::test {
namespace {

template <typename Of>
Chain split_of(Of shape, std::int64_t points, std::vector<std::uint8_t> kinds) {
    Chain chain = Chain::of(shape, points, std::move(kinds));
    chain.products = Of::kThreeProducts ? 3 : 1;
    return chain;
}

template <typename Of>
Chain split_exit_of(Of shape, std::int64_t points) {
    Chain chain = exit_of(shape, points);
    chain.products = Of::kThreeProducts ? 3 : 1;
    return chain;
}

/// Weights that f16 does not hold: odd numbers above 2048.
std::shared_ptr<Chain> large_weights(Chain shape) {
    auto chain = integers(std::move(shape), 2);
    for (float& weight : chain->weights.as<float>())
        weight *= 2049.0F;
    return chain;
}

/// A sample of each kind: two layers copy their input's channel 5, take the negative of channel 6, and all but lose
/// channel 7.
KernelCase sample_flags_case(Chain shape, std::vector<std::int64_t> expected) {
    shape.samples = 9;
    auto chain = dense(std::move(shape));
    const std::int64_t pixels = chain->pixels(), channels = chain->channels;
    std::ranges::fill(chain->weights.as<float>(), 0.0F);
    std::ranges::fill(chain->bias.as<float>(), 0.0F);
    std::ranges::fill(chain->in.as<float>(), 0.0F);
    for (std::int64_t layer = 0; layer < chain->layers(); ++layer) {
        const auto weight = [&](std::int64_t filter, float value) {
            const std::int64_t at = ((layer * channels + filter) * channels + filter) * 9 + 4;
            chain->weights.as<float>()[static_cast<std::size_t>(at)] = value;
        };
        weight(5, 1.0F);
        weight(6, -2.0F);
        weight(7, layer == 1 ? 0x1p-12F : 1.0F);
    }
    const auto put = [&](std::int64_t sample, std::int64_t channel, float value, std::int64_t pixel = 37) {
        chain->in.as<float>()[static_cast<std::size_t>((sample * pixels + pixel) * channels + channel)] = value;
    };
    put(0, 5, 65519.0F);
    put(1, 5, 65520.0F);  // hi is infinite
    put(2, 6, 60000.0F);  // its negative, in front of a ReLU, is no harm
    put(2, 5, 1000.0F);
    put(3, 5, NAN);
    put(4, 5, 1e-7F);  // too few bits
    put(5, 5, 1e-7F);  // nothing beside what is larger
    put(5, 5, 1.0F, 80);
    put(6, 5, 1e-13F);    // both halves are 0, the number is not
    put(7, 7, 0x1p-13F);  // the second layer makes too little of it
    // Sample 8 is all zeros.
    return flags_of("flags_samples", chain, std::move(expected));
}

/// Makes a block of weights smaller, and its biases.
void shrink(Chain& chain, std::int64_t block, float weights, float biases) {
    const auto part = [block](std::span<float> all, std::int64_t count) {
        return all.subspan(static_cast<std::size_t>(block * count), static_cast<std::size_t>(count));
    };
    for (float& weight : part(chain.weights.as<float>(), chain.filters()))
        weight *= weights;
    for (float& bias : part(chain.bias.as<float>(), chain.channels))
        bias *= biases;
}

/// A residual branch that training has left over: weights of 1e-10, activations of 1e-6 in between.
std::shared_ptr<Chain> vanished_branch(Chain shape) {
    auto chain = dense(std::move(shape));
    shrink(*chain, 0, 1e-9F, 1e-5F);
    shrink(*chain, 1, 1e-9F, 1e-5F);
    return chain;
}

/// An exit, or its shortcut, or the layer in front of them, with small weights.
std::shared_ptr<Chain> small_block(Chain shape, std::int64_t block, bool biased) {
    auto chain = dense(std::move(shape));
    shrink(*chain, block, 1e-8F, 1.0F);
    if (!biased) std::ranges::fill(chain->bias.as<float>(), 0.0F);
    return chain;
}

/// @param tolerance  of what a chain gives whose first branch has vanished
template <typename Of>
void add_flag_cases(std::vector<KernelCase>& cases, Of shape, double tolerance) {
    const std::vector<std::int64_t> none{0, 0}, all{1, 1};
    // What is added to a skip may be small; what is a result may not.
    cases.push_back(flags_of("flags_no_vanished_branch", vanished_branch(split_of(shape, 1, {kRelu, kBlock})), none));
    cases.push_back(chain_case("vanished_branch", vanished_branch(split_of(shape, 1, {kRelu, kBlock})), tolerance));
    cases.push_back(flags_of("flags_a_vanished_chain", vanished_branch(split_of(shape, 1, {kRelu, kRelu})), all));
    // Beside a bias weights count for nothing; without one they are all that a result is made of.
    for (const std::int64_t block : {0, 1, 4}) {
        cases.push_back(flags_of(fmt::format("flags_no_small_weights_{}", block),
                                 small_block(split_exit_of(shape, 1), block, true), none));
        cases.push_back(flags_of(fmt::format("flags_small_weights_{}", block),
                                 small_block(split_exit_of(shape, 1), block, false), all));
    }
}

/// Weights as the kernel wants them, from a weight [4, 16] and one axis: what the halves add up to.
KernelCase packed_weights_case() {
    const std::vector<float> coordinates{0.0F, 0.7F, -2.0F};
    const auto values = [](std::uint64_t seed, double range) {
        const Tensor numbers = random_floats({64}, seed, range);
        return std::vector<float>(numbers.as<float>().begin(), numbers.as<float>().end());
    };
    const std::vector<float> base = values(611, 1.0), axis = values(612, 0.3);
    const std::vector<double> scale{1.5, 0.01, 0.1, 2000.0};  // by filter
    const auto weight = [=](std::size_t point, std::size_t k) {
        return (base[k] + axis[k] * coordinates[point]) * static_cast<float>(scale[k / 16]);
    };
    return {
        "perturb", "split_weights",
        [=](Device& device) {
            PerturbTarget target;
            target.source.base = device.put(base);
            target.source.axes[0] = device.put(axis);
            target.rank = 2;
            target.extents[0] = target.valid[0] = 4;
            target.extents[1] = target.valid[1] = 16;
            target.source_strides[0] = 16;
            target.source_strides[1] = 1;
            std::vector<double> scales;
            for (int point = 0; point < 3; ++point)
                scales.insert(scales.end(), scale.begin(), scale.end());
            target.scale = device.put(scales);
            target.scale_point_stride = 4;
            target.type = DType::f16;
            const Output out = device.output(DType::f16, 3, 192);
            target.out = out.data;
            target.out_point_stride = 192;
            target.low_offset = 128;
            device.table().perturb(
                {device.put(std::vector<PerturbTarget>{target}), 1, target.packs(), {device.put(coordinates), 1}, 3},
                device.queue());
            const std::vector<double> halves = numbers_of(device.fetch(out, 3, 192));
            std::vector<float> sums;
            for (std::size_t k = 0; k < 3 * 64; ++k) {
                const std::size_t at = k / 64 * 192 + k % 64;
                sums.push_back(joined(static_cast<float>(halves[at]), static_cast<float>(halves[at + 128])));
            }
            // Relative errors: small weights need as many bits.
            for (std::size_t k = 0; k < sums.size(); ++k)
                sums[k] /= weight(k / 64, k % 64);
            return list_of(Tensor::from<float>(sums, {3, 64}));
        },
        [] {
            return list_of(Tensor::from<float>(std::vector<float>(192, 1.0F), {3, 64}));
        },
        0x1p-23};
}

/// Products of both halves, by either kernel.
template <typename Of>
void add_split_cases(std::vector<KernelCase>& cases, Of shape) {
    const std::vector<std::uint8_t> kinds{kBlock, kPlain, kLinearBlock, kRelu};
    const int points = Of::kImages > 1 ? 1 : 2;
    // Pixels that need both halves: odd numbers above 2048.
    cases.push_back(chain_case("integers", integers(split_of(shape, points, {kRelu, kBlock, kInner}), 700), 0.0));
    cases.push_back(chain_case("integers_with_residual", integers(split_of(shape, 1, kinds), 300), 0.0));
    cases.push_back(chain_case("integers_with_large_weights", large_weights(split_of(shape, 1, {kRelu})), 0.0));
    // Tensor cores cut sums off, in each of 9 to 36 additions a layer. One f16 is 2e-4 off.
    cases.push_back(chain_case("dense", dense(split_of(shape, 1, kinds)), 1.5e-5));
    if (!Of::kHasExit) return;
    cases.push_back(chain_case("integers_with_exit", integers(split_exit_of(shape, points), 2600), 0.0));
    cases.push_back(chain_case("dense_with_exit", dense(split_exit_of(shape, 1)), 1.5e-5));
}

/// Fewer channels in memory than are computed; filters of the exit that are no whole part.
template <typename Of>
void add_channel_cases(std::vector<KernelCase>& cases, Of shape) {
    for (const auto& [stored, out, exit] : {std::tuple{8, 16, 0}, {8, 8, 8}, {16, 16, 24}}) {
        Chain chain = split_of(shape, 1, {kRelu, kRelu});
        chain.in_channels = stored;
        chain.out_channels = out;
        chain.exit_channels = exit;
        cases.push_back(chain_case(fmt::format("integers_{}_to_{}_to_{}", stored, out, exit),
                                   integers(std::move(chain), 2600), 0.0));
    }
}

/// One product of rounded operands. Integers above 2048 show what is rounded, and that what is added is not.
void add_tf32_cases(std::vector<KernelCase>& cases) {
    for_each_tf32_shape([&](auto shape) {
        using Of = decltype(shape);
        const std::vector<std::uint8_t> kinds{kBlock, kPlain, kLinearBlock, kRelu};
        cases.push_back(chain_case("integers", integers(split_of(shape, 1, {kRelu, kBlock, kInner}), 2600), 0.0));
        cases.push_back(chain_case("integers_with_residual", integers(split_of(shape, 1, kinds), 700), 0.0));
        cases.push_back(
            chain_case("integers_added_input", integers(split_of(shape, 1, {kInner, kInner, kBlock}), 2600), 0.0));
        // Sums in another order may round to the neighbour of what an operand is otherwise, as in fp16.
        cases.push_back(chain_case("dense", dense(split_of(shape, 1, kinds)), 2e-3));
        cases.push_back(chain_case("dense_layer", dense(split_of(shape, 1, {kRelu})), 1e-6));
        if (Of::kHasExit) {
            cases.push_back(chain_case("integers_with_exit", integers(split_exit_of(shape, 1), 2600), 0.0));
            cases.push_back(chain_case("dense_with_exit", dense(split_exit_of(shape, 1)), 2e-3));
        }
    });
    cases.push_back(sample_flags_case(split_of(Rounded32x16{}, 1, {kRelu, kRelu}), {0, 1, 0, 1, 1, 0, 1, 1, 0}));
    add_flag_cases(cases, Rounded16x32{}, 2e-3);
}

}  // namespace

std::vector<KernelCase> split_cases() {
    std::vector<KernelCase> cases;
    const std::vector<std::int64_t> flags{0, 1, 0, 1, 1, 0, 1, 1, 0};
    for_each_split_shape([&](auto shape) { add_split_cases(cases, shape); });
    add_channel_cases(cases, Split16x32{});
    cases.push_back(sample_flags_case(split_of(Split32x16{}, 1, {kRelu, kRelu}), flags));
    add_flag_cases(cases, Split16x32{}, 1.5e-5);
    for_each_warpgroup_split_shape([&](auto shape) {
        add_split_cases(cases, shape);
        // Two blocks have nine tiles: words that collect and words that are judged take turns across them.
        for (const int layers : {2, 3}) {
            const std::vector<std::uint8_t> kinds(static_cast<std::size_t>(layers), kRelu);
            auto named = sample_flags_case(split_of(shape, 1, kinds), flags);
            named.name += fmt::format("_{}_channels_{}_layers", shape.kChannels, layers);
            cases.push_back(std::move(named));
        }
    });
    add_channel_cases(cases, WarpgroupSplit16x32{});
    add_flag_cases(cases, WarpgroupSplit16x32{}, 1.5e-5);
    cases.push_back(packed_weights_case());
    add_tf32_cases(cases);
    return cases;
}

}  // namespace lossmap::kernels::test
