#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "output/colour_map.hpp"
#include "output/contour_labels.hpp"
#include "output/contour_levels.hpp"
#include "output/contour_lines.hpp"
#include "output/scalar_grid.hpp"
#include "tests/output/test_surfaces.hpp"

namespace lossmap {
namespace {

using test::steps;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pointwise;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

ScalarGrid grid_of(const std::vector<double>& x, const std::vector<double>& y, double (*f)(double, double)) {
    ScalarGrid grid{x, y, {}};
    for (const double b : y) {
        for (const double a : x)
            grid.z.push_back(f(a, b));
    }
    return grid;
}

TEST(ContourLevels, DefaultsAreThoseOfTheReferenceImplementation) {
    // numpy.arange(0.1, 10, 0.5)
    const ContourLevels levels = contour_levels({}, 0.01, 100.0);
    ASSERT_EQ(levels.values.size(), 20U);
    for (std::size_t i = 0; i < 20; ++i)
        EXPECT_NEAR(levels.values[i], 0.1 + 0.5 * static_cast<double>(i), 1e-12);
    EXPECT_EQ(levels.note, "");
}

TEST(ContourLevels, LevelsAskedForAreKeptWhereAnyFits) {
    LevelRequest request;
    request.vmin = 1.0;
    request.vmax = 2.0;
    request.vlevel = 0.25;
    const ContourLevels levels = contour_levels(request, 0.0, 1.1);
    EXPECT_THAT(levels.values, ElementsAre(1.0));
    EXPECT_EQ(levels.note, "");
}

TEST(ContourLevels, AnEmptyPictureIsAvoidedAndSaid) {
    const ContourLevels low = contour_levels({}, 0.001, 0.06);
    EXPECT_GE(low.values.size(), 5U);
    for (const double level : low.values)
        EXPECT_TRUE(level > 0.001 && level < 0.06) << level;
    EXPECT_THAT(low.note, HasSubstr("none of those from 0.1 to 10 by 0.5"));
    const ContourLevels high = contour_levels({}, 20.0, 60.0);
    EXPECT_GE(high.values.size(), 5U);
    EXPECT_THAT(high.note, HasSubstr("levels chosen to fit"));
}

TEST(ContourLevels, LogarithmicLevels) {
    LevelRequest request;
    request.log = true;
    const ContourLevels automatic = contour_levels(request, 0.015, 60.0);
    EXPECT_THAT(automatic.values,
                Pointwise(DoubleNear(1e-12), std::vector<double>{0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50}));
    EXPECT_EQ(automatic.note, "");
    request.vmin = 0.1;
    request.vmax = 100.0;
    request.vlevel = 1.0;
    EXPECT_THAT(contour_levels(request, 0.05, 60.0).values,
                Pointwise(DoubleNear(1e-9), std::vector<double>{0.1, 1.0, 10.0}));
}

TEST(ContourLevels, WrongRequestsAreRefused) {
    const auto levels = [](double vmin, double vmax, double step, bool log) {
        return contour_levels({vmin, vmax, step, log}, 0.0, 1.0);
    };
    EXPECT_THROW(levels(0.0, 1.0, 0.0, false), InputError);
    EXPECT_THROW(levels(0.0, 1.0, kNaN, false), InputError);
    EXPECT_THROW(levels(1.0, 1.0, 0.1, false), InputError);
    EXPECT_THROW(levels(0.0, std::numeric_limits<double>::infinity(), 0.1, false), InputError);
    EXPECT_THROW(levels(0.0, 1.0, 1e-9, false), InputError);
    EXPECT_THROW(levels(0.0, 1.0, 0.1, true), InputError);
}

TEST(ContourLevels, AConstantHasNoLevels) {
    EXPECT_TRUE(contour_levels({}, 0.7, 0.7).values.empty());
    EXPECT_TRUE(contour_levels({}, kNaN, kNaN).values.empty());
}

TEST(RoundValues, AreRoundAndWithin) {
    EXPECT_THAT(round_values(0.0, 1.0, 5),
                Pointwise(DoubleNear(1e-12), std::vector<double>{0, 0.2, 0.4, 0.6, 0.8, 1.0}));
    EXPECT_TRUE(round_values(1.0, 1.0, 5).empty());
    EXPECT_LE(round_values(1.0, std::nextafter(1.0, 2.0), 5).size(), 2U);
}

TEST(ContourLines, CircleIsOneClosedLineAtItsRadius) {
    const ScalarGrid grid =
        grid_of(steps(-1, 1, 101), steps(-1, 1, 81), [](double x, double y) { return std::hypot(x, y); });
    const auto lines = contour_lines(grid, 0.5);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].front().x, lines[0].back().x);
    EXPECT_EQ(lines[0].front().y, lines[0].back().y);
    double length = 0.0;
    for (std::size_t i = 1; i < lines[0].size(); ++i) {
        EXPECT_NEAR(std::hypot(lines[0][i].x, lines[0][i].y), 0.5, 1e-3);
        length += std::hypot(lines[0][i].x - lines[0][i - 1].x, lines[0][i].y - lines[0][i - 1].y);
    }
    EXPECT_NEAR(length, 3.14159265, 2e-3);
}

TEST(ContourLines, SaddleGivesTwoOpenLines) {
    const ScalarGrid grid = grid_of(steps(-1, 1, 40), steps(-1, 1, 40), [](double x, double y) { return x * y; });
    EXPECT_EQ(contour_lines(grid, 0.25).size(), 2U);
    EXPECT_EQ(contour_lines(grid, -0.25).size(), 2U);
    const ScalarGrid cell{{0, 1}, {0, 1}, {1, 0, 1, 0}};  // not a saddle: 1 0 / 1 0
    EXPECT_EQ(contour_lines(cell, 0.5).size(), 1U);
    const ScalarGrid saddle{{0, 1}, {0, 1}, {1, 0, 0, 1}};
    EXPECT_EQ(contour_lines(saddle, 0.4).size(), 2U);
    EXPECT_EQ(contour_lines(saddle, 0.6).size(), 2U);
}

TEST(ContourLines, StopAtGaps) {
    ScalarGrid grid = grid_of(steps(-1, 1, 11), steps(-1, 1, 11), [](double x, double) { return x; });
    EXPECT_EQ(contour_lines(grid, 0.05).size(), 1U);
    grid.z[5 * 11 + 5] = kNaN;
    const auto lines = contour_lines(grid, 0.05);
    ASSERT_EQ(lines.size(), 2U);
    for (const Polyline& line : lines) {
        for (const PlanePoint& point : line)
            EXPECT_GE(std::abs(point.y), 0.2 - 1e-12);
    }
}

TEST(ContourLines, SimplifyKeepsWithinTolerance) {
    Polyline line;
    for (int i = 0; i <= 1000; ++i)
        line.push_back({i * 0.001, std::sin(i * 0.001 * 6.28)});
    const Polyline simple = simplify(line, 0.01);
    EXPECT_LT(simple.size(), 60U);
    EXPECT_GT(simple.size(), 8U);
    EXPECT_EQ(simple.front().x, 0.0);
    EXPECT_EQ(simple.back().x, 1.0);
}

TEST(ScalarGrid, LinearResamplingKeepsSamplesAndGaps) {
    ScalarGrid grid{{0, 1, 3}, {0, 2}, {0, 1, 3, 2, kNaN, 5}};  // z = x + y with a gap at (1, 2)
    const ScalarGrid fine = resample_linear(grid, 7, 5);
    for (std::size_t iy = 0; iy < 5; ++iy) {
        for (std::size_t ix = 0; ix < 7; ++ix) {
            const double x = fine.x[ix];
            const double y = fine.y[iy];
            const bool touches_gap = y > 0.0 && x > 0.0 && x < 3.0;
            if (touches_gap) {
                EXPECT_TRUE(std::isnan(fine.at(ix, iy))) << x << ' ' << y;
            } else {
                EXPECT_NEAR(fine.at(ix, iy), x + y, 1e-12);
            }
        }
    }
}

TEST(ScalarGrid, NearestResamplingGivesWholeCells) {
    const ScalarGrid grid{{0, 1}, {5}, {1, 2}};
    const ScalarGrid fine = resample_nearest(grid, 6, 2);
    EXPECT_THAT(fine.z, ElementsAre(1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2));
    EXPECT_EQ(cell_extent(grid.x).low, -0.5);
    EXPECT_EQ(cell_extent(grid.x).high, 1.5);
    EXPECT_EQ(cell_extent(grid.y).low, 4.5);
}

TEST(ContourLabels, SitOnTheirLineAndDoNotMeet) {
    std::vector<LevelLines> levels;
    for (int k = 0; k < 12; ++k) {
        const double y = 20.0 + 30.0 * k;
        levels.push_back({static_cast<double>(k), "1.5", {{{0.0, y}, {400.0, y}}}});
    }
    const auto labels = place_labels(levels, 400.0, 400.0, {}, {});
    ASSERT_EQ(labels.size(), 12U);
    for (const PlacedLabel& label : labels) {
        EXPECT_NEAR(label.centre.y, 20.0 + 30.0 * static_cast<double>(label.level_index), 1e-9);
        EXPECT_EQ(label.angle, 0.0);
        EXPECT_GE(levels[label.level_index].lines.size(), 1U);
        for (const Polyline& line : levels[label.level_index].lines) {
            for (const PlanePoint& point : line)
                EXPECT_GE(std::abs(point.x - label.centre.x), 10.0);
        }
        for (const PlacedLabel& other : labels) {
            if (&other == &label) continue;
            EXPECT_GT(std::hypot(other.centre.x - label.centre.x, other.centre.y - label.centre.y), 20.0);
        }
    }
}

TEST(ContourLabels, CrowdedLinesStayUnlabelled) {
    std::vector<LevelLines> levels;
    for (int k = 0; k < 50; ++k)
        levels.push_back({0.0, "0.1", {{{0.0, 10.0 + 3.0 * k}, {300.0, 10.0 + 3.0 * k}}}});
    EXPECT_TRUE(place_labels(levels, 300.0, 170.0, {}, {}).empty());
    for (const LevelLines& level : levels)
        EXPECT_EQ(level.lines.size(), 1U);
}

TEST(ColourMap, EndsAndBrightness) {
    EXPECT_EQ(hex(viridis(0.0)), "#440154");
    EXPECT_EQ(hex(viridis(1.0)), "#fde725");
    EXPECT_EQ(viridis(-1.0), viridis(0.0));
    EXPECT_EQ(viridis(2.0), viridis(1.0));
    for (int i = 1; i <= 20; ++i)
        EXPECT_GT(luminance(viridis(i / 20.0)), luminance(viridis((i - 1) / 20.0)));
    EXPECT_NEAR(luminance(0xffffff), 1.0, 1e-12);
}

}  // namespace
}  // namespace lossmap
