#include "landscape/repeated_surface.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "io/hdf5_file.hpp"
#include "landscape/surface_file.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::TemporaryDirectory;
using testing::ElementsAre;
using testing::NanSensitiveDoubleEq;
using testing::Pointwise;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Three repetitions of a 3 x 2 plane. The first five points: all finite; far from zero and close to each other; one
/// NaN; only one finite; two computed. The last one is not computed at all.
RepeatedSurface sample() {
    RepeatedSurface surface = make_repeated(make_surface({-1.0, 0.0, 1.0}, {-0.5, 0.5}, {"train", "test"}, true), 7, 3);
    const std::vector<std::vector<double>> losses{{1.0, 1e9 + 1.0, kNaN, kInfinity, 2.5, -1.0},
                                                  {2.0, 1e9 + 2.0, 3.0, kNaN, 0.5, -1.0},
                                                  {6.0, 1e9 + 3.0, 5.0, 4.0, -1.0, -1.0}};
    for (std::size_t r = 0; r < 3; ++r) {
        SplitSurface& train = surface.repeats[r].splits[0];
        train.loss = losses[r];
        for (std::size_t k = 0; k < 6; ++k) {
            if (k == 5 || (k == 4 && r == 2)) continue;
            train.done[k] = 1;
            train.accuracy[k] = 10.0 * static_cast<double>(r + k);
            train.samples[k] = 10;
            train.non_finite[k] = std::isfinite(losses[r][k]) ? 0 : 2;
            train.standard_error[k] = 0.1 * static_cast<double>(r);
        }
        surface.repeats[r].provenance = R"({"config": {"name": "three"}})";
    }
    return surface;
}

TEST(RepeatedSurface, SpreadIsThatOfTheFiniteRepetitions) {
    const Spread spread = spread_of(sample(), 0, RepeatedValue::loss);
    // By hand: 1, 2, 6 have the mean 3 and the squares 4 + 1 + 9 = 14 over n - 1 = 2.
    EXPECT_THAT(spread.mean, Pointwise(NanSensitiveDoubleEq(), {3.0, 1e9 + 2.0, 4.0, 4.0, 1.5, kNaN}));
    EXPECT_THAT(spread.deviation,
                Pointwise(NanSensitiveDoubleEq(), {std::sqrt(7.0), 1.0, std::sqrt(2.0), kNaN, std::sqrt(2.0), kNaN}));
    EXPECT_THAT(spread.least, Pointwise(NanSensitiveDoubleEq(), {1.0, 1e9 + 1.0, 3.0, 4.0, 0.5, kNaN}));
    EXPECT_THAT(spread.greatest, Pointwise(NanSensitiveDoubleEq(), {6.0, 1e9 + 3.0, 5.0, 4.0, 2.5, kNaN}));
    EXPECT_THAT(spread.counted, ElementsAre(3, 3, 2, 1, 2, 0));
}

TEST(RepeatedSurface, EqualLossesHaveNoSpread) {
    RepeatedSurface lines = make_repeated(make_surface({0.0}, {}, {"train"}, false), 0, 10);
    for (Surface& repeat : lines.repeats) {
        repeat.splits[0].loss = {0.1};  // ten of them do not add up to 1
        repeat.splits[0].done = {1};
    }
    const Spread spread = spread_of(lines, 0, RepeatedValue::loss);
    EXPECT_EQ(spread.mean, std::vector<double>{0.1});
    EXPECT_EQ(spread.deviation, std::vector<double>{0.0});
}

TEST(RepeatedSurface, SpreadOfTheErrorIsInPercent) {
    const Spread spread = spread_of(sample(), 0, RepeatedValue::error);
    // Accuracies 0, 10, 20 at the first point.
    EXPECT_EQ(spread.mean[0], 90.0);
    EXPECT_EQ(spread.deviation[0], 10.0);
    EXPECT_EQ(spread.least[0], 80.0);
    EXPECT_EQ(spread.greatest[0], 100.0);
    EXPECT_EQ(spread.counted[3], 3) << "an error is known where the loss is infinite";
}

TEST(RepeatedSurface, SummaryStandsForAllRepetitions) {
    const Surface summary = summary_surface(sample(), false);
    EXPECT_EQ(summary.y, (std::vector<double>{-0.5, 0.5}));
    EXPECT_EQ(summary.provenance, sample().repeats[0].provenance);
    std::vector<std::string> names;
    for (const SplitSurface& split : summary.splits)
        names.push_back(split.name);
    EXPECT_THAT(names, ElementsAre("train_mean", "train_std", "train_range", "test_mean", "test_std", "test_range"));
    const SplitSurface& mean = *summary.find("train_mean");
    EXPECT_THAT(mean.done, ElementsAre(1, 1, 1, 1, 1, 0));
    EXPECT_EQ(mean.loss[0], 3.0);
    EXPECT_EQ(mean.accuracy[0], 10.0);
    EXPECT_EQ(mean.loss[5], -1.0);
    EXPECT_THAT(mean.samples, ElementsAre(30, 30, 30, 30, 20, 0));
    EXPECT_THAT(mean.non_finite, ElementsAre(0, 0, 2, 4, 0, 0));
    EXPECT_EQ(summary.find("train_std")->accuracy[0], 10.0);
    EXPECT_TRUE(std::isnan(summary.find("train_std")->loss[3]));
    EXPECT_EQ(summary.find("train_range")->loss[0], 5.0);
    EXPECT_EQ(summary.find("train_range")->accuracy[0], 20.0);
    const Surface with_all = summary_surface(sample(), true);
    ASSERT_EQ(with_all.splits.size(), 12u);
    EXPECT_EQ(with_all.splits[4].name, "train_seed_8");
    EXPECT_EQ(with_all.find("train_seed_9")->loss[1], 1e9 + 3.0);
}

TEST(RepeatedSurface, FileRoundTrip) {
    const TemporaryDirectory folder;
    write_repeated_surface(folder / "surface.h5", sample());
    ASSERT_TRUE(holds_repetitions(folder / "surface.h5"));
    const RepeatedSurface back = read_repeated_surface(folder / "surface.h5");
    const RepeatedSurface expected = sample();
    EXPECT_THAT(back.seeds, ElementsAre(7, 8, 9));
    ASSERT_EQ(back.repeats.size(), 3u);
    for (std::size_t r = 0; r < 3; ++r) {
        EXPECT_EQ(back.repeats[r].x, expected.repeats[r].x);
        EXPECT_EQ(back.repeats[r].y, expected.repeats[r].y);
        EXPECT_EQ(back.repeats[r].provenance, expected.repeats[r].provenance);
        for (std::size_t s = 0; s < 2; ++s) {
            const SplitSurface& split = expected.repeats[r].splits[s];
            EXPECT_EQ(back.repeats[r].splits[s].name, split.name);
            EXPECT_THAT(back.repeats[r].splits[s].loss, Pointwise(NanSensitiveDoubleEq(), split.loss));
            EXPECT_EQ(back.repeats[r].splits[s].accuracy, split.accuracy);
            EXPECT_EQ(back.repeats[r].splits[s].standard_error, split.standard_error);
            EXPECT_EQ(back.repeats[r].splits[s].done, split.done);
            EXPECT_EQ(back.repeats[r].splits[s].non_finite, split.non_finite);
            EXPECT_EQ(back.repeats[r].splits[s].samples, split.samples);
        }
    }
    const Hdf5File file = Hdf5File::open(folder / "surface.h5");
    EXPECT_EQ(file.info("train_loss").shape, Shape({3, 2, 3}));
    EXPECT_EQ(file.info("seeds").shape, Shape({3}));
}

TEST(RepeatedSurface, LinesWithoutAccuracyHaveTwoDimensions) {
    const TemporaryDirectory folder;
    RepeatedSurface lines = make_repeated(make_surface({0.0, 0.5, 1.0}, {}, {"train"}, false), 0, 2);
    lines.repeats[1].splits[0].loss = {1.0, 2.0, -1.0};
    lines.repeats[1].splits[0].done = {1, 1, 0};
    write_repeated_surface(folder / "surface.h5", lines);
    const Hdf5File file = Hdf5File::open(folder / "surface.h5");
    EXPECT_EQ(file.info("train_loss").shape, Shape({2, 3}));
    EXPECT_FALSE(file.exists("train_acc"));
    EXPECT_FALSE(file.exists("ycoordinates"));
    const RepeatedSurface back = read_repeated_surface(folder / "surface.h5");
    EXPECT_TRUE(back.repeats[0].is_line());
    EXPECT_FALSE(back.repeats[1].splits[0].has_accuracy);
    EXPECT_EQ(back.repeats[1].splits[0].loss, lines.repeats[1].splits[0].loss);
}

TEST(RepeatedSurface, OneSurfaceAndRepetitionsAreNotMixedUp) {
    const TemporaryDirectory folder;
    write_repeated_surface(folder / "repeated.h5", sample());
    write_surface(folder / "one.h5", sample().repeats[0]);
    EXPECT_THAT(test::message_of([&] { (void)read_surface(folder / "repeated.h5"); }),
                testing::HasSubstr("holds repetitions, not one surface"));
    EXPECT_FALSE(holds_repetitions(folder / "one.h5"));
    EXPECT_THROW((void)holds_repetitions(folder / "absent.h5"), InputError);
}

TEST(RepeatedSurface, AShapeThatDoesNotFitIsNamed) {
    const TemporaryDirectory folder;
    Hdf5File file = Hdf5File::create(folder / "broken.h5");
    const std::vector<std::int64_t> seeds{1, 2};
    const std::vector<double> numbers{0.0, 1.0, 2.0};
    file.write_string("dir_file", "");
    file.write("seeds", std::span<const std::int64_t>(seeds), {2});
    file.write("xcoordinates", std::span<const double>(numbers), {3});
    file.write("train_loss", std::span<const double>(numbers), {3});
    file.write_attribute("/", "lossmap_split_names", std::vector<std::string>{"train"});
    file.write_attribute("/", "lossmap_provenance", std::string("{}"));
    file.close();
    EXPECT_THAT(test::message_of([&] { (void)read_repeated_surface(folder / "broken.h5"); }),
                testing::AllOf(testing::HasSubstr("'train_loss' has shape [3], expected [2, 3]")));
}

}  // namespace
}  // namespace lossmap
