// Networks that ranks evaluate together, and ranks that fail or are asked to stop.
#include <atomic>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/point_parts.hpp"
#include "backend/ranked_executable.hpp"
#include "core/error.hpp"
#include "tests/dist/ranks_fixture.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::message_of;
using ::testing::HasSubstr;

class RankedNetworks : public test::RanksOfACase {
protected:
    [[nodiscard]] static test::NetworkRunner make_runner() {
        return test::NetworkRunner(test::small_net(), 6, 5, GetParam().backend());
    }
    [[nodiscard]] static std::string name_of(int rank) { return "rank " + std::to_string(rank); }
    [[nodiscard]] static std::string name_of(const Communicator& communicator) { return name_of(communicator.rank()); }
    [[nodiscard]] static int last() { return GetParam().ranks - 1; }
};

/// Of an error that is not the input's.
template <typename Body>
std::string error_of(const Body& body) {
    try {
        body();
    } catch (const InputError&) {
        ADD_FAILURE() << "the input's";
    } catch (const Error& error) {
        return error.what();
    }
    return {};
}

TEST(PointParts, CoverThePointsInWholePasses) {
    for (const std::size_t points : {0, 1, 5, 12, 13}) {
        for (const std::size_t pass : {1, 4}) {
            for (const std::size_t parts : {1, 2, 3, 7}) {
                std::size_t next = 0;
                for (std::size_t k = 0; k < parts; ++k) {
                    const PointPart part = point_part(points, pass, parts, k);
                    EXPECT_EQ(part.first, next);
                    next += part.count;
                    EXPECT_TRUE(next == points || part.count % pass == 0);
                }
                EXPECT_EQ(next, points);
            }
        }
    }
    EXPECT_EQ(point_part(12, 4, 2, 0).count, 8U);
    EXPECT_EQ(point_part(12, 4, 2, 1).count, 4U);
}

TEST_P(RankedNetworks, HaveTheBitsOfOneRank) {
    const std::vector<Point> grid = test::grid();
    const test::NetworkRunner alone = make_runner();
    const auto executable = alone.compile();
    const std::vector<LossSums> expected = alone.sums(*executable, grid);
    on_all([&](Communicator& communicator) {
        RankAgreement ranks(communicator, name_of(communicator), nullptr);
        const test::NetworkRunner runner = make_runner();
        const auto own = runner.compile();
        RankedExecutable together(ranks, *own);
        EXPECT_EQ(together.points_per_pass(), own->points_per_pass() * communicator.size());
        for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{7}, grid.size()}) {
            const std::vector<Point> points(grid.begin(), grid.begin() + static_cast<std::ptrdiff_t>(count));
            EXPECT_EQ(runner.sums(together, points),
                      std::vector<LossSums>(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(count)));
        }
        std::vector<LossSums> none;
        EXPECT_THROW(together.evaluate(grid, runner.chunk(), none), InternalError);
    });
}

/// Another tile is another order of additions.
TEST_P(RankedNetworks, AreRefusedWhereOneWouldComputeInAnotherWay) {
    if (GetParam().ranks == 1) GTEST_SKIP() << "one rank agrees with itself";
    on_all([&](Communicator& communicator) {
        RankAgreement ranks(communicator, name_of(communicator), nullptr);
        test::NetworkRunner runner = make_runner();
        runner.request().tile_samples = communicator.rank() == last() ? 4 : 2;
        const auto own = runner.compile();
        const std::string message = message_of([&] { RankedExecutable(ranks, *own); });
        EXPECT_THAT(message, HasSubstr("in another way than rank 0's"));
        const std::string whose = communicator.rank() == last() ? "" : name_of(last()) + ": ";
        EXPECT_TRUE(message.starts_with(whose)) << message;
        EXPECT_TRUE(ranks.has_failed());
    });
}

/// Fails at its second call.
class Failing final : public Executable {
public:
    explicit Failing(Executable& own) : own_(own) {}
    void evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) override {
        if (++calls_ > 1) throw InputError("the disk is gone");
        own_.evaluate(points, chunk, sums);
    }
    [[nodiscard]] Tensor forward(const Point& point, const SampleChunk& chunk) override {
        return own_.forward(point, chunk);
    }
    [[nodiscard]] std::string plan_json() const override { return own_.plan_json(); }
    [[nodiscard]] std::int64_t macs_per_sample() const override { return own_.macs_per_sample(); }
    [[nodiscard]] std::int64_t memory_bytes() const override { return own_.memory_bytes(); }

private:
    Executable& own_;
    int calls_ = 0;
};

TEST_P(RankedNetworks, DoNotWaitForARankThatFailsAtItsPoints) {
    on_all([&](Communicator& communicator) {
        RankAgreement ranks(communicator, name_of(communicator), nullptr);
        const test::NetworkRunner runner = make_runner();
        const auto own = runner.compile();
        Failing failing(*own);
        const bool fails = communicator.rank() == 0;
        int rounds = 0;
        const auto run = [&] {
            ranks.together([&] {
                RankedExecutable together(ranks, fails ? static_cast<Executable&>(failing) : *own);
                for (; rounds < 3; ++rounds)
                    static_cast<void>(runner.sums(together, test::grid()));
            });
        };
        EXPECT_EQ(message_of(run), fails ? "the disk is gone" : "rank 0: the disk is gone");
        EXPECT_EQ(rounds, 1);
        EXPECT_TRUE(ranks.has_failed());
    });
}

TEST_P(RankedNetworks, DoNotWaitForARankThatFailsElsewhere) {
    on_all([&](Communicator& communicator) {
        for (const bool wrong_input : {true, false}) {
            RankAgreement ranks(communicator, name_of(communicator), nullptr);
            const bool fails = communicator.rank() == last();
            const auto run = [&] {
                ranks.together([&] {
                    if (fails && wrong_input) throw InputError("no such file");
                    if (fails) throw std::bad_alloc();
                });
            };
            if (wrong_input)
                EXPECT_THROW(run(), InputError);
            else
                EXPECT_EQ(error_of(run), fails ? "not enough memory" : name_of(last()) + ": not enough memory");
            EXPECT_TRUE(ranks.has_failed());
        }
    });
}

TEST_P(RankedNetworks, GoOnAfterAFailureThatAllKnow) {
    on_all([&](Communicator& communicator) {
        RankAgreement ranks(communicator, name_of(communicator), nullptr);
        const bool fails = communicator.rank() == last();
        const auto step = [&](bool inner, bool outer) {
            return error_of([&] {
                ranks.together([&] {
                    ranks.together([&] {
                        if (fails && inner) throw Error("inner");
                    });
                    if (fails && outer) throw Error("outer");
                });
            });
        };
        const std::string whose = fails ? "" : name_of(last()) + ": ";
        EXPECT_EQ(step(true, false), whose + "inner");
        EXPECT_EQ(step(false, true), whose + "outer");
        bool ran = false;
        ranks.together([&] { ran = true; });
        EXPECT_TRUE(ran);
        EXPECT_FALSE(ranks.has_failed());
        EXPECT_EQ(ranks.from_root(communicator.rank() == 0 ? "the root's" : "another's"), "the root's");
        EXPECT_EQ(ranks.from_root(""), "");
    });
}

TEST_P(RankedNetworks, StopTogetherWhenOneIsAskedTo) {
    on_all([&](Communicator& communicator) {
        std::atomic<bool> asked = false;
        RankAgreement ranks(communicator, name_of(communicator), &asked);
        const test::NetworkRunner runner = make_runner();
        const auto own = runner.compile();
        RankedExecutable together(ranks, *own);
        static_cast<void>(runner.sums(together, test::grid()));
        EXPECT_FALSE(ranks.stop());
        asked = communicator.rank() == last();
        EXPECT_FALSE(ranks.stop()) << "the others do not know yet";
        static_cast<void>(runner.sums(together, test::grid()));
        EXPECT_TRUE(ranks.stop());
        // As a schedule ends then.
        const auto stop = [&] { ranks.together([] { throw Interrupted("interrupted after 2 of 9 units"); }); };
        EXPECT_THROW(stop(), Interrupted);
    });
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RankedNetworks);
INSTANTIATE_TEST_SUITE_P(Kinds, RankedNetworks, ::testing::ValuesIn(test::communicator_cases()),
                         [](const auto& test) { return test.param.name + std::to_string(test.param.ranks); });

}  // namespace
}  // namespace lossmap
