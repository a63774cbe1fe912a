#include "landscape/shard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "core/error.hpp"
#include "landscape/scheduler.hpp"
#include "tests/support/fake_executable.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::FakeDataset;
using test::FakeExecutable;
using test::TemporaryDirectory;

TEST(Shard, SharesSplitThePointsExactlyAndEvenly) {
    for (const std::size_t points : {0u, 1u, 2u, 7u, 8u, 9u}) {
        for (const std::int64_t count : {1, 2, 3, 8, 20}) {
            std::vector<int> owners(points, 0);
            for (std::int64_t index = 1; index <= count; ++index) {
                const Shard shard = parse_shard(fmt::format("{}/{}", index, count));
                std::size_t own = 0;
                for (std::size_t point = 0; point < points; ++point) {
                    owners[point] += shard.has(point) ? 1 : 0;
                    own += shard.has(point) ? 1 : 0;
                }
                EXPECT_EQ(shard.size(points), own) << shard.name() << " of " << points;
                EXPECT_LE(own, points / static_cast<std::size_t>(count) + 1);
            }
            EXPECT_THAT(owners, testing::Each(1)) << points << " points in " << count;
        }
    }
}

TEST(Shard, CountsFromZeroOrFromOne) {
    EXPECT_EQ(parse_shard("0/4").name(), "4/4");
    EXPECT_EQ(parse_shard("4/4").name(), "4/4");
    EXPECT_EQ(parse_shard("3/4").name(), "3/4");
    EXPECT_EQ(parse_shard("0/1").name(), "1/1");
    EXPECT_EQ(parse_shard("100000/100000").index, 100000);
}

TEST(Shard, RefusesEverythingElseInOneSentence) {
    for (const char* text : {"",
                             "/",
                             "1",
                             "1/",
                             "/2",
                             "5/4",
                             "-1/4",
                             "1/0",
                             "0/0",
                             "1/-2",
                             "1/100001",
                             "1/2/3",
                             " 1/2",
                             "1/2 ",
                             "1.0/2",
                             "+1/2",
                             "0x1/2",
                             "a/b",
                             "99999999999999999999/2",
                             "1/99999999999999999999"}) {
        try {
            static_cast<void>(parse_shard(text));
            ADD_FAILURE() << "'" << text << "' was taken";
        } catch (const InputError& error) {
            EXPECT_THAT(error.what(), testing::HasSubstr("expected I/N, such as 1/8")) << text;
        }
    }
}

/// The parameter: chunks outside (data do not fit the cache) or points outside.
class Shared : public testing::TestWithParam<bool> {
protected:
    Surface run(FakeExecutable& executable, Journal* journal, const SchedulerOptions& more) {
        SchedulerOptions options = more;
        options.chunk_samples = 10;
        options.points_per_block = 2;
        if (GetParam()) options.cache_bytes = 0;
        Surface surface = make_surface(linspace(-1.0, 1.0, 9), {}, {"train", "test"}, true);
        std::vector<Point> points;
        for (const double x : surface.x)
            points.push_back({{x}});
        run_schedule(executable, points, {{"train", &train_}, {"test", &test_}}, journal, options, surface);
        return surface;
    }

    static SchedulerOptions share(const char* text) {
        SchedulerOptions options;
        options.shard = parse_shard(text);
        return options;
    }

    FakeDataset train_{53};
    FakeDataset test_{20};
};

INSTANTIATE_TEST_SUITE_P(Orders, Shared, testing::Bool(),
                         [](const auto& test_case) { return test_case.param ? "ChunksOutside" : "PointsOutside"; });

TEST_P(Shared, SharesInOneFolderOneAfterTheOtherGiveTheBitsOfAPlainRun) {
    FakeExecutable plain;
    const Surface expected = run(plain, nullptr, {});
    const TemporaryDirectory folder;
    Journal journal(folder / "journal.sqlite", "id");
    std::size_t done = 0;
    for (const char* text : {"2/3", "1/3", "3/3"}) {
        FakeExecutable executable;
        SchedulerOptions options = share(text);
        RunProgress first;
        RunProgress last;
        options.on_progress = [&](const RunProgress& progress) {
            if (first.total_units == 0) first = progress;
            last = progress;
        };
        const Surface surface = run(executable, &journal, options);
        EXPECT_EQ(first.total_units, 3 * 8);  // of this share alone: 3 points x (6 + 2) chunks
        EXPECT_EQ(first.finished_units, 0);
        EXPECT_EQ(last.finished_units, 3 * 8);
        EXPECT_EQ(last.finished_evaluations, 3 * 73);
        done += 3;
        for (std::size_t s = 0; s < 2; ++s) {
            EXPECT_EQ(std::count(surface.splits[s].done.begin(), surface.splits[s].done.end(), 1), done);
            for (std::size_t k = 0; k < 9; ++k) {
                const bool known = surface.splits[s].done[k] == 1;
                EXPECT_EQ(surface.splits[s].loss[k], known ? expected.splits[s].loss[k] : -1.0);
            }
        }
    }
    EXPECT_EQ(done, 9u);
}

TEST_P(Shared, NamedPointsOfOthersAreLeftToThem) {
    FakeExecutable executable;
    SchedulerOptions options = share("1/2");
    options.next_points = [asked = false](const Surface&) mutable {
        return std::exchange(asked, true) ? std::vector<std::size_t>{} : std::vector<std::size_t>{0, 1, 2, 3};
    };
    const Surface surface = run(executable, nullptr, options);
    EXPECT_THAT(surface.splits[0].done, testing::ElementsAre(0, 1, 0, 1, 0, 0, 0, 0, 0));
}

TEST_P(Shared, AShareWithoutPointsComputesNothing) {
    FakeExecutable executable;
    const Surface surface = run(executable, nullptr, share("12/20"));
    EXPECT_TRUE(executable.calls.empty());
    EXPECT_THAT(surface.splits[1].done, testing::Each(0));
}

}  // namespace
}  // namespace lossmap
