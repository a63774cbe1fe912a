// Against PyTorch's directions; needs the reference folder and the importer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <span>

#include "landscape/direction.hpp"
#include "landscape/surface_file.hpp"
#include "onnx_import/importer.hpp"
#include "params/parameter_space.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

struct Network {
    ParameterSpace space;
    StateVector state;
};

Network load(const std::string& model) {
    Graph graph = import_onnx(test::reference_dir() / "models" / model);
    Network network;
    network.space = identify_parameters(graph);
    network.state = read_state(graph, network.space);
    return network;
}

double largest_difference(std::span<const float> a, std::span<const float> b) {
    double largest = a.size() == b.size() ? 0.0 : INFINITY;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        const double scale = std::max({std::abs(a[i]), std::abs(b[i]), 1e-30f});
        largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])) / scale);
    }
    return largest;
}

/// Brings each filter of the weights of two or more dimensions to a norm near 1 by a power of two, which is exact: the
/// guard of 1e-10 then does as little as it did for the Gaussian (a dead filter's weights can be that small).
void rescale_filters(Direction& direction, const ParameterSpace& space) {
    for (const Parameter& parameter : space.weights) {
        if (parameter.one_dimensional) continue;
        const std::int64_t length = parameter.size / parameter.shape[0];  // PyTorch's layout: filters along dimension 0
        for (std::int64_t filter = 0; filter < parameter.shape[0]; ++filter) {
            float* values = direction.weights.data() + parameter.offset + filter * length;
            double square = 0.0;
            for (std::int64_t i = 0; i < length; ++i)
                square += static_cast<double>(values[i]) * static_cast<double>(values[i]);
            if (square == 0.0) continue;
            for (std::int64_t i = 0; i < length; ++i)
                values[i] = std::ldexp(values[i], -std::ilogb(std::sqrt(square)));
        }
    }
}

struct DirectionCase {
    const char* file;
    Normalization normalization;
    bool ignore_one_dimensional;
};

/// filter, layer, dfilter and dlayer change nothing in what PyTorch normalised with the same rule; so does every rule
/// in what is left of one-dimensional tensors.
class ReferenceDirection : public testing::TestWithParam<DirectionCase> {};

TEST_P(ReferenceDirection, IsAFixedPoint) {
    const fs::path file = fs::path("reference") / GetParam().file;
    LOSSMAP_REQUIRE_REFERENCE(file);
    const Network network = load("resnet20.onnx");
    const std::vector<Direction> axes = read_directions(test::reference_dir() / file, network.space);
    ASSERT_EQ(axes.size(), 1u);
    Direction again = axes[0];
    IgnoreSet ignore;
    ignore.one_dimensional = GetParam().ignore_one_dimensional;
    normalize_direction(again, network.space, network.state.weights, GetParam().normalization, ignore);
    EXPECT_LT(largest_difference(again.weights, axes[0].weights), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Resnet20, ReferenceDirection,
                         testing::Values(DirectionCase{"resnet20_filter_direction.h5", Normalization::filter, true},
                                         DirectionCase{"resnet20_filter_keep1d_direction.h5", Normalization::filter,
                                                       false},
                                         DirectionCase{"resnet20_layer_direction.h5", Normalization::layer, true},
                                         DirectionCase{"resnet20_dfilter_direction.h5", Normalization::dfilter, true},
                                         DirectionCase{"resnet20_dlayer_direction.h5", Normalization::dlayer, true},
                                         DirectionCase{"resnet20_none_direction.h5", Normalization::none, true}),
                         [](const auto& test_case) {
                             const std::string name = test_case.param.file;
                             return name.substr(9, name.find("_direction") - 9);
                         });

TEST(ReferenceDirectionFile, GoldHasTwoAxesInParameterOrder) {
    LOSSMAP_REQUIRE_REFERENCE("reference/gold_resnet56_direction.h5");
    const Network network = load("gold_resnet56.onnx");
    const std::vector<Direction> axes =
        read_directions(test::reference_dir() / "reference/gold_resnet56_direction.h5", network.space);
    ASSERT_EQ(axes.size(), 2u);
    EXPECT_EQ(axes[0].weights.size(), 855770u);
    EXPECT_LT(std::abs(cosine(axes[0], axes[1])), 5.0 * expected_absolute_cosine(855770));
    for (const Direction& axis : axes) {
        Direction again = axis;
        rescale_filters(again, network.space);
        EXPECT_GT(largest_difference(again.weights, axis.weights), 0.1);
        normalize_direction(again, network.space, network.state.weights, Normalization::filter,
                            {.one_dimensional = true});
        EXPECT_LT(largest_difference(again.weights, axis.weights), 1e-6);
    }
}

}  // namespace
}  // namespace lossmap
