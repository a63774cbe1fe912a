#include <array>
#include <cmath>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "bench/gpu/split_layers.hpp"
#include "core/dtype.hpp"
#include "kernels/host/host_launch.hpp"

// The prototype of a stage on split products: integers that one f16 does not hold come out exactly.
namespace lossmap::bench {
namespace {

using kernels::Half;

template <typename Shape>
struct Problem {
    struct alignas(16) Pack {
        Half values[8];
    };
    static constexpr int kSamples = Shape::kImages + 1, kRows = Shape::kChannels * 9;

    int layers;
    std::vector<float> in, bias, plain;
    std::array<std::vector<Pack>, 2> weights;

    /// @param largest  of the input
    /// @param weight   magnitude of those weights that are not 0
    Problem(int layers_in, int largest, float weight)
        : layers(layers_in),
          in(kSamples * Shape::kPixels * Shape::kChannels),
          bias(layers * Shape::kChannels),
          plain(layers * Shape::kWeights),
          weights{std::vector<Pack>(plain.size() / 8), std::vector<Pack>(plain.size() / 8)} {
        for (std::size_t k = 0; k < in.size(); ++k)
            in[k] = static_cast<float>(static_cast<int>(k * 2654435761u % 1000003u % (2 * largest + 1)) - largest);
        for (std::size_t k = 0; k < bias.size(); ++k)
            bias[k] = static_cast<float>(k * 40503u % 5) - 2.0F;
        for (int k = 0; k < layers * Shape::kWeights; ++k) {
            // [layer][filter][channel][tap]; one of 64 is not 0.
            const std::uint32_t random = static_cast<std::uint32_t>(k) * 2654435761u;
            if ((random >> 16 & 63) != 0) continue;
            const float value = random >> 24 & 1 ? weight : -weight;
            plain[static_cast<std::size_t>(k)] = value;
            const int filter = k / kRows % Shape::kChannels, channel = k / 9 % Shape::kChannels;
            const auto at = static_cast<std::size_t>(k / Shape::kWeights * Shape::kWeights +
                                                     Shape::weight_index(k % 9, filter, channel));
            const std::uint16_t high = float_to_half(value);
            weights[0][at / 8].values[at % 8] = {high};
            weights[1][at / 8].values[at % 8] = {float_to_half(value - half_to_float(high))};
        }
    }

    std::vector<float> run(bool reversed) const {
        std::vector<float> out(in.size(), NAN);
        const SplitArgs args{in.data(), {weights[0][0].values, weights[1][0].values}, bias.data(), out.data(), kSamples,
                             layers};
        kernels::HostLaunch(reversed).warps(2, SplitLayers<Shape>{args});
        return out;
    }

    std::vector<float> expected() const {
        std::vector<float> values = in;
        for (int layer = 0; layer < layers; ++layer) {
            const std::vector<float> from = values;
            for (std::size_t k = 0; k < values.size(); ++k)
                values[k] = std::fmax(sum(from, static_cast<int>(k), layer), 0.0F);
        }
        return values;
    }

    float sum(const std::vector<float>& from, int k, int layer) const {
        constexpr int kSide = Shape::kSide, kChannels = Shape::kChannels;
        const int filter = k % kChannels, x = k / kChannels % kSide, y = k / kChannels / kSide % kSide;
        const int image = k / kChannels / Shape::kPixels;
        double total = static_cast<double>(bias[static_cast<std::size_t>(layer * kChannels + filter)]);
        const float* row = plain.data() + (layer * kChannels + filter) * kRows;
        for (int tap = 0; tap < 9; ++tap) {
            const int from_y = y + tap / 3 - 1, from_x = x + tap % 3 - 1;
            if (from_y < 0 || from_y >= kSide || from_x < 0 || from_x >= kSide) continue;
            const float* pixel = from.data() + ((image * kSide + from_y) * kSide + from_x) * kChannels;
            for (int channel = 0; channel < kChannels; ++channel)
                total += static_cast<double>(pixel[channel]) * static_cast<double>(row[channel * 9 + tap]);
        }
        return static_cast<float>(total);
    }
};

template <typename Shape>
void expect_exact(const Problem<Shape>& problem, float least) {
    const std::vector<float> expected = problem.expected();
    for (const bool reversed : {false, true}) {
        const std::vector<float> actual = problem.run(reversed);
        float largest = 0.0F;
        for (std::size_t k = 0; k < expected.size(); ++k) {
            ASSERT_EQ(actual[k], expected[k]) << Shape::kChannels << " channels, element " << k;
            largest = std::fmax(largest, expected[k]);
        }
        EXPECT_GT(largest, least);
        EXPECT_LT(largest, 65504.0F);
    }
}

TEST(SplitLayers, PixelsThatNeedBothHalvesComeOutExactly) {
    for_each_split_shape([](auto shape) {
        // Odd numbers above 2048 are none of f16's.
        expect_exact(Problem<decltype(shape)>(2, 2600, 1.0F), 4096.0F);
    });
}

TEST(SplitLayers, WeightsThatNeedBothHalvesComeOutExactly) {
    for_each_split_shape([](auto shape) { expect_exact(Problem<decltype(shape)>(1, 2, 2049.0F), 4096.0F); });
}

TEST(SplitShape, EveryRegisterHoldsOneThing) {
    for_each_split_shape([](auto shape) {
        using Shape = decltype(shape);
        std::set<int> firsts;
        for (int tap = 0; tap < 9; ++tap)
            for (int chunk = 0; chunk < Shape::kChunks; ++chunk)
                for (int part = 0; part < 2; ++part)
                    for (int tile = 0; tile < Shape::kTiles; ++tile)
                        firsts.insert(Shape::weight_register(tap, chunk, part, tile));
        EXPECT_EQ(static_cast<int>(firsts.size()), Shape::kWeightRegisters / 2);
        EXPECT_EQ(*firsts.rbegin(), Shape::kWeightRegisters - 2);
        EXPECT_LE(Shape::kSharedBytes, 227 * 1024);
    });
}

}  // namespace
}  // namespace lossmap::bench
