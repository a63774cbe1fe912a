#include "cli/run/progress_display.hpp"

#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lossmap {
namespace {

RunProgress half() {
    RunProgress progress;
    progress.finished_units = 1300;
    progress.total_units = 2601;
    progress.resumed_units = 300;
    progress.finished_evaluations = 1'000'000;
    progress.total_evaluations = 2'301'000;
    progress.elapsed_seconds = 100.0;
    return progress;
}

std::ptrdiff_t lines(const std::ostringstream& out) {
    const std::string text = out.str();
    return std::count(text.begin(), text.end(), '\n');
}

TEST(ProgressText, DurationsAreReadable) {
    EXPECT_EQ(format_duration(0.4), "0 s");
    EXPECT_EQ(format_duration(59.4), "59 s");
    EXPECT_EQ(format_duration(59.6), "1 min 00 s");
    EXPECT_EQ(format_duration(200), "3 min 20 s");
    EXPECT_EQ(format_duration(5 * 3600 + 120), "5 h 02 min");
    EXPECT_EQ(format_duration(51 * 3600), "2 d 03 h");
}

TEST(ProgressText, RatesHaveThreeDigits) {
    EXPECT_EQ(format_rate(0), "0");
    EXPECT_EQ(format_rate(950), "950");
    EXPECT_EQ(format_rate(999.6), "1.00 k");
    EXPECT_EQ(format_rate(12'345), "12.3 k");
    EXPECT_EQ(format_rate(4'560'000), "4.56 M");
}

TEST(ProgressText, RateAndTimeLeftCountThisProcessAlone) {
    EXPECT_DOUBLE_EQ(evaluation_rate(half()), 10'000.0);
    EXPECT_DOUBLE_EQ(remaining_seconds(half()), 130.1);
    EXPECT_EQ(progress_line(half()), "1,300 of 2,601 units (49.9 %), 10.0 k evaluations/s, 2 min 10 s left");
    RunProgress bad = half();
    bad.non_finite_points = 2;
    EXPECT_EQ(progress_line(bad), progress_line(half()) + ", 2 points not finite");
}

TEST(ProgressText, NothingIsClaimedBeforeTheFirstEvaluation) {
    RunProgress start;
    start.total_units = 10;
    start.total_evaluations = 100;
    EXPECT_EQ(progress_line(start), "0 of 10 units (0.0 %)");
    EXPECT_LT(remaining_seconds(start), 0.0);
    EXPECT_TRUE(nlohmann::json::parse(progress_json(start))["remaining_seconds"].is_null());
}

TEST(ProgressText, BarFitsItsWidth) {
    EXPECT_EQ(progress_bar(half(), 200).substr(0, 33), "[##############................] ");
    for (const int width : {0, 1, 20, 79, 80, 100, 120})
        EXPECT_LE(progress_bar(half(), width).size(), static_cast<std::size_t>(width));
}

TEST(ProgressDisplay, PlainLinesComeEveryFiveSecondsAndAtTheEnd) {
    double now = 0.0;
    std::ostringstream out;
    ProgressDisplay display(ProgressMode::plain, out, [&] { return now; });
    RunProgress progress = half();
    for (now = 0.0; now < 12.0; now += 1.0)
        display.update(progress);
    EXPECT_EQ(lines(out), 2);
    progress.finished_units = progress.total_units;
    display.update(progress);
    display.finish();
    EXPECT_EQ(lines(out), 3);
    EXPECT_NE(out.str().find("(100.0 %)"), std::string::npos);
    display.finish();
    EXPECT_EQ(lines(out), 3);
}

TEST(ProgressDisplay, BarIsDrawnOverItself) {
    double now = 0.0;
    std::ostringstream out;
    ProgressDisplay display(
        ProgressMode::bar, out, [&] { return now; }, 100);
    now = 1.0;
    display.update(half());
    display.finish();
    EXPECT_EQ(out.str().front(), '\r');
    EXPECT_EQ(out.str().back(), '\n');
}

TEST(ProgressDisplay, JsonLinesParse) {
    double now = 0.0;
    std::ostringstream out;
    ProgressDisplay display(ProgressMode::json, out, [&] { return now; });
    now = 1.5;
    display.update(half());
    const nlohmann::json line = nlohmann::json::parse(out.str());
    EXPECT_EQ(line["event"], "progress");
    EXPECT_EQ(line["finished_units"], 1300);
    EXPECT_DOUBLE_EQ(line["evaluations_per_second"].get<double>(), 10'000.0);
}

TEST(ProgressDisplay, NoneIsSilent) {
    std::ostringstream out;
    ProgressDisplay display(ProgressMode::none, out, [] { return 0.0; });
    display.update(half());
    display.finish();
    EXPECT_EQ(out.str(), "");
}

TEST(ProgressDisplay, SaysWhichRunOfASweepItIs) {
    const auto shown = [](ProgressMode mode) {
        std::ostringstream out;
        ProgressDisplay display(mode, out, [] { return 0.0; });
        display.set_run(2, 7);
        display.update(half());
        display.finish();
        return out.str();
    };
    EXPECT_TRUE(shown(ProgressMode::plain).starts_with("lossmap: run 2 of 7: 1,300 of 2,601 units"));
    EXPECT_NE(shown(ProgressMode::bar).find("run 2 of 7: "), std::string::npos);
    const nlohmann::json json = nlohmann::json::parse(shown(ProgressMode::json));
    EXPECT_EQ(json["run"], 2);
    EXPECT_EQ(json["runs"], 7);
    EXPECT_EQ(json["finished_units"], 1300);
}

}  // namespace
}  // namespace lossmap
