#include "output/curves.hpp"

#include <limits>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/error.hpp"

namespace lossmap {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

CurvesFigure figure() {
    CurvesFigure figure;
    figure.name = "figure";
    figure.title = "Two runs";
    figure.x_label = "epoch";
    figure.y_label = "loss";
    figure.curves = {{"train loss", {0, 1, 2}, {3, 2, 1}, 0, 0, false, false},
                     {"test loss", {0, 1, 2}, {3.5, 2.5, 2}, 0, 1, false, false}};
    return figure;
}

TEST(Curves, SharedAxisWithDashesAndLegend) {
    const std::string script = curves_script(figure(), PlotFormat::svg);
    EXPECT_THAT(script, HasSubstr("$curve_0 using 1:2 axes x1y1 with lines lw 2 lc rgb '#0072b2' dashtype solid title "
                                  "'train loss'"));
    EXPECT_THAT(script, HasSubstr("dashtype (10,6) title 'test loss'"));
    EXPECT_THAT(script, HasSubstr("set xrange [0:2]"));
    EXPECT_THAT(script, HasSubstr("'epoch'"));
    EXPECT_THAT(script, Not(HasSubstr("y2label")));
}

TEST(Curves, TheLegendHasARowForItsEntriesAndThePictureRoomForTheRows) {
    CurvesFigure many = figure();
    EXPECT_THAT(curves_script(many, PlotFormat::svg), HasSubstr("size 900,564"));
    many.curves.clear();
    for (std::size_t k = 0; k < 7; ++k)
        many.curves.push_back({fmt::format("name number {:03}", k), {0, 1}, {1, 2}, k, 0});
    many.curves.push_back({"without an entry", {0, 1}, {1, 2}, 6, 1, false, false, true});
    // Three columns of such names fit the plot area, so seven of them need three rows.
    const std::string script = curves_script(many, PlotFormat::svg);
    EXPECT_THAT(script, HasSubstr("maxrows 3 "));
    EXPECT_THAT(script, HasSubstr("size 900,600"));
    EXPECT_THAT(script, HasSubstr("dashtype (10,6) notitle"));
    EXPECT_THAT(script, Not(HasSubstr("without an entry")));
    for (Curve& curve : many.curves)
        curve.name += " and many more of them, far too many for a second column";
    EXPECT_THAT(curves_script(many, PlotFormat::svg), HasSubstr("maxrows 7 "));
    for (std::size_t k = 0; k < 20; ++k)
        many.curves.push_back(many.curves.front());
    const std::string without = curves_script(many, PlotFormat::svg);
    EXPECT_THAT(without, HasSubstr("set key off"));
    EXPECT_THAT(without, HasSubstr("27 curves are too many for a legend"));
    EXPECT_THAT(without, HasSubstr("size 900,564"));
}

TEST(Curves, SecondAxisHasTheColourOfItsCurves) {
    CurvesFigure two = figure();
    two.y2_label = "error (%)";
    two.curves.push_back({"train error", {0, 1, 2}, {90, 50, 10}, 1, 0, true, false});
    const std::string script = curves_script(two, PlotFormat::png);
    EXPECT_THAT(script, HasSubstr("set y2label 'error (%)' noenhanced textcolor rgb '#d55e00'"));
    EXPECT_THAT(script, HasSubstr("$curve_2 using 1:2 axes x1y2"));
    EXPECT_THAT(script, HasSubstr("set y2range [0:94]"));
}

TEST(Curves, GapsAreNotJoinedAndAreCounted) {
    CurvesFigure gaps = figure();
    gaps.curves[0].x = {0, 1, 2, 3, 4};
    gaps.curves[0].y = {3, kNaN, 1, 2, std::numeric_limits<double>::infinity()};
    const std::string script = curves_script(gaps, PlotFormat::svg);
    EXPECT_THAT(script, HasSubstr("$curve_0 << END_OF_DATA\n0 3\n\n2 1\n3 2\n\nEND_OF_DATA"));
    EXPECT_THAT(script, HasSubstr("$points_0 << END_OF_DATA\n0 3\nEND_OF_DATA"));
    EXPECT_THAT(script, HasSubstr("2 of 8 points are not finite: gaps"));
}

TEST(Curves, ACurveWithoutAnyLineIsMarks) {
    CurvesFigure marks = figure();
    for (Curve& curve : marks.curves) {
        curve.x = {1};
        curve.y = {2};
    }
    const std::string script = curves_script(marks, PlotFormat::svg);
    EXPECT_THAT(script, HasSubstr("$curve_0 using 1:2 axes x1y1 with points pt 7"));
    EXPECT_THAT(script, HasSubstr("$curve_1 using 1:2 axes x1y1 with points pt 6"));
    EXPECT_THAT(script, HasSubstr("title 'test loss'"));
    EXPECT_THAT(script, Not(HasSubstr("with lines")));
}

TEST(Curves, BandsAndFaintCurvesLieBehind) {
    CurvesFigure banded = figure();
    banded.bands.push_back({"spread", {0, 1, 2}, {1, 1, kNaN}, {2, 3, 4}, 0, false});
    banded.curves.push_back({"", {0, 1, 2}, {1, 1, 1}, 0, 0, false, true});
    const std::string script = curves_script(banded, PlotFormat::svg);
    EXPECT_THAT(script, HasSubstr("$band_0 << END_OF_DATA\n0 1 2\n1 1 3\n\nEND_OF_DATA"));
    const auto band = script.find("plot $band_0");
    const auto faint = script.find("$curve_2 using");
    EXPECT_LT(band, faint);
    EXPECT_LT(faint, script.find("$curve_0 using"));
    EXPECT_THAT(script.substr(faint), HasSubstr("notitle"));
}

TEST(Curves, FiguresThatMakeNoSenseAreRefused) {
    CurvesFigure wrong = figure();
    wrong.curves[0].y.pop_back();
    EXPECT_THROW(static_cast<void>(curves_script(wrong, PlotFormat::svg)), InputError);
    wrong.curves.clear();
    EXPECT_THROW(static_cast<void>(curves_script(wrong, PlotFormat::svg)), InputError);
}

}  // namespace
}  // namespace lossmap
