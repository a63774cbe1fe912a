#include "landscape/trajectory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "tests/landscape/small_space.hpp"

namespace lossmap {
namespace {

using Rows = std::vector<std::vector<float>>;

TrajectoryPca pca_of(const Trajectory& trajectory, const PcaOptions& options, int threads = 1) {
    return trajectory_pca(trajectory, options, *make_cpu_backend()->linear_algebra(threads));
}

/// One weight [rows, columns] and one bias.
ParameterSpace matrix_space(std::int64_t columns, std::int64_t bias) {
    ParameterSpace space;
    space.weights = {test::make_parameter("w", {1, columns}, Role::filter_weight, {1, 1, columns}),
                     test::make_parameter("b", {bias}, Role::bias, {1, 1, bias})};
    test::set_offsets(space.weights);
    return space;
}

Trajectory trajectory_of(const Rows& rows, const ParameterSpace& space) {
    Trajectory trajectory;
    trajectory.checkpoints = static_cast<std::int64_t>(rows.size());
    trajectory.space = &space;
    trajectory.read = [&rows](std::int64_t index, std::int64_t first, std::span<float> weights) {
        const std::vector<float>& row = rows.at(static_cast<std::size_t>(index));
        ASSERT_LE(static_cast<std::size_t>(first) + weights.size(), row.size());
        std::copy_n(row.begin() + first, weights.size(), weights.begin());
    };
    return trajectory;
}

/// Coordinates of a path in a plane; the last one is the origin. Dyadic, so that weights are exact in fp32.
const std::vector<std::pair<double, double>> kPath = {{4.0, 1.0},  {3.5, -0.5},   {2.0, -1.25},
                                                      {0.75, 0.5}, {0.25, 0.125}, {0.0, 0.0}};

/// theta_e = 2 + a_e v1 + b_e v2 with orthogonal v1, v2 of length sqrt(3) and 1 (the last entry is the bias, which
/// moves).
Rows planar_rows() {
    Rows rows;
    for (const auto& [a, b] : kPath) {
        const auto first = static_cast<float>(a);
        const auto second = static_cast<float>(b);
        rows.push_back({2.0f + first, 2.0f + first, 2.0f - first, 2.0f + second, 2.0f, 2.0f + 8.0f * first});
    }
    return rows;
}

/// Eigenvalues of the 2x2 scatter matrix of (sqrt(3) a, b), largest first.
std::pair<double, double> planar_eigenvalues(bool centered) {
    double mean_a = 0.0;
    double mean_b = 0.0;
    for (const auto& [a, b] : kPath) {
        mean_a += centered ? a / static_cast<double>(kPath.size()) : 0.0;
        mean_b += centered ? b / static_cast<double>(kPath.size()) : 0.0;
    }
    double aa = 0.0;
    double ab = 0.0;
    double bb = 0.0;
    for (const auto& [a, b] : kPath) {
        aa += 3.0 * (a - mean_a) * (a - mean_a);
        ab += std::sqrt(3.0) * (a - mean_a) * (b - mean_b);
        bb += (b - mean_b) * (b - mean_b);
    }
    const double half = (aa + bb) / 2.0;
    const double radius = std::sqrt((aa - bb) * (aa - bb) / 4.0 + ab * ab);
    return {half + radius, half - radius};
}

class Pca : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Centering, Pca, testing::Bool(),
                         [](const auto& test_case) { return test_case.param ? "Centered" : "Uncentered"; });

TEST_P(Pca, FindsThePlaneOfAPlanarPath) {
    const ParameterSpace space = matrix_space(5, 1);
    const Rows rows = planar_rows();
    const Trajectory trajectory = trajectory_of(rows, space);
    PcaOptions options;
    options.center = GetParam();
    const TrajectoryPca pca = pca_of(trajectory, options);
    const auto [first, second] = planar_eigenvalues(GetParam());
    ASSERT_EQ(pca.singular_values.size(), 6u);
    EXPECT_NEAR(pca.singular_values[0], std::sqrt(first), 1e-12);
    EXPECT_NEAR(pca.singular_values[1], std::sqrt(second), 1e-12);
    EXPECT_NEAR(pca.singular_values[2], 0.0, 1e-6);
    EXPECT_NEAR(pca.explained_variance[1], second / 5.0, 1e-12);
    EXPECT_NEAR(pca.explained_variance_ratio[0], first / (first + second), 1e-12);
    ASSERT_EQ(pca.components.size(), 2u);
    for (const Direction& component : pca.components) {
        EXPECT_NEAR(weight_norm(component.weights), 1.0, 1e-7);
        EXPECT_EQ(component.weights[5], 0.0f) << "the bias is ignored";
        EXPECT_NEAR(component.weights[4], 0.0, 1e-7);
        EXPECT_NEAR(component.weights[0], component.weights[1], 1e-7) << "in the span of v1 and v2";
        EXPECT_NEAR(component.weights[0], -component.weights[2], 1e-7);
    }
    EXPECT_NEAR(cosine(pca.components[0], pca.components[1]), 0.0, 1e-7);
}

TEST_P(Pca, MemoryAndThreadsDoNotChangeTheBits) {
    // Longer than a chunk, and random enough that another order of summation would show.
    const ParameterSpace space = matrix_space(20001, 3);
    Rows rows;
    for (std::uint64_t i = 0; i < 7; ++i)
        rows.push_back(random_gaussian(space, i, 0).weights);
    const Trajectory trajectory = trajectory_of(rows, space);
    PcaOptions options;
    options.center = GetParam();
    const TrajectoryPca expected = pca_of(trajectory, options);
    for (const std::int64_t elements_in_memory : {0, 7 * 512, 7 * 5000}) {
        for (const int threads : {1, 3}) {
            options.memory_bytes = elements_in_memory * 4;
            const TrajectoryPca pca = pca_of(trajectory, options, threads);
            EXPECT_EQ(pca.singular_values, expected.singular_values);
            EXPECT_EQ(pca.components[1].weights, expected.components[1].weights);
        }
    }
}

TEST_P(Pca, ReadsEachWeightTwiceInSlicesThatFitIntoMemory) {
    const ParameterSpace space = matrix_space(20001, 3);
    Rows rows;
    for (std::uint64_t i = 0; i < 9; ++i)
        rows.push_back(random_gaussian(space, i, 0).weights);
    Trajectory trajectory = trajectory_of(rows, space);
    std::vector<std::int64_t> elements(rows.size(), 0);
    std::size_t widest_slice = 0;
    trajectory.read = [&, read = trajectory.read](std::int64_t index, std::int64_t first, std::span<float> weights) {
        elements[static_cast<std::size_t>(index)] += static_cast<std::int64_t>(weights.size());
        if (weights.size() < rows[0].size()) widest_slice = std::max(widest_slice, weights.size());
        read(index, first, weights);
    };
    PcaOptions options;
    options.center = GetParam();
    options.memory_bytes = 9 * 1600 * 4;
    (void)pca_of(trajectory, options);
    EXPECT_EQ(widest_slice, 3u * 512u) << "whole chunks within 1,600 elements";
    const std::int64_t once = space.weights_size();
    for (std::size_t i = 0; i < rows.size(); ++i)
        EXPECT_EQ(elements[i], (i + 1 < rows.size() ? 2 : 3) * once) << "the last one is the origin, too";
}

TEST_P(Pca, AgreesWithTheScatterMatrix) {
    // M v = s^2 v for the scatter matrix M of the rows, computed here in fp64.
    const ParameterSpace space = test::small_space();
    Rows rows;
    for (std::uint64_t i = 0; i < 5; ++i)
        rows.push_back(random_gaussian(space, i, 0).weights);
    PcaOptions options;
    options.center = GetParam();
    options.ignore = {};
    options.components = {3, 1};
    const TrajectoryPca pca = pca_of(trajectory_of(rows, space), options);
    const std::size_t size = rows[0].size();
    std::vector<std::vector<double>> x(rows.size(), std::vector<double>(size));
    std::vector<double> mean(size, 0.0);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        for (std::size_t p = 0; p < size; ++p) {
            x[i][p] = static_cast<double>(rows[i][p]) - static_cast<double>(rows.back()[p]);
            mean[p] += GetParam() ? x[i][p] / static_cast<double>(rows.size()) : 0.0;
        }
    }
    for (std::size_t c = 0; c < 2; ++c) {
        const double eigenvalue = std::pow(pca.singular_values[c == 0 ? 2 : 0], 2);
        const std::vector<float>& v = pca.components[c].weights;
        std::vector<double> product(size, 0.0);
        for (const std::vector<double>& row : x) {
            double projection = 0.0;
            for (std::size_t p = 0; p < size; ++p)
                projection += (row[p] - mean[p]) * static_cast<double>(v[p]);
            for (std::size_t p = 0; p < size; ++p)
                product[p] += projection * (row[p] - mean[p]);
        }
        for (std::size_t p = 0; p < size; ++p)
            EXPECT_NEAR(product[p], eigenvalue * static_cast<double>(v[p]), 1e-5 * eigenvalue);
    }
}

TEST(PcaErrors, AreSentences) {
    const ParameterSpace space = matrix_space(5, 1);
    const Rows one = {planar_rows()[0]};
    EXPECT_THROW((void)pca_of(trajectory_of(one, space), {}), InputError);
    const Rows equal(4, planar_rows()[0]);
    EXPECT_THROW((void)pca_of(trajectory_of(equal, space), {}), InputError);
    Rows broken = planar_rows();
    broken[1][2] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THROW((void)pca_of(trajectory_of(broken, space), {}), InputError);
    const Rows planar = planar_rows();
    for (const int component : {0, 3, 7}) {
        PcaOptions options;
        options.components = {component};
        EXPECT_THROW((void)pca_of(trajectory_of(planar, space), options), InputError) << component;
    }
}

TEST(ProjectTrajectory, CoordinatesNormsAndDistances) {
    const ParameterSpace space = matrix_space(5, 1);
    const Rows rows = planar_rows();
    // Not orthogonal, not of unit length: (3, 0, ..) and (1, 1, 0, ..).
    const Direction x{{3.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f}, {}};
    const Direction y{{1.0f, 1.0f, 0.0f, 0.0f, 0.0f, 0.0f}, {}};
    const std::vector<TrajectoryPoint> points = project_trajectory(trajectory_of(rows, space), {x, y});
    ASSERT_EQ(points.size(), kPath.size());
    for (std::size_t i = 0; i < points.size(); ++i) {
        const auto [a, b] = kPath[i];
        EXPECT_DOUBLE_EQ(points[i].coordinates[0], a);
        EXPECT_DOUBLE_EQ(points[i].coordinates[1], 2.0 * a / std::sqrt(2.0));
        EXPECT_DOUBLE_EQ(points[i].norm, std::sqrt(3.0 * a * a + b * b + 64.0 * a * a));
        // The span holds the first two entries whole.
        EXPECT_NEAR(points[i].distance, std::sqrt(a * a + b * b + 64.0 * a * a), 1e-12 * (1.0 + points[i].norm));
        double square = 0.0;
        for (const float value : rows[i])
            square += static_cast<double>(value) * value;
        EXPECT_DOUBLE_EQ(points[i].weight_norm, std::sqrt(square));
    }
    EXPECT_EQ(points.back().norm, 0.0);
    EXPECT_EQ(points.back().distance, 0.0);
}

TEST(ProjectTrajectory, ParallelAxesAndErrors) {
    const ParameterSpace space = matrix_space(5, 1);
    const Rows rows = planar_rows();
    const Direction x{{3.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f}, {}};
    const Direction parallel{{-1.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f}, {}};
    const auto points = project_trajectory(trajectory_of(rows, space), {x, parallel});
    EXPECT_NEAR(points[0].distance, std::sqrt(points[0].norm * points[0].norm - 16.0), 1e-9);
    const Direction zero{std::vector<float>(6, 0.0f), {}};
    EXPECT_THROW((void)project_trajectory(trajectory_of(rows, space), {zero}), InputError);
    EXPECT_THROW((void)project_trajectory(trajectory_of(rows, space), {Direction{{1.0f}, {}}}), InputError);
}

}  // namespace
}  // namespace lossmap
