#include "output/multiples.hpp"

#include <cmath>
#include <limits>
#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "output/gnuplot.hpp"
#include "output/panel_grid.hpp"
#include "tests/output/test_surfaces.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::steps;
using test::surface_of;
using testing::HasSubstr;
using testing::Not;

Surface bowl(double height, double range = 1.0) {
    return surface_of(steps(-range, range, 9), steps(-range, range, 9),
                      [=](double x, double y) { return 0.2 + height * (x * x + y * y); });
}

Surface parabola(double height) {
    return surface_of(steps(-0.5, 1.5, 9), {}, [=](double x, double) { return height * x * x; });
}

std::vector<MultiplesPanel> panels_of(const std::vector<Surface>& surfaces) {
    std::vector<MultiplesPanel> panels;
    for (const Surface& surface : surfaces)
        panels.push_back({"panel " + std::to_string(panels.size()), &surface, "", nullptr});
    return panels;
}

MultiplesOptions options_of(PlotKind kind) {
    MultiplesOptions options;
    options.plot.kind = kind;
    options.plot.title = "All of them";
    return options;
}

std::size_t count_of(const std::string& text, const std::string& pattern) {
    const std::regex expression(pattern);
    return static_cast<std::size_t>(
        std::distance(std::sregex_iterator(text.begin(), text.end(), expression), std::sregex_iterator()));
}

std::string error_of(const std::vector<MultiplesPanel>& panels, const MultiplesOptions& options) {
    try {
        static_cast<void>(multiples_script(panels, options));
    } catch (const InputError& error) {
        return error.what();
    }
    return "no error";
}

TEST(PanelGrid, PanelsFillRowsWithoutOverlap) {
    for (std::size_t count = 1; count <= 24; ++count) {
        PanelLayout layout;
        layout.count = count;
        PanelGrid grid(layout);
        grid.set_title_lines(2);
        const Canvas whole = grid.whole();
        for (std::size_t k = 0; k < count; ++k) {
            const Canvas panel = grid.panel(k);
            EXPECT_DOUBLE_EQ(panel.plot_width(), panel.plot_height());
            EXPECT_GE(panel.plot_width(), 130.0);
            EXPECT_GE(panel.left, whole.left);
            EXPECT_LE(panel.right, whole.right + 1e-9);
            EXPECT_GE(panel.bottom, whole.bottom - 1e-9);
            EXPECT_LE(panel.top, whole.top + 1e-9);
            if (!grid.is_first_of_row(k)) {
                EXPECT_GT(panel.left, grid.panel(k - 1).right);
            } else if (k > 0) {
                EXPECT_LT(panel.top + 2 * PanelGrid::kTitleLineHeight, grid.panel(k - 1).bottom);
            }
        }
        EXPECT_TRUE(grid.is_last_of_row(count - 1));
        EXPECT_LT(whole.width, 1400.0);
    }
}

TEST(PanelGrid, LastRowsAreFullWhereThatIsPossible) {
    const auto columns_of = [](std::size_t count) {
        PanelLayout layout;
        layout.count = count;
        const PanelGrid grid(layout);
        std::size_t columns = 1;
        while (columns < count && !grid.is_first_of_row(columns))
            ++columns;
        return columns;
    };
    EXPECT_EQ(columns_of(2), 2U);
    EXPECT_EQ(columns_of(4), 2U);
    EXPECT_EQ(columns_of(6), 3U);
    EXPECT_EQ(columns_of(8), 4U);
    EXPECT_EQ(columns_of(10), 5U);
    EXPECT_EQ(columns_of(24), 6U);
}

TEST(Multiples, PlanesHaveOneScaleAndOneBar) {
    const std::vector<Surface> surfaces{bowl(1), bowl(4), bowl(2)};
    const std::string heatmap = multiples_script(panels_of(surfaces), options_of(PlotKind::heatmap));
    EXPECT_EQ(count_of(heatmap, "set cbrange"), 1U);
    // 0.2 + 4 * 2 is the largest value of all.
    const std::size_t range = heatmap.find("set cbrange [");
    double low = 0.0;
    double high = 0.0;
    ASSERT_EQ(std::sscanf(heatmap.c_str() + range, "set cbrange [%lf:%lf]", &low, &high), 2);
    EXPECT_NEAR(low, 0.2, 1e-12);
    EXPECT_NEAR(high, 8.2, 1e-12);
    EXPECT_THAT(heatmap, HasSubstr("train loss at 9 × 9 points each, 0.2 to 8.2 in all"));
    for (const char* title : {"'panel 0'", "'panel 1'", "'panel 2'", "'All of them'"}) {
        EXPECT_EQ(count_of(heatmap, title), 1U) << title;
    }
    EXPECT_EQ(count_of(heatmap, "'alpha \\(first direction\\)'"), 1U);
    EXPECT_EQ(count_of(heatmap, "plot \\$image"), 3U);
}

TEST(Multiples, ALevelHasTheSameColourInEveryPanel) {
    const std::vector<Surface> surfaces{bowl(1), bowl(4)};
    const std::string script = multiples_script(panels_of(surfaces), options_of(PlotKind::contour));
    // Levels 0.6, 1.1, .. of the range 0.2 to 8.2: level k stands at k + 0.5 of the bar. Rows of the lines: x y place.
    std::size_t checked = 0;
    std::size_t position = 0;
    for (const double height : {1.0, 4.0}) {
        position = script.find("$lines << END_OF_DATA\n", position) + 22;
        const std::string rows = script.substr(position, script.find("END_OF_DATA", position) - position);
        std::size_t start = 0;
        while (start < rows.size()) {
            const std::size_t end = rows.find('\n', start);
            double x = 0.0;
            double y = 0.0;
            double place = 0.0;
            if (std::sscanf(rows.substr(start, end - start).c_str(), "%lf %lf %lf", &x, &y, &place) == 3) {
                const double level = 0.6 + 0.5 * (place - 0.5);
                EXPECT_NEAR(0.2 + height * (x * x + y * y), level, 0.08 * height);
                ++checked;
            }
            start = end + 1;
        }
    }
    EXPECT_GT(checked, 200U);
}

TEST(Multiples, SharedRangesAreLabelledOnceAndOthersEach) {
    const auto labelled = [](const std::vector<Surface>& surfaces) {
        return count_of(multiples_script(panels_of(surfaces), options_of(PlotKind::contour)), "set xtics \\('-");
    };
    EXPECT_EQ(labelled({bowl(1), bowl(2), bowl(3), bowl(4)}), 2U);           // the lower row
    EXPECT_EQ(labelled({bowl(1), bowl(2), bowl(3), bowl(4), bowl(5)}), 3U);  // and what has nothing under it
    EXPECT_EQ(labelled({bowl(1), bowl(2, 0.5), bowl(3), bowl(4)}), 4U);
}

TEST(Multiples, LinesShareTheLossAxis) {
    const std::vector<Surface> surfaces{parabola(1), parabola(8)};
    const std::string script = multiples_script(panels_of(surfaces), options_of(PlotKind::line));
    EXPECT_EQ(count_of(script, "set yrange \\[0:28\\.\\d*\\]"), 2U);  // 1.5 * 8 * 1.5^2 + 0.25 = 27.25 and 5 % more
    EXPECT_EQ(count_of(script, "keyentry"), 4U);
    EXPECT_EQ(count_of(script, "plot \\$loss_0"), 2U);
    EXPECT_THAT(script, Not(HasSubstr("palette")));
}

TEST(Multiples, GapsAreCountedAndGrey) {
    std::vector<Surface> surfaces{bowl(1), bowl(2)};
    surfaces[1].splits[0].loss[3] = std::numeric_limits<double>::quiet_NaN();
    test::forget(surfaces[1].splits[0], 5);
    const std::string script = multiples_script(panels_of(surfaces), options_of(PlotKind::filled));
    EXPECT_THAT(script, HasSubstr("1 of 162 points not finite, 1 not computed (grey)"));
    EXPECT_EQ(count_of(script, "#d4d4d4"), 1U);  // the ground of the second panel
    std::vector<Surface> lines{parabola(1), parabola(2)};
    lines[1].splits[0].loss[3] = std::numeric_limits<double>::infinity();
    std::vector<MultiplesPanel> panels = panels_of(lines);
    panels[1].title = "two\nlines";
    EXPECT_THAT(multiples_script(panels, options_of(PlotKind::line)),
                HasSubstr("two, lines: train loss: 1 of 9 points not finite"));
}

TEST(Multiples, WhatDoesNotFitIsRefusedByName) {
    const std::vector<Surface> mixed{bowl(1), parabola(1)};
    EXPECT_THAT(error_of(panels_of(mixed), options_of(PlotKind::contour)), HasSubstr("panel 'panel 1'"));
    EXPECT_THAT(error_of(panels_of(mixed), options_of(PlotKind::line)), HasSubstr("panel 'panel 0'"));
    EXPECT_THAT(error_of({}, options_of(PlotKind::line)), HasSubstr("expected 1 to"));
    const std::vector<Surface> many(kMostPanels + 1, parabola(1));
    EXPECT_THAT(error_of(panels_of(many), options_of(PlotKind::line)), HasSubstr("121 panels"));
    const std::vector<Surface> planes{bowl(1)};
    EXPECT_THAT(error_of(panels_of(planes), options_of(PlotKind::surface3d)), HasSubstr("surface3d"));
    EXPECT_THAT(error_of(panels_of(planes), options_of(PlotKind::trajectory)), HasSubstr("needs a path"));
}

TEST(Multiples, TitlesAreTextAndWrapped) {
    const Surface surface = bowl(1);
    const std::string script =
        multiples_script({{"it's `a`\nbatch 128", &surface, "", nullptr}, {"b", &surface, "test", nullptr}},
                         options_of(PlotKind::heatmap));
    EXPECT_THAT(script, HasSubstr("'it''s `a`' at screen"));
    EXPECT_THAT(script, HasSubstr("'batch 128' at screen"));
    EXPECT_THAT(script, HasSubstr("set label 1010 'loss'"));  // of two splits
}

TEST(Multiples, AreDrawnInEveryFormat) {
    try {
        static_cast<void>(find_gnuplot());
    } catch (const Error&) {
        GTEST_SKIP() << "gnuplot is not installed (Debian: gnuplot-nox)";
    }
    std::vector<Surface> planes{bowl(1), bowl(2), bowl(3)};
    for (double& loss : planes[0].splits[0].loss)
        loss = std::numeric_limits<double>::quiet_NaN();  // the bar is drawn for the others
    TrajectoryPath path;
    path.x = {0.9, 0.5, 0.0};
    path.y = {0.9, -0.5, 0.0};
    const TrajectoryPlane plane{{path}, {}, {}, ""};
    const std::vector<Surface> lines{parabola(1), parabola(2), parabola(3)};
    const test::TemporaryDirectory folder;
    const auto drawn = [&](PlotKind kind, PlotFormat format) {
        std::vector<MultiplesPanel> panels = panels_of(kind == PlotKind::line ? lines : planes);
        for (MultiplesPanel& panel : panels)
            panel.plane = &plane;
        MultiplesOptions options = options_of(kind);
        options.plot.format = format;
        draw_multiples(panels, options, folder / "picture");
        return test::read_file(folder / "picture");
    };
    for (const PlotKind kind : {PlotKind::line, PlotKind::contour, PlotKind::filled, PlotKind::heatmap}) {
        const std::string svg = drawn(kind, PlotFormat::svg);
        for (const char* text : {"panel 0", "panel 1", "panel 2", "All of them", "</svg>"}) {
            EXPECT_THAT(svg, HasSubstr(text)) << name_of(kind);
        }
        // Once in the bar's label; a line's key has it, too.
        EXPECT_THAT(svg, HasSubstr("train loss")) << name_of(kind);
    }
    EXPECT_THAT(drawn(PlotKind::trajectory, PlotFormat::pdf), testing::StartsWith("%PDF-"));
    EXPECT_EQ(drawn(PlotKind::filled, PlotFormat::png).substr(1, 3), "PNG");
}

}  // namespace
}  // namespace lossmap
