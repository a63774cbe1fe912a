#include "landscape/direction.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numbers>

#include "core/error.hpp"
#include "tests/landscape/small_space.hpp"

namespace lossmap {
namespace {

using test::small_space;
using test::varied_values;

/// Filter that element `index` of a parameter belongs to, from the shapes that small_space declares, not from its
/// layout.
std::int64_t filter_of(const Parameter& parameter, std::int64_t index) {
    if (parameter.name == "conv.weight") return index / 8;
    if (parameter.name == "fc.weight") return index % 5;
    if (parameter.name == "gru.weight") return index / 2;
    return 0;
}

/// The table of Li et al. 2018 / the reference implementation, in fp64 and element by element.
std::vector<double> expected_direction(const ParameterSpace& space, const std::vector<float>& d,
                                       const std::vector<float>& w, Normalization normalization,
                                       const IgnoreSet& ignore) {
    std::vector<double> result;
    for (const Parameter& parameter : space.weights) {
        const bool by_filter = normalization == Normalization::filter || normalization == Normalization::dfilter;
        std::map<std::int64_t, double> d_square;
        std::map<std::int64_t, double> w_square;
        for (std::int64_t i = 0; i < parameter.size; ++i) {
            const std::int64_t group = by_filter ? filter_of(parameter, i) : 0;
            const double di = d[static_cast<std::size_t>(parameter.offset + i)];
            const double wi = w[static_cast<std::size_t>(parameter.offset + i)];
            d_square[group] += di * di;
            w_square[group] += wi * wi;
        }
        for (std::int64_t i = 0; i < parameter.size; ++i) {
            const std::int64_t group = by_filter ? filter_of(parameter, i) : 0;
            const double di = d[static_cast<std::size_t>(parameter.offset + i)];
            const double wi = w[static_cast<std::size_t>(parameter.offset + i)];
            const double d_norm = std::sqrt(d_square[group]);
            const double w_norm = std::sqrt(w_square[group]);
            double value = di;
            switch (normalization) {
                case Normalization::filter: value = di * w_norm / (d_norm + 1e-10); break;
                case Normalization::layer: value = di * w_norm / d_norm; break;
                case Normalization::weight: value = di * wi; break;
                case Normalization::dfilter: value = di / (d_norm + 1e-10); break;
                case Normalization::dlayer: value = di / d_norm; break;
                case Normalization::none: break;
            }
            if (parameter.shape.size() <= 1) value = wi;
            if (ignore.contains(parameter)) value = 0.0;
            result.push_back(value);
        }
    }
    return result;
}

class NormalizeDirection : public testing::TestWithParam<Normalization> {};

TEST_P(NormalizeDirection, FollowsTheTable) {
    const ParameterSpace space = small_space();
    const std::vector<float> weights = varied_values(space.weights_size(), 50);
    for (const bool ignored : {false, true}) {
        IgnoreSet ignore;
        ignore.one_dimensional = ignored;
        Direction direction = random_gaussian(space, 3, 0);
        const std::vector<double> expected = expected_direction(space, direction.weights, weights, GetParam(), ignore);
        normalize_direction(direction, space, weights, GetParam(), ignore);
        ASSERT_EQ(direction.weights.size(), expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
            EXPECT_NEAR(direction.weights[i], expected[i], 3e-7 * std::abs(expected[i])) << "element " << i;
        }
        EXPECT_TRUE(direction.states.empty());
    }
}

INSTANTIATE_TEST_SUITE_P(All, NormalizeDirection,
                         testing::Values(Normalization::filter, Normalization::layer, Normalization::weight,
                                         Normalization::dfilter, Normalization::dlayer, Normalization::none),
                         [](const auto& test_case) { return std::string(name_of(test_case.param)); });

TEST(NormalizeDirectionTest, AFilterOfZerosStaysZero) {
    const ParameterSpace space = small_space();
    const std::vector<float> weights = varied_values(space.weights_size());
    Direction direction = random_gaussian(space, 1, 0);
    std::fill_n(direction.weights.begin(), 8, 0.0f);
    normalize_direction(direction, space, weights, Normalization::filter, {});
    EXPECT_THAT(std::vector<float>(direction.weights.begin(), direction.weights.begin() + 8), testing::Each(0.0f));
}

TEST(NormalizeDirectionTest, SizesMustFit) {
    const ParameterSpace space = small_space();
    Direction direction = random_gaussian(space, 1, 0);
    const std::vector<float> weights(3);
    EXPECT_THROW(normalize_direction(direction, space, weights, Normalization::filter, {}), InternalError);
}

TEST(IgnoreSetTest, EachKindMeansItsParameters) {
    const ParameterSpace space = small_space();
    const auto ignored = [&](const IgnoreSet& ignore) {
        std::vector<std::string> names;
        for (const Parameter& parameter : space.weights) {
            if (ignore.contains(parameter)) names.push_back(parameter.name);
        }
        return names;
    };
    using testing::ElementsAre;
    EXPECT_THAT(ignored({}), testing::IsEmpty());
    EXPECT_THAT(ignored({.bias = true}), ElementsAre("fc.bias"));
    EXPECT_THAT(ignored({.batch_norm = true}), ElementsAre("bn.weight", "bn.bias"));
    EXPECT_THAT(ignored({.norm = true}), ElementsAre("bn.weight", "bn.bias"));
    EXPECT_THAT(ignored({.one_dimensional = true}), ElementsAre("bn.weight", "bn.bias", "fc.bias"));
}

TEST(IgnoreSetTest, AnIgnoredTensorOfManyDimensionsIsZero) {
    ParameterSpace space = small_space();
    space.weights[3].role = Role::bias;
    Direction direction = random_gaussian(space, 1, 0);
    normalize_direction(direction, space, varied_values(space.weights_size()), Normalization::none, {.bias = true});
    const auto first = direction.weights.begin() + space.weights[3].offset;
    EXPECT_THAT(std::vector<float>(first, first + 20), testing::Each(0.0f));
}

TEST(RandomGaussian, IsKeyedByNameNotByOrder) {
    ParameterSpace space = small_space();
    const Direction direction = random_gaussian(space, 11, 0);
    std::swap(space.weights[0], space.weights[3]);
    test::set_offsets(space.weights);
    const Direction swapped = random_gaussian(space, 11, 0);
    EXPECT_TRUE(std::equal(direction.weights.begin(), direction.weights.begin() + 24,
                           swapped.weights.begin() + space.weights[3].offset));
}

TEST(RandomGaussian, SeedAndAxisGiveOtherNumbers) {
    const ParameterSpace space = small_space();
    const Direction direction = random_gaussian(space, 11, 0);
    EXPECT_EQ(direction.weights, random_gaussian(space, 11, 0).weights);
    EXPECT_NE(direction.weights, random_gaussian(space, 12, 0).weights);
    EXPECT_NE(direction.weights, random_gaussian(space, 11, 1).weights);
}

TEST(RandomGaussian, LooksNormal) {
    ParameterSpace space;
    space.weights = {test::make_parameter("w", {400, 500}, Role::filter_weight, {1, 400, 500})};
    const Direction a = random_gaussian(space, 5, 0);
    const Direction b = random_gaussian(space, 5, 1);
    double sum = 0.0;
    double square = 0.0;
    for (const float value : a.weights) {
        sum += value;
        square += static_cast<double>(value) * value;
    }
    const double n = 200000.0;
    EXPECT_NEAR(sum / n, 0.0, 5.0 / std::sqrt(n));
    EXPECT_NEAR(square / n, 1.0, 5.0 * std::sqrt(2.0 / n));
    EXPECT_NEAR(cosine(a, b), 0.0, 5.0 / std::sqrt(n));
}

TEST(Difference, IsPlain) {
    const StateVector from{{1.0f, 2.0f}, {3.0f}};
    const StateVector to{{0.5f, 4.0f}, {1.0f}};
    EXPECT_THAT(difference(to, from, true).weights, testing::ElementsAre(-0.5f, 2.0f));
    EXPECT_THAT(difference(to, from, true).states, testing::ElementsAre(-2.0f));
    EXPECT_THAT(difference(to, from, false).states, testing::IsEmpty());
    EXPECT_THROW((void)difference(StateVector{{1.0f}, {3.0f}}, from, true), InputError);
    EXPECT_THROW((void)difference(StateVector{{1.0f, 2.0f}, {}}, from, true), InputError);
}

TEST(Cosine, CountsWeightsAndStates) {
    const Direction a{{3.0f, 0.0f}, {4.0f}};
    const Direction b{{1.0f, 1.0f}, {}};
    EXPECT_DOUBLE_EQ(cosine(a, b), 3.0 / (5.0 * std::sqrt(2.0)));
    EXPECT_DOUBLE_EQ(cosine(a, a), 1.0);
    EXPECT_TRUE(std::isnan(cosine(a, Direction{{0.0f, 0.0f}, {}})));
    EXPECT_THROW((void)cosine(a, Direction{{1.0f}, {}}), InputError);
}

TEST(Cosine, ExpectedAbsoluteValue) {
    EXPECT_DOUBLE_EQ(expected_absolute_cosine(1000), std::sqrt(2.0 / (std::numbers::pi * 1000.0)));
    EXPECT_THROW((void)expected_absolute_cosine(0), InternalError);
}

}  // namespace
}  // namespace lossmap
