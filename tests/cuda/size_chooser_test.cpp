// Which size of a pass is taken, when sizes are measured, and what wins over measuring: a clock made of numbers.
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/backend/plans/size_chooser.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::cuda {
namespace {

using test::TemporaryDirectory;
using ::testing::IsEmpty;

constexpr PassSize kFavourite{16, 1000};
constexpr PassSize kMany{256, 64};
constexpr PassSize kOne{1, 1000};

/// A start of the program on a folder.
struct Start {
    explicit Start(const std::filesystem::path& folder)
        : store(folder, [this](const std::string& sentence) { notices.push_back(sentence); }) {}

    [[nodiscard]] std::optional<MeasuredSizes> measure(const std::map<std::int64_t, double>& seconds_of_points) {
        return chooser.measure("problem", std::vector{kFavourite, kMany, kOne}, fits, [&](const PassSize& size) {
            measured.push_back(size);
            const auto found = seconds_of_points.find(size.points);
            return found == seconds_of_points.end() ? std::nullopt : std::optional(found->second);
        });
    }

    std::vector<std::string> notices;
    PlanStore store;
    SizeChooser chooser{store};
    SizeChooser::Fits fits = [](const PassSize&) { return true; };
    std::vector<PassSize> measured;
};

TEST(SizeChooser, TakesTheFastest) {
    const TemporaryDirectory folder;
    const auto sizes = Start(folder.path()).measure({{16, 3.0}, {256, 2.0}, {1, 2.5}});
    ASSERT_TRUE(sizes);
    EXPECT_EQ(sizes->chosen, kMany);
    EXPECT_EQ(sizes->tried, (std::vector<TriedSize>{{kFavourite, 3.0}, {kMany, 2.0}, {kOne, 2.5}}));
}

TEST(SizeChooser, TheFavouriteStaysUnlessAnotherIsThreePercentFaster) {
    const TemporaryDirectory folder;
    EXPECT_EQ(Start(folder / "equal").measure({{16, 1.0}, {256, 1.0}, {1, 1.0}})->chosen, kFavourite);
    EXPECT_EQ(Start(folder / "nearly").measure({{16, 1.0}, {256, 0.98}, {1, 0.98}})->chosen, kFavourite);
    EXPECT_EQ(Start(folder / "faster").measure({{16, 1.0}, {256, 0.96}, {1, 0.95}})->chosen, kMany);
}

TEST(SizeChooser, WhatCannotRunIsLeftOut) {
    const TemporaryDirectory folder;
    const auto sizes = Start(folder / "a").measure({{256, 2.0}, {1, 1.0}});
    EXPECT_EQ(sizes->chosen, kOne);
    EXPECT_EQ(sizes->tried.size(), 2u);
    constexpr double kNever = std::numeric_limits<double>::quiet_NaN();
    EXPECT_EQ(Start(folder / "b").measure({{16, kNever}, {256, 2.0}})->chosen, kMany);
    Start nothing(folder / "c");
    EXPECT_FALSE(nothing.measure({}));
    EXPECT_FALSE(nothing.store.find("problem")) << "nothing is kept of nothing";
}

TEST(SizeChooser, WhatWasMeasuredIsFoundAgain) {
    const TemporaryDirectory folder;
    Start first(folder.path());
    EXPECT_FALSE(first.chooser.find("problem", first.fits));
    const auto sizes = first.measure({{16, 3.0}, {256, 2.0}});
    EXPECT_EQ(first.chooser.find("problem", first.fits), sizes);
    Start later(folder.path());
    EXPECT_EQ(later.measure({{16, 1.0}, {256, 2.0}}), sizes);
    EXPECT_THAT(later.measured, IsEmpty());
    EXPECT_FALSE(later.chooser.find("another problem", later.fits));
}

TEST(SizeChooser, TheFirstOfSeveralProcessesStands) {
    const TemporaryDirectory folder;
    Start first(folder.path());
    Start second(folder.path());
    const auto sizes = second.chooser.measure("problem", std::vector{kFavourite, kMany}, second.fits,
                                              [&](const PassSize&) -> std::optional<double> {
                                                  static_cast<void>(first.measure({{16, 3.0}, {1, 1.0}}));
                                                  return 1.0;
                                              });
    EXPECT_EQ(sizes->chosen, kOne);
    EXPECT_EQ(second.chooser.find("problem", second.fits), first.chooser.find("problem", first.fits));
}

TEST(SizeChooser, WhatIsDamagedIsMeasuredAgain) {
    const TemporaryDirectory folder;
    static_cast<void>(Start(folder.path()).measure({{16, 3.0}, {256, 2.0}}));
    std::ofstream(Start(folder.path()).store.file_of("problem"), std::ios::app) << "damage";
    Start later(folder.path());
    EXPECT_EQ(later.measure({{16, 1.0}, {256, 2.0}})->chosen, kFavourite);
    EXPECT_EQ(later.notices.size(), 1u);
    EXPECT_EQ(Start(folder.path()).measure({})->chosen, kFavourite) << "the new one is kept";
    // A whole file whose content means nothing.
    for (const std::string text : {"nonsense", R"({"points": 0, "samples": 4, "tried": []})", R"({"points": 2})"}) {
        const TemporaryDirectory other;
        Start start(other.path());
        static_cast<void>(start.store.keep("problem", std::as_bytes(std::span(text))));
        EXPECT_EQ(start.measure({{16, 1.0}, {256, 2.0}})->chosen, kFavourite) << text;
        EXPECT_EQ(start.measure({})->chosen, kFavourite) << "once a process";
    }
}

TEST(SizeChooser, RatesOfSeveralJobsAreKept) {
    const TemporaryDirectory folder;
    Start first(folder.path());
    EXPECT_THAT(first.chooser.rates("network"), IsEmpty());
    first.chooser.add_rates("network", {});
    EXPECT_THAT(first.chooser.rates("network"), IsEmpty());
    const std::vector<TriedSize> rates{{kFavourite, 3.0}, {kMany, 2.0}, {kOne, 4.0}};
    first.chooser.add_rates("network", std::span(rates).first(2));
    Start second(folder.path());
    second.chooser.add_rates("network", std::span(rates).last(1));
    EXPECT_EQ(first.chooser.rates("network"), rates);
    EXPECT_THAT(first.chooser.rates("another network"), IsEmpty());
    // So many jobs; then no more.
    for (int job = 0; job < 20; ++job)
        second.chooser.add_rates("network", std::span(rates).last(1));
    EXPECT_EQ(second.chooser.rates("network").size(), 9u);
}

TEST(SizeChooser, AChoiceByRatesIsKeptAsOthersAre) {
    const TemporaryDirectory folder;
    const MeasuredSizes sizes{kOne, {{kFavourite, 3.0}}, true};
    Start first(folder.path());
    EXPECT_EQ(first.chooser.keep("problem", sizes, first.fits), sizes);
    Start later(folder.path());
    EXPECT_EQ(later.chooser.find("problem", later.fits), sizes);
    EXPECT_EQ(later.chooser.keep("problem", {kMany, {}, true}, later.fits), sizes) << "the first one stands";
}

TEST(SizeChooser, WhatWasKeptHasToFit) {
    const TemporaryDirectory folder;
    static_cast<void>(Start(folder.path()).measure({{16, 3.0}, {256, 2.0}}));
    Start crowded(folder.path());
    crowded.fits = [](const PassSize& size) { return size.points < 100; };
    EXPECT_FALSE(crowded.chooser.find("problem", crowded.fits));
    EXPECT_EQ(crowded.measure({{16, 3.0}, {1, 1.0}})->chosen, kOne);
    EXPECT_EQ(Start(folder.path()).measure({})->chosen, kMany) << "what stands is not touched";
}

}  // namespace
}  // namespace lossmap::cuda
