#include "landscape/recorded_results.hpp"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "landscape/scheduler.hpp"
#include "tests/support/fake_executable.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::FakeDataset;
using test::FakeExecutable;
using test::TemporaryDirectory;

JournalEntry unit(const std::string& split, std::int64_t point, std::int64_t chunk, double loss = 1.0) {
    JournalEntry entry{split, point, chunk, {}};
    entry.sums.loss_sum = loss;
    entry.sums.loss_square_sum = loss * loss;
    entry.sums.weight_sum = 1.0;
    entry.sums.counted = 1;
    return entry;
}

Surface empty(const std::vector<std::string>& splits) {
    return make_surface(linspace(0.0, 1.0, 3), linspace(0.0, 1.0, 2), splits, true);
}

TEST(RecordedResults, HaveTheBitsOfTheRunThatRecordedThem) {
    const TemporaryDirectory folder;
    Journal journal(folder / "journal.sqlite", "id");
    const FakeDataset train(53);
    const FakeDataset test(20);
    Surface expected = empty({"train", "test"});
    std::vector<Point> points;
    for (int k = 0; k < 6; ++k)
        points.push_back({{0.3 * k}});
    FakeExecutable executable;
    SchedulerOptions options;
    options.chunk_samples = 7;
    run_schedule(executable, points, {{"train", &train}, {"test", &test}}, &journal, options, expected);
    Surface found = empty({"train", "test"});
    take_recorded(journal.entries(), {8, 3}, found);
    for (std::size_t s = 0; s < 2; ++s) {
        EXPECT_EQ(found.splits[s].loss, expected.splits[s].loss);
        EXPECT_EQ(found.splits[s].accuracy, expected.splits[s].accuracy);
        EXPECT_EQ(found.splits[s].standard_error, expected.splits[s].standard_error);
        EXPECT_EQ(found.splits[s].done, expected.splits[s].done);
        EXPECT_EQ(found.splits[s].samples, expected.splits[s].samples);
        EXPECT_EQ(found.splits[s].non_finite, expected.splits[s].non_finite);
    }
}

TEST(RecordedResults, PointsThatLackAChunkStayOpen) {
    Surface surface = empty({"train"});
    take_recorded({unit("train", 1, 0), unit("train", 1, 2), unit("train", 4, 0, 1.0), unit("train", 4, 1, 2.0),
                   unit("train", 4, 2, 6.0)},
                  {3}, surface);
    EXPECT_THAT(surface.splits[0].done, testing::ElementsAre(0, 0, 0, 0, 1, 0));
    EXPECT_EQ(surface.splits[0].loss[4], 3.0);
    EXPECT_EQ(surface.splits[0].samples[4], 3);
    EXPECT_EQ(surface.splits[0].loss[1], -1.0);
}

TEST(RecordedResults, NotANumberIsAResult) {
    Surface surface = empty({"train"});
    take_recorded({unit("train", 0, 0, std::numeric_limits<double>::quiet_NaN())}, {1}, surface);
    EXPECT_TRUE(std::isnan(surface.splits[0].loss[0]));
    EXPECT_EQ(surface.splits[0].done[0], 1);
}

TEST(RecordedResults, UnitsOfOtherGridsAreRefused) {
    const Surface surface = empty({"train", "test"});
    const std::vector<std::int64_t> chunks{2, 1};
    for (const JournalEntry& entry : {unit("train", 6, 0), unit("train", -1, 0), unit("train", 0, 2),
                                      unit("train", 0, -1), unit("test", 0, 1), unit("other", 0, 0)}) {
        EXPECT_THAT(test::message_of([&] {
                        require_inside({unit("train", 5, 1), entry}, chunks, surface);
                    }),
                    testing::HasSubstr("which this run does not have"));
    }
    EXPECT_NO_THROW(require_inside({unit("train", 5, 1), unit("test", 0, 0)}, chunks, surface));
}

}  // namespace
}  // namespace lossmap
