#include <cmath>
#include <cstdio>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "output/gnuplot.hpp"
#include "output/picture.hpp"
#include "output/text.hpp"
#include "tests/output/test_surfaces.hpp"

namespace lossmap {
namespace {

using test::forget;
using test::steps;
using test::surface_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Surface bowl(int nx = 21, int ny = 15) {
    return surface_of(steps(-1, 1, nx), steps(-1, 1, ny),
                      [](double x, double y) { return 0.05 + 5 * x * x + 4 * y * y; });
}

PlotOptions options_of(PlotKind kind) {
    PlotOptions options;
    options.kind = kind;
    return options;
}

/// Rows of a data block, empty ones included.
std::vector<std::string> block(const std::string& script, const std::string& name) {
    const std::string head = "$" + name + " << END_OF_DATA\n";
    const std::size_t start = script.find(head);
    if (start == std::string::npos) return {};
    std::vector<std::string> rows;
    std::size_t position = start + head.size();
    while (true) {
        const std::size_t end = script.find('\n', position);
        const std::string row = script.substr(position, end - position);
        if (row == "END_OF_DATA") return rows;
        rows.push_back(row);
        position = end + 1;
    }
}

TEST(GnuplotString, NothingInItIsACommand) {
    EXPECT_EQ(gnuplot_string("a'b"), "'a''b'");
    EXPECT_EQ(gnuplot_string("`rm x` $(y) \"q\" @m \\n"), "'`rm x` $(y) \"q\" @m \\n'");
    EXPECT_EQ(gnuplot_string("a\nb"), "'a'.\"\\n\".'b'");
    EXPECT_EQ(gnuplot_string("a\r\tb\x7f"), "'a  b '");
    EXPECT_EQ(gnuplot_string("\xff\xc3\xa9"), "'\xef\xbf\xbd\xc3\xa9'");
    EXPECT_EQ(gnuplot_string(std::string("a\0b", 3)), "'a b'");
    EXPECT_EQ(gnuplot_string(""), "''");
}

TEST(Text, WrapsAtSpacesAndCutsWhatIsTooLong) {
    EXPECT_THAT(wrap_text("one two three", 8, 3), ElementsAre("one two", "three"));
    EXPECT_THAT(wrap_text("abcdefghij", 4, 2), ElementsAre("abcd", "efg…"));
    EXPECT_THAT(wrap_text("a\nb", 4, 2), ElementsAre("a", "b"));
    EXPECT_THAT(wrap_text("ééé ééé", 4, 2), ElementsAre("ééé", "ééé"));
    EXPECT_THAT(wrap_text("", 4, 2), ElementsAre(""));
}

TEST(Text, InvalidUtf8IsReplaced) {
    EXPECT_EQ(valid_utf8("\xc0\x80"), "\xef\xbf\xbd\xef\xbf\xbd");       // overlong
    EXPECT_EQ(valid_utf8("\xed\xa0\x80").substr(0, 3), "\xef\xbf\xbd");  // surrogate
    EXPECT_EQ(valid_utf8("\xe2\x82"), "\xef\xbf\xbd\xef\xbf\xbd");       // cut off
    EXPECT_EQ(valid_utf8("\xf0\x9f\x98\x80 ok"), "\xf0\x9f\x98\x80 ok");
}

TEST(PictureScript, TrajectoryIsDrawnOverLogarithmicContours) {
    PlotOptions options = options_of(PlotKind::trajectory);
    EXPECT_THROW(static_cast<void>(picture_script(bowl(), options)), InputError);
    TrajectoryPath path;
    path.x = {0.9, 0.5, 3.0, 0.0};
    path.y = {0.9, -0.5, 0.0, 0.0};
    path.norm = {2.0, 1.0, 3.0, 0.0};
    path.distance = {1.0, 0.0, 0.0, 0.0};
    path.lr_drops = {1};
    path.losses = {{"train", {1.0, 0.5, 9.0, 0.1}, {4.0, 0.5, 9.0, 0.1}}};
    TrajectoryPlane plane{{path}, {"1st PC: 49.32 %", "2nd PC: 20.00 % 'q'"}, {}, ""};
    options.plane = plane;
    const std::string script = picture_script(bowl(), options);
    EXPECT_EQ(block(script, "path").size(), 4u);
    EXPECT_THAT(block(script, "drops"), ElementsAre("0.5 -0.5"));
    EXPECT_THAT(script, HasSubstr("'1st PC: 49.32 %'"));
    EXPECT_THAT(script, HasSubstr("set ylabel '2nd PC: 20.00 % ''q'''"));
    EXPECT_THAT(script, HasSubstr("92.9 % of the path''s squared length lies in the plane"));
    EXPECT_THAT(script, HasSubstr("its loss is 4 for 1 at checkpoint 0"));
    EXPECT_THAT(script, HasSubstr("outside"));
    // Every note has its line, however many there are; the picture grows by as much.
    EXPECT_THAT(script, HasSubstr("size 840,748"));
    for (int k = 0; k < 4; ++k)
        plane.notes.push_back(fmt::format("note {}", k));
    options.plane = plane;
    const std::string taller = picture_script(bowl(), options);
    EXPECT_THAT(taller, HasSubstr("size 840,808"));
    for (int k = 0; k < 4; ++k)
        EXPECT_THAT(taller, HasSubstr(fmt::format("'note {}'", k)));
    plane.runs[0].y.pop_back();
    options.plane = plane;
    EXPECT_THROW(static_cast<void>(picture_script(bowl(), options)), InputError);
}

TEST(PictureScript, LineHasBothAxesAndStyles) {
    Surface line = surface_of(steps(-1, 1, 5), {}, [](double x, double) { return x * x; });
    const std::string script = picture_script(line, options_of(PlotKind::line));
    EXPECT_THAT(script, HasSubstr("set ylabel 'loss'"));
    EXPECT_THAT(script, HasSubstr("set y2label 'accuracy (%)'"));
    EXPECT_THAT(script, HasSubstr("'alpha'"));
    EXPECT_THAT(
        script,
        HasSubstr("$loss_0 using 1:2 axes x1y1 with lines lw 2 lc rgb '#1f4fd8' dashtype solid title 'train loss'"));
    EXPECT_THAT(
        script,
        HasSubstr(
            "$accuracy_1 using 1:2 axes x1y2 with lines lw 2 lc rgb '#d62728' dashtype (10,6) title 'test accuracy'"));
    EXPECT_THAT(block(script, "loss_0"), ElementsAre("-1 1", "-0.5 0.25", "0 0", "0.5 0.25", "1 1"));
    EXPECT_THAT(script, Not(HasSubstr("logscale")));
}

TEST(PictureScript, LineGapsAreBreaksAndCounted) {
    Surface line = surface_of(steps(0, 6, 7), {}, [](double x, double) { return x - 0.5; });
    line.splits.pop_back();
    line.splits[0].loss[2] = kNaN;
    line.splits[0].loss[4] = std::numeric_limits<double>::infinity();
    forget(line.splits[0], 6);
    PlotOptions options = options_of(PlotKind::line);
    const std::string script = picture_script(line, options);
    EXPECT_THAT(block(script, "loss_0"), ElementsAre("0 -0.5", "1 0.5", "", "3 2.5", "", "5 4.5", ""));
    EXPECT_THAT(block(script, "loss_0_points"), ElementsAre("3 2.5", "5 4.5"));  // no neighbour: drawn as points
    EXPECT_THAT(script, HasSubstr("'loss: 2 of 7 points not finite, 1 not computed'"));
    EXPECT_EQ(block(script, "accuracy_0")[2], "");  // the loss is NaN there
    EXPECT_NE(block(script, "accuracy_0")[4], "");
    options.log = true;
    const std::string logarithmic = picture_script(line, options);
    EXPECT_THAT(logarithmic, HasSubstr("set logscale y"));
    EXPECT_THAT(logarithmic, HasSubstr("2 of 7 points not finite, 1 not positive, 1 not computed"));
    EXPECT_EQ(block(logarithmic, "loss_0")[0], "");
}

TEST(PictureScript, LineWithoutClassesHasNoAccuracyAxis) {
    Surface line = surface_of(steps(-1, 1, 5), {}, [](double x, double) { return x * x; });
    for (SplitSurface& split : line.splits)
        split.has_accuracy = false;
    const std::string script = picture_script(line, options_of(PlotKind::line));
    EXPECT_THAT(script, Not(HasSubstr("accuracy")));
}

TEST(PictureScript, DataKeepEveryBit) {
    const double third = 1.0 / 3.0;
    Surface line = surface_of({0.0, third}, {}, [](double x, double) { return x * 0.1; });
    const std::vector<std::string> rows = block(picture_script(line, options_of(PlotKind::line)), "loss_0");
    EXPECT_EQ(std::stod(rows[1]), third);
    EXPECT_EQ(std::stod(rows[1].substr(rows[1].find(' '))), third * 0.1);
}

TEST(PictureScript, ContourLinesLieOnTheirLevels) {
    const std::string script = picture_script(bowl(41, 31), options_of(PlotKind::contour));
    int points = 0;
    for (const std::string& row : block(script, "lines")) {
        if (row.empty()) continue;
        double x = 0.0;
        double y = 0.0;
        double place = 0.0;
        ASSERT_EQ(std::sscanf(row.c_str(), "%lf %lf %lf", &x, &y, &place), 3) << row;
        const double level = 0.1 + 0.5 * (place - 0.5);
        EXPECT_NEAR(0.05 + 5 * x * x + 4 * y * y, level, 0.03);
        ++points;
    }
    EXPECT_GT(points, 300);
    EXPECT_THAT(script, HasSubstr("'3.1' at"));  // a label on a line
    EXPECT_THAT(script, HasSubstr("at 0,0 point"));
}

TEST(PictureScript, FilledBandsFollowTheLevels) {
    Surface surface = bowl(3, 3);
    PlotOptions options = options_of(PlotKind::filled);
    options.vmin = 1.0;
    options.vmax = 9.0;
    options.vlevel = 4.0;  // levels 1 and 5
    const std::vector<std::string> rows = block(picture_script(surface, options), "ground");
    ASSERT_FALSE(rows.empty());
    EXPECT_EQ(rows.front().substr(0, 4), "2.5 ");            // the corner, 9.05: above both
    EXPECT_THAT(rows[rows.size() / 2], HasSubstr(" 0.5 "));  // the middle: below both
    EXPECT_EQ(rows[rows.size() / 2].substr(0, 4), "2.5 ");   // 5.05 at its ends: above 5
}

TEST(PictureScript, LevelsOutsideTheValuesAreReplacedAndSaid) {
    Surface surface =
        surface_of(steps(-1, 1, 11), steps(-1, 1, 7), [](double x, double y) { return 0.01 + 0.02 * (x * x + y * y); });
    const std::string script = picture_script(surface, options_of(PlotKind::contour));
    EXPECT_THAT(script, HasSubstr("levels chosen to fit: none of those from 0.1 to 10 by 0.5 within the values"));
    EXPECT_FALSE(block(script, "lines").empty());
}

TEST(PictureScript, GapsAreGreyAndCounted) {
    Surface surface = bowl();
    surface.splits[0].loss[20] = kNaN;
    forget(surface.splits[0], 100);
    for (const PlotKind kind : {PlotKind::contour, PlotKind::filled, PlotKind::heatmap, PlotKind::surface3d}) {
        EXPECT_THAT(picture_script(surface, options_of(kind)), HasSubstr("1 of 315 points not finite, 1 not computed"))
            << name_of(kind);
    }
    EXPECT_THAT(picture_script(surface, options_of(PlotKind::heatmap)), HasSubstr("#d4d4d4"));
    EXPECT_THAT(picture_script(bowl(), options_of(PlotKind::heatmap)), Not(HasSubstr("#d4d4d4")));
}

TEST(PictureScript, ClippingIsCounted) {
    PlotOptions options = options_of(PlotKind::heatmap);
    options.vmax = 9.04;  // only the four corners lie above
    EXPECT_THAT(picture_script(bowl(), options), HasSubstr("clipped: 4 points above 9.04"));
    options.vmin = 9.5;
    EXPECT_THROW((void)picture_script(bowl(), options), InputError);
    options.vmin = -1.0;
    options.log = true;
    EXPECT_THROW((void)picture_script(bowl(), options), InputError);
}

TEST(PictureScript, SurfaceHasItsMeshAndContoursOnTheFloor) {
    const std::string script = picture_script(bowl(21, 15), options_of(PlotKind::surface3d));
    const std::vector<std::string> mesh = block(script, "mesh");
    EXPECT_EQ(mesh.size(), 15U * 22U);  // 15 rows of 21 points and an empty line
    EXPECT_FALSE(block(script, "floor").empty());
}

TEST(PictureScript, TitleCannotBreakOut) {
    PlotOptions options = options_of(PlotKind::contour);
    options.title = "x' ; system('touch pwned') #\nset output 'y'";
    const std::string script = picture_script(bowl(), options);
    EXPECT_THAT(script, HasSubstr("'x'' ; system(''touch pwned'') #'.\"\\n\".'set output ''y'''"));
    EXPECT_THAT(script, Not(HasSubstr("\nset output 'y'")));
}

TEST(PictureScript, KindsThatDoNotFitAreRefused) {
    const Surface line = surface_of(steps(-1, 1, 5), {}, [](double x, double) { return x * x; });
    for (const PlotKind kind : {PlotKind::contour, PlotKind::filled, PlotKind::heatmap, PlotKind::surface3d}) {
        EXPECT_THROW((void)picture_script(line, options_of(kind)), InputError) << name_of(kind);
    }
    EXPECT_THROW((void)picture_script(bowl(), options_of(PlotKind::line)), InputError);
    EXPECT_THROW((void)picture_script(bowl(1, 5), options_of(PlotKind::contour)), InputError);
    EXPECT_NO_THROW((void)picture_script(bowl(1, 5), options_of(PlotKind::heatmap)));
    PlotOptions options = options_of(PlotKind::contour);
    options.split = "validation";
    EXPECT_THROW((void)picture_script(bowl(), options), InputError);
    Surface broken = bowl();
    broken.splits[0].loss.pop_back();
    EXPECT_THROW((void)picture_script(broken, options_of(PlotKind::heatmap)), InputError);
    Surface backwards = bowl();
    backwards.x[3] = backwards.x[2];
    EXPECT_THROW((void)picture_script(backwards, options_of(PlotKind::heatmap)), InputError);
    EXPECT_THROW((void)picture_script(Surface{{0.0}, {}, {}, "", ""}, options_of(PlotKind::line)), InputError);
}

TEST(PictureScript, DefaultKinds) {
    EXPECT_THAT(default_kinds(bowl(1, 1)), ElementsAre(PlotKind::heatmap));
    EXPECT_THAT(default_kinds(bowl()),
                ElementsAre(PlotKind::contour, PlotKind::filled, PlotKind::heatmap, PlotKind::surface3d));
    EXPECT_THAT(default_kinds(surface_of({0.0}, {}, [](double, double) { return 1.0; })), ElementsAre(PlotKind::line));
}

TEST(LinePicture, HasABandWhereSamplesWereDrawnAtRandom) {
    Surface line = surface_of(steps(-1, 1, 5), {}, [](double x, double) { return 0.001 + x * x; });
    EXPECT_THAT(picture_script(line, options_of(PlotKind::line)), Not(HasSubstr("filledcurves")));
    SplitSurface& train = line.splits[0];
    train.drawn = 1000;
    train.drawn_from = 4000;
    train.standard_error[3] = kNaN;
    const std::string script = picture_script(line, options_of(PlotKind::line));
    EXPECT_THAT(script, HasSubstr("$band_0 using 1:2:3 axes x1y1 with filledcurves"));
    EXPECT_THAT(script, HasSubstr("train: 1000 of 4000 samples, drawn at random; band: 95 % confidence"));
    const std::vector<std::string> rows = block(script, "band_0");
    ASSERT_EQ(rows.size(), 5u);
    double x = 0.0;
    double low = 0.0;
    double high = 0.0;
    ASSERT_EQ(std::sscanf(rows[0].c_str(), "%lf %lf %lf", &x, &low, &high), 3);
    const double half = 1.959963984540054 * 0.01 * std::sqrt(0.75);
    EXPECT_EQ(x, -1.0);
    EXPECT_NEAR(low, 1.001 - half, 1e-12);
    EXPECT_NEAR(high, 1.001 + half, 1e-12);
    EXPECT_EQ(rows[3], "") << "no interval";
    PlotOptions logarithmic = options_of(PlotKind::line);
    logarithmic.log = true;
    const std::vector<std::string> above_zero = block(picture_script(line, logarithmic), "band_0");
    ASSERT_EQ(std::sscanf(above_zero[2].c_str(), "%lf %lf", &x, &low), 2);
    EXPECT_GT(low, 0.0);
    EXPECT_LT(low, 1e-300);
}

TEST(PlanePicture, SaysThatSamplesWereDrawnAtRandom) {
    Surface plane = bowl(5, 5);
    plane.splits[0].drawn = 1000;
    plane.splits[0].drawn_from = 60000;
    for (const PlotKind kind : {PlotKind::contour, PlotKind::heatmap, PlotKind::surface3d}) {
        EXPECT_THAT(picture_script(plane, options_of(kind)), HasSubstr("1000 of 60000 samples, drawn at random"));
    }
}

}  // namespace
}  // namespace lossmap
