// Principal components of training runs against scikit-learn's; needs the reference folder.
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "io/hdf5_file.hpp"
#include "landscape/trajectory.hpp"
#include "onnx_import/importer.hpp"
#include "params/parameter_space.hpp"
#include "tests/backends/backend_case.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

constexpr std::size_t kCheckpoints = 15;

/// The checkpoints of one of the reference's runs.
struct TrainingRun {
    ParameterSpace space;  ///< the last checkpoint's
    std::vector<std::vector<float>> weights{};

    explicit TrainingRun(const std::string& name) {
        for (std::size_t epoch = 0; epoch < kCheckpoints; ++epoch) {
            Graph graph =
                import_onnx(test::reference_dir() / fmt::format("models/small/{}/epoch_{:02}.onnx", name, epoch));
            space = identify_parameters(graph);
            weights.push_back(read_state(graph, space).weights);
        }
    }

    [[nodiscard]] Trajectory trajectory() const {
        Trajectory result;
        result.checkpoints = kCheckpoints;
        result.space = &space;
        result.read = [this](std::int64_t index, std::int64_t first, std::span<float> part) {
            const std::vector<float>& values = weights.at(static_cast<std::size_t>(index));
            ASSERT_LE(static_cast<std::size_t>(first) + part.size(), values.size());
            std::copy_n(values.begin() + first, part.size(), part.begin());
        };
        return result;
    }
};

/// Backend, run, whether one-dimensional parameters are ignored, whether columns are centered.
class BackendTrajectoryPlane : public ::testing::TestWithParam<std::tuple<test::BackendCase, const char*, bool, bool>> {
};

TEST_P(BackendTrajectoryPlane, AgreesWithScikitLearn) {
    const auto& [backend, name, ignore, centered] = GetParam();
    const std::string file = fmt::format("reference/small_{}_pca.h5", name);
    LOSSMAP_REQUIRE_REFERENCE(file);
    const TrainingRun run(name);
    const Trajectory trajectory = run.trajectory();
    PcaOptions options;
    options.center = centered;
    options.ignore.one_dimensional = ignore;
    const TrajectoryPca pca = trajectory_pca(trajectory, options, *backend.make()->linear_algebra(1));

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
    const std::size_t size = run.weights.back().size();
    ASSERT_EQ(components.size(), 2 * size);
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
    for (std::size_t e = 0; e < kCheckpoints; ++e) {
        for (std::size_t c = 0; c < 2; ++c) {
            EXPECT_NEAR(signs[c] * points[e].coordinates[c], projection[2 * e + c], 1e-5 * scale) << "checkpoint " << e;
        }
        EXPECT_NEAR(points[e].weight_norm, norms[e], 1e-6 * norms[e]);
    }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BackendTrajectoryPlane);
INSTANTIATE_TEST_SUITE_P(Backends, BackendTrajectoryPlane,
                         ::testing::Combine(::testing::ValuesIn(test::backend_cases()),
                                            ::testing::Values("sgd_bs128", "sgd_bs2048"), ::testing::Bool(),
                                            ::testing::Bool()),
                         [](const auto& test) {
                             return fmt::format("{}_{}_{}_{}", std::get<0>(test.param).name, std::get<1>(test.param),
                                                std::get<2>(test.param) ? "ignore_1d" : "keep_1d",
                                                std::get<3>(test.param) ? "centered" : "uncentered");
                         });

}  // namespace
}  // namespace lossmap
