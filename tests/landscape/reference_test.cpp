// Against PyTorch's and scikit-learn's results; needs the reference folder and the importer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <span>

#include "cpu/cpu_backend.hpp"
#include "io/hdf5_file.hpp"
#include "landscape/direction.hpp"
#include "landscape/surface_file.hpp"
#include "landscape/trajectory.hpp"
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

class ReferencePca : public testing::TestWithParam<std::tuple<const char*, bool, bool>> {};

INSTANTIATE_TEST_SUITE_P(Small, ReferencePca,
                         testing::Combine(testing::Values("sgd_bs128", "sgd_bs2048"), testing::Bool(),
                                          testing::Bool()));

TEST_P(ReferencePca, AgreesWithScikitLearn) {
    const auto& [run, ignore, centered] = GetParam();
    const std::string file = fmt::format("reference/small_{}_pca.h5", run);
    LOSSMAP_REQUIRE_REFERENCE(file);
    const Network origin = load(fmt::format("small/{}/epoch_14.onnx", run));
    Trajectory trajectory;
    trajectory.checkpoints = 15;
    trajectory.space = &origin.space;
    std::vector<std::vector<float>> cache(15);
    trajectory.read = [&, folder = std::string(run)](std::int64_t index, std::int64_t first, std::span<float> weights) {
        std::vector<float>& values = cache.at(static_cast<std::size_t>(index));
        if (values.empty()) values = load(fmt::format("small/{}/epoch_{:02}.onnx", folder, index)).state.weights;
        ASSERT_LE(static_cast<std::size_t>(first) + weights.size(), values.size());
        std::copy_n(values.begin() + first, weights.size(), weights.begin());
    };
    PcaOptions options;
    options.center = centered;
    options.ignore.one_dimensional = ignore;
    const TrajectoryPca pca = trajectory_pca(trajectory, options, *make_cpu_backend()->linear_algebra(1));

    const Hdf5File reference = Hdf5File::open(test::reference_dir() / file);
    const std::string group =
        fmt::format("{}/{}/", ignore ? "ignore_1d" : "keep_1d", centered ? "centered" : "uncentered");
    const std::vector<double> ratios = reference.read<double>(group + "explained_variance_ratio");
    const std::vector<double> singular = reference.read<double>(group + "singular_values");
    ASSERT_EQ(pca.singular_values.size(), singular.size());
    for (std::size_t i = 0; i < ratios.size(); ++i) {
        EXPECT_NEAR(pca.explained_variance_ratio[i], ratios[i], 1e-6 * ratios[i] + 1e-13) << i;
        EXPECT_NEAR(pca.singular_values[i], singular[i], 1e-6 * singular[i] + 1e-6 * singular[0]) << i;
    }

    const std::vector<double> components = reference.read<double>(group + "components");
    const std::size_t size = origin.state.weights.size();
    double signs[2];
    for (std::size_t c = 0; c < 2; ++c) {
        double dot = 0.0;
        double largest = 0.0;
        for (std::size_t p = 0; p < size; ++p)
            dot += components[c * size + p] * static_cast<double>(pca.components[c].weights[p]);
        signs[c] = dot < 0.0 ? -1.0 : 1.0;
        for (std::size_t p = 0; p < size; ++p) {
            largest = std::max(largest, std::abs(components[c * size + p] -
                                                 signs[c] * static_cast<double>(pca.components[c].weights[p])));
        }
        EXPECT_LT(largest, 1e-6) << "component " << c << " of unit length, up to its sign";
    }

    const std::vector<double> projection = reference.read<double>(group + "projection");
    const std::vector<double> norms = reference.read<double>("weight_norm");
    const std::vector<TrajectoryPoint> points = project_trajectory(trajectory, pca.components);
    const double scale = std::abs(projection[0]);
    for (std::size_t e = 0; e < 15; ++e) {
        for (std::size_t c = 0; c < 2; ++c) {
            EXPECT_NEAR(signs[c] * points[e].coordinates[c], projection[2 * e + c], 1e-5 * scale) << "checkpoint " << e;
        }
        EXPECT_NEAR(points[e].weight_norm, norms[e], 1e-6 * norms[e]);
    }
}

}  // namespace
}  // namespace lossmap
