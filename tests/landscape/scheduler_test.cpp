#include "landscape/scheduler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <limits>
#include <set>
#include <thread>

#include "core/error.hpp"
#include "tests/support/fake_executable.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::FakeDataset;
using test::FakeExecutable;
using test::TemporaryDirectory;

constexpr std::int64_t kTrainSamples = 53;
constexpr std::int64_t kTestSamples = 20;
constexpr std::int64_t kChunk = 10;
constexpr std::int64_t kUnits = 15 * (6 + 2);  // points x chunks of both splits

Surface small_surface() { return make_surface(linspace(-1.0, 1.0, 5), linspace(0.0, 1.0, 3), {"train", "test"}, true); }

std::vector<Point> points_of(const Surface& surface) {
    std::vector<Point> points;
    for (const double y : surface.y) {
        for (const double x : surface.x)
            points.push_back({{x, y}});
    }
    return points;
}

std::vector<std::uint64_t> bits(const std::vector<double>& values) {
    std::vector<std::uint64_t> result;
    for (const double value : values)
        result.push_back(std::bit_cast<std::uint64_t>(value));
    return result;
}

void expect_same_bits(const Surface& a, const Surface& b) {
    ASSERT_EQ(a.splits.size(), b.splits.size());
    for (std::size_t i = 0; i < a.splits.size(); ++i) {
        EXPECT_EQ(bits(a.splits[i].loss), bits(b.splits[i].loss));
        EXPECT_EQ(bits(a.splits[i].accuracy), bits(b.splits[i].accuracy));
        EXPECT_EQ(bits(a.splits[i].standard_error), bits(b.splits[i].standard_error));
        EXPECT_EQ(a.splits[i].done, b.splits[i].done);
        EXPECT_EQ(a.splits[i].non_finite, b.splits[i].non_finite);
        EXPECT_EQ(a.splits[i].samples, b.splits[i].samples);
    }
}

/// The parameter: chunks outside (data do not fit the cache) or points outside.
class Schedule : public testing::TestWithParam<bool> {
protected:
    [[nodiscard]] SchedulerOptions options() const {
        SchedulerOptions options;
        options.chunk_samples = kChunk;
        options.points_per_block = 4;
        if (GetParam()) options.cache_bytes = 0;
        return options;
    }

    Surface run(FakeExecutable& executable, Journal* journal, const SchedulerOptions& with) {
        Surface surface = small_surface();
        run_schedule(executable, points_of(surface), {{"train", &train_}, {"test", &test_}}, journal, with, surface);
        return surface;
    }

    Surface fresh() {
        FakeExecutable executable;
        return run(executable, nullptr, options());
    }

    FakeDataset train_{kTrainSamples};
    FakeDataset test_{kTestSamples};
};

INSTANTIATE_TEST_SUITE_P(Orders, Schedule, testing::Bool(),
                         [](const auto& test_case) { return test_case.param ? "ChunksOutside" : "PointsOutside"; });

TEST_P(Schedule, AgreesWithADirectSum) {
    const Surface surface = fresh();
    const std::vector<Point> points = points_of(surface);
    for (std::size_t i = 0; i < points.size(); ++i) {
        long double sum = 0.0L;
        std::int64_t correct = 0;
        for (std::int64_t sample = 0; sample < kTrainSamples; ++sample) {
            const double loss = FakeExecutable::default_loss(points[i], FakeDataset::value(sample), sample);
            sum += loss;
            correct += loss < 1.0 ? 1 : 0;
        }
        EXPECT_NEAR(surface.splits[0].loss[i], static_cast<double>(sum / kTrainSamples), 1e-13);
        EXPECT_DOUBLE_EQ(surface.splits[0].accuracy[i], 100.0 * static_cast<double>(correct) / kTrainSamples);
        EXPECT_EQ(surface.splits[0].samples[i], kTrainSamples);
        EXPECT_EQ(surface.splits[1].samples[i], kTestSamples);
        EXPECT_EQ(surface.splits[1].done[i], 1);
    }
}

TEST_P(Schedule, BlockSizeDoesNotChangeTheBits) {
    const Surface expected = fresh();
    for (const std::int64_t block : {1, 7, 100}) {
        FakeExecutable executable;
        SchedulerOptions changed = options();
        changed.points_per_block = block;
        expect_same_bits(run(executable, nullptr, changed), expected);
        for (const FakeExecutable::Call& call : executable.calls) {
            EXPECT_LE(call.points.size(), static_cast<std::size_t>(block));
        }
    }
}

TEST_P(Schedule, BlocksStayInsideTheirGroup) {
    const Surface expected = fresh();
    const std::vector<Point> points = points_of(expected);
    constexpr std::int64_t kGroup = 5;
    FakeExecutable executable;
    SchedulerOptions changed = options();
    changed.points_per_group = kGroup;
    expect_same_bits(run(executable, nullptr, changed), expected);
    std::size_t largest = 0;
    for (const FakeExecutable::Call& call : executable.calls) {
        std::set<std::int64_t> groups;
        for (const Point& point : call.points) {
            const auto same = [&](const Point& one) { return one.coordinates == point.coordinates; };
            groups.insert((std::find_if(points.begin(), points.end(), same) - points.begin()) / kGroup);
        }
        EXPECT_EQ(groups.size(), 1u);
        largest = std::max(largest, call.points.size());
    }
    EXPECT_EQ(largest, 4u) << "blocks are as long as they may be";
}

TEST_P(Schedule, ReadsEachChunkOnce) {
    (void)fresh();
    EXPECT_EQ(train_.reads().size(), 6u);
    EXPECT_EQ(train_.reads().back(), std::make_pair(std::int64_t{50}, std::int64_t{3}));
    EXPECT_EQ(test_.reads().size(), 2u);
}

TEST_P(Schedule, ReadsTheNextChunkWhileOneIsEvaluated) {
    FakeExecutable executable;
    bool in_time = true;
    executable.before_call = [&](std::size_t before) {
        // The first call has chunk 0 of train; nothing but the scheduler's own thread can read chunk 1 during it.
        const auto begin = std::chrono::steady_clock::now();
        while (before == 0 && in_time && train_.reads().size() < 2) {
            in_time = std::chrono::steady_clock::now() - begin < std::chrono::seconds(20);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    };
    (void)run(executable, nullptr, options());
    EXPECT_TRUE(in_time);
}

TEST_P(Schedule, ResumedAnywhereEqualsFresh) {
    const Surface expected = fresh();
    for (const std::size_t calls : {0u, 1u, 3u, 10u, 20u}) {
        const TemporaryDirectory folder;
        std::atomic<bool> stop = false;
        SchedulerOptions interruptible = options();
        interruptible.stop = &stop;
        {
            Journal journal(folder / "journal.sqlite", "id");
            FakeExecutable executable;
            stop = calls == 0;
            executable.before_call = [&](std::size_t before) { stop = before + 1 >= calls; };
            EXPECT_THROW((void)run(executable, &journal, interruptible), Interrupted);
            EXPECT_EQ(executable.calls.size(), calls) << "the block in flight is finished, no other one started";
        }
        stop = false;
        Journal journal(folder / "journal.sqlite", "id");
        const std::size_t recorded = journal.entries().size();
        FakeExecutable executable;
        std::vector<RunProgress> reports;
        interruptible.on_progress = [&](const RunProgress& progress) { reports.push_back(progress); };
        expect_same_bits(run(executable, &journal, interruptible), expected);
        std::size_t evaluated = 0;
        for (const FakeExecutable::Call& call : executable.calls)
            evaluated += call.points.size();
        EXPECT_EQ(evaluated + recorded, static_cast<std::size_t>(kUnits)) << "nothing is computed twice";
        ASSERT_FALSE(reports.empty());
        EXPECT_EQ(reports.front().resumed_units, static_cast<std::int64_t>(recorded));
        EXPECT_EQ(reports.front().finished_units, static_cast<std::int64_t>(recorded));
    }
}

TEST_P(Schedule, UnitsKnownFromElsewhereCountAsTheJournals) {
    const Surface expected = fresh();
    const TemporaryDirectory folder;
    Journal journal(folder / "journal.sqlite", "id");
    std::atomic<bool> stop = false;
    SchedulerOptions changed = options();
    changed.stop = &stop;
    FakeExecutable interrupted;
    interrupted.before_call = [&](std::size_t before) { stop = before + 1 >= 3; };
    EXPECT_THROW((void)run(interrupted, &journal, changed), Interrupted);
    stop = false;
    changed.known = journal.entries();
    FakeExecutable executable;
    expect_same_bits(run(executable, nullptr, changed), expected);
    std::size_t evaluated = changed.known.size();
    for (const FakeExecutable::Call& call : executable.calls)
        evaluated += call.points.size();
    EXPECT_EQ(evaluated, static_cast<std::size_t>(kUnits));
    EXPECT_THROW((void)run(executable, &journal, changed), InternalError) << "two orders of units";
}

TEST_P(Schedule, AScatteredJournalIsTakenOver) {
    // Units of a run with the other order or other blocks: any subset must do.
    const Surface expected = fresh();
    const TemporaryDirectory folder;
    {
        Journal complete(folder / "complete.sqlite", "id");
        FakeExecutable executable;
        (void)run(executable, &complete, options());
        std::vector<JournalEntry> some;
        for (const JournalEntry& entry : complete.entries()) {
            if ((entry.point * 5 + entry.chunk * 3) % 4 < 2) some.push_back(entry);
        }
        Journal(folder / "journal.sqlite", "id").append(some);
    }
    Journal journal(folder / "journal.sqlite", "id");
    FakeExecutable executable;
    expect_same_bits(run(executable, &journal, options()), expected);
    EXPECT_EQ(journal.entries().size(), static_cast<std::size_t>(kUnits));
}

TEST_P(Schedule, ACompleteJournalNeedsNoData) {
    const TemporaryDirectory folder;
    Journal journal(folder / "journal.sqlite", "id");
    FakeExecutable first;
    const Surface expected = run(first, &journal, options());
    const std::size_t reads = train_.reads().size();
    FakeExecutable second;
    std::atomic<bool> stop = true;  // nothing is left to interrupt
    SchedulerOptions stopped = options();
    stopped.stop = &stop;
    expect_same_bits(run(second, &journal, stopped), expected);
    EXPECT_TRUE(second.calls.empty());
    EXPECT_EQ(train_.reads().size(), reads);
}

TEST_P(Schedule, BothOrdersGiveTheSameBits) {
    FakeExecutable executable;
    SchedulerOptions other = options();
    other.cache_bytes = GetParam() ? std::int64_t{1} << 30 : 0;
    expect_same_bits(run(executable, nullptr, other), fresh());
}

TEST_P(Schedule, ProgressIsMonotoneAndEndsComplete) {
    FakeExecutable executable;
    SchedulerOptions watched = options();
    RunProgress last;
    std::size_t reports = 0;
    watched.on_progress = [&](const RunProgress& progress) {
        EXPECT_GE(progress.finished_units, last.finished_units);
        EXPECT_GE(progress.finished_evaluations, last.finished_evaluations);
        EXPECT_GE(progress.elapsed_seconds, last.elapsed_seconds);
        EXPECT_GE(progress.non_finite_points, last.non_finite_points);
        EXPECT_EQ(progress.total_units, kUnits);
        EXPECT_EQ(progress.total_evaluations, 15 * (kTrainSamples + kTestSamples));
        last = progress;
        ++reports;
    };
    (void)run(executable, nullptr, watched);
    EXPECT_EQ(last.finished_units, last.total_units);
    EXPECT_EQ(last.finished_evaluations, last.total_evaluations);
    EXPECT_EQ(last.resumed_units, 0);
    EXPECT_EQ(reports, executable.calls.size() + 1);
}

TEST_P(Schedule, NonFiniteAndZeroLossesAreResults) {
    const auto loss = [](const Point& point, float, std::int64_t sample) {
        if (point.coordinates[0] == 1.0 && sample == 17) return std::numeric_limits<double>::quiet_NaN();
        if (point.coordinates[0] == 0.5 && sample % 2 == 0) return std::numeric_limits<double>::infinity();
        return point.coordinates[0] == 0.0 ? 0.0 : 1.5;
    };
    const TemporaryDirectory folder;
    Surface first;
    for (const bool resumed : {false, true}) {
        FakeExecutable executable(loss);
        Journal journal(folder / "journal.sqlite", "id");
        SchedulerOptions watched = options();
        std::int64_t non_finite_points = 0;
        watched.on_progress = [&](const RunProgress& progress) { non_finite_points = progress.non_finite_points; };
        const Surface surface = run(executable, &journal, watched);
        const SplitSurface& train = surface.splits[0];
        EXPECT_THAT(train.done, testing::Each(1));
        EXPECT_EQ(train.loss[2], 0.0);
        EXPECT_EQ(train.loss[3], std::numeric_limits<double>::infinity());
        EXPECT_TRUE(std::isnan(train.loss[4]));
        EXPECT_EQ(train.non_finite[4], 1);
        EXPECT_EQ(train.non_finite[3], 27);
        EXPECT_EQ(train.non_finite[0], 0);
        if (!resumed) {
            EXPECT_EQ(non_finite_points, 12);  // two columns of three points, two splits
            first = surface;
        } else {
            EXPECT_TRUE(executable.calls.empty()) << "an exact zero and NaN stay done";
            expect_same_bits(surface, first);
        }
    }
}

TEST_P(Schedule, ShowsTheSurfaceAsItGrows) {
    FakeExecutable executable;
    SchedulerOptions watched = options();
    std::int64_t known = 0;
    watched.on_block = [&](const Surface& surface) {
        std::int64_t now = 0;
        for (const SplitSurface& split : surface.splits)
            now += std::count(split.done.begin(), split.done.end(), 1);
        EXPECT_GE(now, known);
        known = now;
    };
    (void)run(executable, nullptr, watched);
    EXPECT_EQ(known, 30);
}

TEST_P(Schedule, AFailureKeepsFinishedUnits) {
    const TemporaryDirectory folder;
    Journal journal(folder / "journal.sqlite", "id");
    FakeExecutable executable;
    executable.before_call = [](std::size_t before) {
        if (before == 3) throw Error("device lost");
    };
    EXPECT_THROW((void)run(executable, &journal, options()), Error);
    EXPECT_EQ(journal.entries().size(), 12u);
}

TEST_P(Schedule, RefusesAJournalOfAnotherGrid) {
    for (const JournalEntry& entry : {JournalEntry{"train", 15, 0, {}}, JournalEntry{"train", 0, 6, {}},
                                      JournalEntry{"valid", 0, 0, {}}, JournalEntry{"train", -1, 0, {}}}) {
        const TemporaryDirectory folder;
        Journal journal(folder / "journal.sqlite", "id");
        journal.append({entry});
        FakeExecutable executable;
        EXPECT_THROW((void)run(executable, &journal, options()), InputError);
        EXPECT_TRUE(executable.calls.empty());
    }
}

TEST(ScheduleErrors, AreToldBeforeAnythingRuns) {
    FakeExecutable executable;
    const FakeDataset data(10);
    const FakeDataset empty(0);
    Surface surface = small_surface();
    const std::vector<Point> points = points_of(surface);
    EXPECT_THROW(run_schedule(executable, {}, {{"train", &data}}, nullptr, {}, surface), InternalError);
    EXPECT_THROW(run_schedule(executable, points, {{"valid", &data}}, nullptr, {}, surface), InternalError);
    EXPECT_THROW(run_schedule(executable, points, {{"train", &empty}}, nullptr, {}, surface), InputError);
    SchedulerOptions options;
    options.chunk_samples = 0;
    EXPECT_THROW(run_schedule(executable, points, {{"train", &data}}, nullptr, options, surface), InternalError);
    EXPECT_TRUE(executable.calls.empty());
}

TEST(ScheduleLine, OneCoordinateAPoint) {
    FakeExecutable executable;
    const FakeDataset data(25);
    Surface surface = make_surface(linspace(-1.0, 1.0, 4), {}, {"test"}, true);
    std::vector<Point> points;
    for (const double x : surface.x)
        points.push_back({{x}});
    run_schedule(executable, points, {{"test", &data}}, nullptr, {}, surface);
    EXPECT_EQ(executable.calls.size(), 1u);
    EXPECT_THAT(surface.splits[0].done, testing::Each(1));
}

}  // namespace
}  // namespace lossmap
