#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "landscape/scheduler.hpp"
#include "tests/support/fake_executable.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::FakeDataset;
using test::FakeExecutable;
using test::TemporaryDirectory;

using Rounds = std::vector<std::vector<std::size_t>>;

Surface small_surface() { return make_surface(linspace(-1.0, 1.0, 9), {}, {"train", "test"}, true); }

/// The parameter: chunks outside (data do not fit the cache) or points outside.
class Rounded : public testing::TestWithParam<bool> {
protected:
    [[nodiscard]] SchedulerOptions options(const Rounds& rounds) const {
        SchedulerOptions options;
        options.chunk_samples = 10;
        options.points_per_block = 2;
        if (GetParam()) options.cache_bytes = 0;
        if (rounds.empty()) return options;
        options.next_points = [rounds, index = std::size_t{0}](const Surface& surface) mutable {
            for (std::size_t before = 0; before < index; ++before) {
                for (const std::size_t point : rounds[before]) {
                    for (const SplitSurface& split : surface.splits)
                        EXPECT_EQ(split.done[point], 1) << "asked before " << point << " was done";
                }
            }
            return index < rounds.size() ? rounds[index++] : std::vector<std::size_t>{};
        };
        return options;
    }

    Surface run(FakeExecutable& executable, Journal* journal, const SchedulerOptions& with,
                Surface surface = small_surface()) {
        std::vector<Point> points;
        for (const double x : surface.x)
            points.push_back({{x}});
        run_schedule(executable, points, {{"train", &train_}, {"test", &test_}}, journal, with, surface);
        return surface;
    }

    [[nodiscard]] Surface whole() {
        FakeExecutable executable;
        return run(executable, nullptr, options({}));
    }

    static void expect_points(const Surface& surface, const Surface& expected, const std::set<std::size_t>& points) {
        for (std::size_t s = 0; s < surface.splits.size(); ++s) {
            for (std::size_t k = 0; k < surface.point_count(); ++k) {
                const bool done = points.contains(k);
                EXPECT_EQ(surface.splits[s].done[k], done ? 1 : 0) << k;
                EXPECT_EQ(surface.splits[s].loss[k], done ? expected.splits[s].loss[k] : -1.0) << k;
                EXPECT_EQ(surface.splits[s].samples[k], done ? expected.splits[s].samples[k] : 0) << k;
            }
        }
    }

    FakeDataset train_{53};
    FakeDataset test_{20};
};

INSTANTIATE_TEST_SUITE_P(Orders, Rounded, testing::Bool(),
                         [](const auto& test_case) { return test_case.param ? "ChunksOutside" : "PointsOutside"; });

TEST_P(Rounded, ComputesTheNamedPointsInTheirOrderAndNoOther) {
    FakeExecutable executable;
    const Surface surface = run(executable, nullptr, options({{0, 8, 4}, {6, 5}}));
    expect_points(surface, whole(), {0, 4, 5, 6, 8});
    EXPECT_EQ(executable.calls.front().points.front().coordinates, std::vector<double>{-1.0});
    EXPECT_EQ(executable.calls.back().points.back().coordinates, std::vector<double>{0.25});
}

TEST_P(Rounded, NamingAPointAgainDoesNothing) {
    FakeExecutable executable;
    expect_points(run(executable, nullptr, options({{0, 8}, {8, 4, 0}, {4}})), whole(), {0, 4, 8});
    std::size_t evaluated = 0;
    for (const FakeExecutable::Call& call : executable.calls)
        evaluated += call.points.size();
    EXPECT_EQ(evaluated, 3u * 8u);
}

TEST_P(Rounded, AllPointsInAnyOrderGiveTheBitsOfAPlainRun) {
    FakeExecutable executable;
    expect_points(run(executable, nullptr, options({{8, 0, 4}, {2, 6}, {7, 1, 3, 5}})), whole(),
                  {0, 1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_P(Rounded, ResumedAnywhereEqualsFresh) {
    const Rounds rounds{{0, 4, 8}, {2, 6}, {3, 5}};
    const Surface expected = whole();
    for (const std::size_t calls : {1u, 5u, 9u, 14u}) {
        const TemporaryDirectory folder;
        std::atomic<bool> stop = false;
        {
            Journal journal(folder / "journal.sqlite", "id");
            FakeExecutable executable;
            executable.before_call = [&](std::size_t before) { stop = before + 1 >= calls; };
            SchedulerOptions interruptible = options(rounds);
            interruptible.stop = &stop;
            EXPECT_THROW((void)run(executable, &journal, interruptible), Interrupted);
        }
        Journal journal(folder / "journal.sqlite", "id");
        const std::size_t recorded = journal.entries().size();
        FakeExecutable executable;
        expect_points(run(executable, &journal, options(rounds)), expected, {0, 2, 3, 4, 5, 6, 8});
        std::size_t evaluated = 0;
        for (const FakeExecutable::Call& call : executable.calls)
            evaluated += call.points.size();
        EXPECT_EQ(evaluated + recorded, 7u * 8u) << "nothing is computed twice";
    }
}

TEST_P(Rounded, FinishedPointsOfTheJournalThatNoRoundNamesAreShown) {
    const TemporaryDirectory folder;
    Journal journal(folder / "journal.sqlite", "id");
    {
        Journal complete(folder / "complete.sqlite", "id");
        FakeExecutable executable;
        (void)run(executable, &complete, options({}));
        std::vector<JournalEntry> some;
        for (const JournalEntry& entry : complete.entries()) {
            if (entry.point == 3 || (entry.point == 7 && entry.chunk == 0)) some.push_back(entry);
        }
        journal.append(some);
    }
    FakeExecutable executable;
    expect_points(run(executable, &journal, options({{0, 8}})), whole(), {0, 3, 8});
}

TEST_P(Rounded, ProgressEndsComplete) {
    FakeExecutable executable;
    SchedulerOptions watched = options({{0, 8}, {4}});
    RunProgress last;
    watched.on_progress = [&](const RunProgress& progress) {
        EXPECT_GE(progress.finished_units, last.finished_units);
        EXPECT_LE(progress.finished_units, progress.total_units);
        last = progress;
    };
    (void)run(executable, nullptr, watched);
    EXPECT_EQ(last.finished_units, 3 * 8);
    EXPECT_EQ(last.total_units, 3 * 8);
    EXPECT_EQ(last.finished_evaluations, 3 * 73);
    EXPECT_EQ(last.total_evaluations, 3 * 73);
}

TEST_P(Rounded, WhatIsDoneAlreadyStaysAsItIs) {
    Surface given = small_surface();
    given.splits[0].loss[2] = 42.0;
    given.splits[0].done[2] = 1;
    FakeExecutable executable;
    SchedulerOptions watched = options({});
    RunProgress last;
    watched.on_progress = [&](const RunProgress& progress) { last = progress; };
    const Surface surface = run(executable, nullptr, watched, given);
    const Surface expected = whole();
    EXPECT_EQ(surface.splits[0].loss[2], 42.0);
    EXPECT_EQ(surface.splits[0].samples[2], 0);
    EXPECT_EQ(surface.splits[1].loss[2], expected.splits[1].loss[2]) << "the other split is computed there";
    EXPECT_EQ(surface.splits[0].loss[3], expected.splits[0].loss[3]);
    EXPECT_EQ(last.finished_units, 9 * 8 - 6);
    EXPECT_EQ(last.total_units, 9 * 8 - 6);
    EXPECT_EQ(last.finished_evaluations, last.total_evaluations);
    for (const FakeExecutable::Call& call : executable.calls) {
        const bool train = call.count == 10 ? call.first >= 20 : call.count == 3;
        for (const Point& point : call.points)
            EXPECT_FALSE(train && point.coordinates[0] == given.x[2]);
    }
}

}  // namespace
}  // namespace lossmap
