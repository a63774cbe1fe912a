#include "landscape/refinement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

namespace lossmap {
namespace {

using testing::ElementsAre;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// f over [-1, 1] x [-1, 1].
std::vector<double> plane(std::size_t nx, std::size_t ny, const std::function<double(double, double)>& f) {
    const auto place = [](std::size_t k, std::size_t n) {
        return n == 1 ? 0.0 : -1.0 + 2.0 * static_cast<double>(k) / static_cast<double>(n - 1);
    };
    std::vector<double> values;
    for (std::size_t iy = 0; iy < ny; ++iy) {
        for (std::size_t ix = 0; ix < nx; ++ix)
            values.push_back(f(place(ix, nx), place(iy, ny)));
    }
    return values;
}

struct Outcome {
    std::vector<std::vector<std::size_t>> rounds;
    std::vector<std::uint8_t> known;
    FilledGrid grid;

    [[nodiscard]] std::size_t computed() const {
        return static_cast<std::size_t>(std::count(known.begin(), known.end(), 1));
    }
};

/// Refines with values of which only those of named points can be seen.
Outcome refine(const std::vector<double>& values, std::size_t nx, std::size_t ny, const RefineSpec& spec) {
    Outcome outcome;
    outcome.known.assign(values.size(), 0);
    std::vector<double> seen(values.size(), kNan);
    Refinement refinement(nx, ny, spec);
    for (auto round = refinement.next({seen}); !round.empty(); round = refinement.next({seen})) {
        EXPECT_TRUE(std::is_sorted(round.begin(), round.end()));
        for (const std::size_t point : round) {
            EXPECT_EQ(outcome.known[point], 0) << "named twice: " << point;
            outcome.known[point] = 1;
            seen[point] = values[point];
        }
        outcome.rounds.push_back(round);
    }
    const GridLevels levels(nx, ny, spec.initial);
    outcome.grid = levels.fill(seen, outcome.known, levels.count() - 1);
    return outcome;
}

double largest_error(const Outcome& outcome, const std::vector<double>& values) {
    double largest = 0.0;
    for (std::size_t k = 0; k < values.size(); ++k)
        largest = std::max(largest, std::abs(outcome.grid.value[k] - values[k]));
    return largest;
}

double ring(double x, double y) { return 1.0 + std::exp(-60.0 * std::pow(std::hypot(x, y) - 0.5, 2)); }

TEST(GridLevels, NodesAreNodesOfTheGridAndEachLevelHasThoseBeforeIt) {
    const GridLevels levels(11, 6, 4);
    EXPECT_THAT(levels.x(0), ElementsAre(0, 3, 7, 10));
    EXPECT_THAT(levels.y(0), ElementsAre(0, 2, 3, 5));
    EXPECT_THAT(levels.x(1), ElementsAre(0, 1, 3, 5, 7, 8, 10));
    EXPECT_THAT(levels.y(1), ElementsAre(0, 1, 2, 3, 4, 5));
    ASSERT_EQ(levels.count(), 3u);
    EXPECT_EQ(levels.points(2).size(), 66u) << "the last level is the whole grid";
    EXPECT_THAT(levels.y(2), levels.y(1)) << "the shorter axis waits";
}

TEST(GridLevels, ACoarseGridAsFineAsTheGridIsAllThereIs) {
    const GridLevels levels(5, 1, 13);
    EXPECT_EQ(levels.count(), 1u);
    EXPECT_THAT(levels.points(0), ElementsAre(0, 1, 2, 3, 4));
}

TEST(GridLevels, CubicsAreFilledInExactly) {
    const auto cubic = [](double x, double y) { return 2.0 + x - x * x * x + y * y * y * 0.5 + x * y * y; };
    const std::size_t nx = 23;
    const std::size_t ny = 17;
    const std::vector<double> values = plane(nx, ny, cubic);
    const GridLevels levels(nx, ny, 5);
    std::vector<std::uint8_t> known(values.size(), 0);
    for (const std::size_t point : levels.points(0))
        known[point] = 1;
    const FilledGrid grid = levels.fill(values, known, levels.count() - 1);
    for (std::size_t k = 0; k < values.size(); ++k) {
        EXPECT_NEAR(grid.value[k], values[k], 1e-13);
        if (known[k] != 0) {
            EXPECT_EQ(grid.error[k], 0.0);
            EXPECT_TRUE(std::isnan(grid.predicted[k]));
        } else {
            EXPECT_GT(grid.error[k], 0.0) << "quadratics do not give it";
        }
    }
}

TEST(GridLevels, NothingIsInterpolatedNextToWhatIsNotFinite) {
    std::vector<double> values = plane(25, 1, [](double x, double) { return x; });
    const GridLevels levels(25, 1, 13);  // every second point
    std::vector<std::uint8_t> known(25, 0);
    for (const std::size_t point : levels.points(0))
        known[point] = 1;
    values[4] = std::numeric_limits<double>::infinity();
    const FilledGrid grid = levels.fill(values, known, 1);
    EXPECT_EQ(grid.value[4], values[4]);
    for (const std::size_t k : {1u, 3u, 5u, 7u})
        EXPECT_EQ(grid.error[k], std::numeric_limits<double>::infinity()) << k;
    EXPECT_LT(grid.error[23], 1e-12) << "far away it is";
}

TEST(Refinement, AQuadraticIsSettledByTheCoarseGrid) {
    const std::vector<double> values = plane(51, 31, [](double x, double y) { return 0.1 + 3.0 * x * x + y * y; });
    const Outcome outcome = refine(values, 51, 31, {13, 0.01});
    EXPECT_EQ(outcome.rounds.size(), 1u);
    EXPECT_EQ(outcome.computed(), 13u * 13u);
    EXPECT_LT(largest_error(outcome, values), 1e-12);
}

TEST(Refinement, ComputesWhereTheSurfaceBends) {
    const std::size_t nx = 81;
    const std::size_t ny = 61;
    const std::vector<double> values = plane(nx, ny, ring);
    const double tolerance = 0.02;
    const Outcome outcome = refine(values, nx, ny, {13, tolerance});
    EXPECT_LT(outcome.computed(), values.size() * 6 / 10);
    for (std::size_t k = 0; k < values.size(); ++k) {
        EXPECT_LE(outcome.grid.error[k], tolerance * std::abs(outcome.grid.value[k]));
        EXPECT_LE(std::abs(outcome.grid.value[k] - values[k]), tolerance * values[k]) << k;
    }
    const auto computed_of = [&](double low, double high) {
        double computed = 0.0;
        double all = 0.0;
        const std::vector<double> radius = plane(nx, ny, [](double x, double y) { return std::hypot(x, y); });
        for (std::size_t k = 0; k < values.size(); ++k) {
            if (radius[k] < low || radius[k] >= high) continue;
            all += 1.0;
            computed += outcome.known[k];
        }
        return computed / all;
    };
    EXPECT_GT(computed_of(0.4, 0.6), 3.0 * computed_of(1.1, 2.0)) << "the ring rather than the flat corners";
}

TEST(Refinement, FollowsACliffThatTheCoarseGridOnlyTouches) {
    const auto cliff = [](double x, double y) { return x + 0.37 * y > 0.083 ? 5.0 : 1.0; };
    const std::vector<double> values = plane(101, 101, cliff);
    const Outcome outcome = refine(values, 101, 101, {9, 0.02});
    EXPECT_LE(largest_error(outcome, values), 0.02 * 5.0);
    EXPECT_LT(outcome.computed(), values.size() / 2);
}

TEST(Refinement, AMinimumBetweenTwoNodesIsSeen) {
    // |x| around the middle of a cell is its own mirror image: the cell's third difference is zero.
    const std::vector<double> values = plane(25, 1, [](double x, double) { return 0.05 + std::abs(x - 1.0 / 12.0); });
    const Outcome outcome = refine(values, 25, 1, {13, 0.01});
    EXPECT_EQ(outcome.known[13], 1);
    EXPECT_LE(largest_error(outcome, values), 0.01 * 0.05 + 1e-15);
}

TEST(Refinement, WithoutToleranceEverythingIsComputedFromCoarseToFine) {
    const std::vector<double> values = plane(9, 7, [](double, double) { return 1.0; });
    const Outcome outcome = refine(values, 9, 7, {3, 0.0});
    EXPECT_EQ(outcome.computed(), 63u);
    const GridLevels levels(9, 7, 3);
    std::set<std::size_t> so_far;
    ASSERT_EQ(outcome.rounds.size(), levels.count());
    for (std::size_t level = 0; level < levels.count(); ++level) {
        so_far.insert(outcome.rounds[level].begin(), outcome.rounds[level].end());
        const std::vector<std::size_t> points = levels.points(level);
        EXPECT_EQ(so_far, std::set<std::size_t>(points.begin(), points.end()));
    }
}

TEST(Refinement, AFlatSurfaceNeedsNothingMore) {
    const Outcome outcome = refine(plane(40, 40, [](double, double) { return 0.0; }), 40, 40, {5, 1e-9});
    EXPECT_EQ(outcome.computed(), 25u);
}

TEST(Refinement, BordersOfRegionsThatAreNotFiniteAreComputed) {
    const std::vector<double> values =
        plane(49, 49, [](double x, double y) { return std::hypot(x, y) > 0.9 ? kNan : x * x + 0.3; });
    const Outcome outcome = refine(values, 49, 49, {13, 0.01});
    for (std::size_t k = 0; k < values.size(); ++k) {
        if (std::isnan(values[k])) {
            EXPECT_EQ(outcome.known[k], 1) << "never interpolated: " << k;
        } else {
            EXPECT_NEAR(outcome.grid.value[k], values[k], 0.01 * values[k]) << k;
        }
    }
    EXPECT_LT(outcome.computed(), values.size());
}

TEST(Refinement, EverySplitHasItsSay) {
    const std::vector<double> flat = plane(49, 1, [](double, double) { return 1.0; });
    const std::vector<double> kinked = plane(49, 1, [](double x, double) { return 1.0 + std::abs(x - 0.31); });
    const auto count = [](const std::vector<std::span<const double>>& losses) {
        Refinement refinement(49, 1, {7, 0.001});
        std::size_t points = 0;
        for (auto round = refinement.next(losses); !round.empty(); round = refinement.next(losses))
            points += round.size();
        return points;
    };
    EXPECT_EQ(count({flat}), 7u);
    EXPECT_GT(count({kinked}), 7u);
    EXPECT_EQ(count({flat, kinked}), count({kinked}));
}

TEST(Refinement, TheToleranceIsRelativeToTheLossThere) {
    const std::vector<double> values =
        plane(65, 1, [](double x, double) { return 1.0 + std::exp(3.0 * std::sin(9.0 * x)); });
    std::vector<double> larger = values;
    for (double& value : larger)
        value *= 1024.0;
    EXPECT_EQ(refine(values, 65, 1, {9, 0.01}).rounds, refine(larger, 65, 1, {9, 0.01}).rounds);
}

}  // namespace
}  // namespace lossmap
