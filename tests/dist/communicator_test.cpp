#include "backend/communicator.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <ostream>
#include <string>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "tests/dist/ranks_fixture.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {

void test::PrintTo(const CommunicatorCase& ranks, std::ostream* stream) { *stream << ranks.name << ranks.ranks; }

namespace {

using test::CommunicatorCase;

class Ranks : public test::RanksOfACase {};

TEST_P(Ranks, AreNumberedFromZero) {
    // Ranks of other processes do not stand beside this one's.
    const int first = communicators_.size() == 1 ? communicators_.front()->rank() : 0;
    EXPECT_LE(static_cast<std::size_t>(first) + communicators_.size(), static_cast<std::size_t>(GetParam().ranks));
    for (std::size_t k = 0; k < communicators_.size(); ++k) {
        EXPECT_EQ(communicators_[k]->rank(), first + static_cast<int>(k));
        EXPECT_EQ(communicators_[k]->size(), GetParam().ranks);
    }
}

TEST_P(Ranks, BroadcastGivesEverybodyTheRootsBytes) {
    on_all([&](Communicator& communicator) {
        for (int root = 0; root < communicator.size(); ++root) {
            std::vector<float> weights(1000, static_cast<float>(communicator.rank()));
            communicator.broadcast(std::as_writable_bytes(std::span(weights)), root);
            EXPECT_EQ(weights, std::vector<float>(1000, static_cast<float>(root)));
        }
        std::vector<float> weights(3, 7.0F + static_cast<float>(communicator.rank()));
        broadcast_weights(communicator, weights);
        EXPECT_EQ(weights, std::vector<float>(3, 7.0F));
        communicator.broadcast({}, 0);
        EXPECT_THROW(communicator.broadcast({}, communicator.size()), InternalError);
    });
}

TEST_P(Ranks, GatherKeepsTheOrderOfRanksAndTheirLengths) {
    on_all([&](Communicator& communicator) {
        // Once more than once, as later calls use the memory of earlier ones; rank 0 brings nothing.
        for (int round = 1; round <= 3; ++round) {
            const auto length = static_cast<std::size_t>(communicator.rank() * 100 * round);
            const std::vector<std::byte> own(length, static_cast<std::byte>(communicator.rank() + round));
            const auto all = communicator.gather(own);
            ASSERT_EQ(all.size(), static_cast<std::size_t>(communicator.size()));
            for (int rank = 0; rank < communicator.size(); ++rank) {
                EXPECT_EQ(all[static_cast<std::size_t>(rank)],
                          std::vector<std::byte>(static_cast<std::size_t>(rank * 100 * round),
                                                 static_cast<std::byte>(rank + round)));
            }
        }
    });
}

constexpr std::int64_t kPoints = 5;
constexpr std::int64_t kChunks = 7;

/// Losses whose sum depends on the order of additions.
LossSums sums_of(std::int64_t point, std::int64_t chunk) {
    LossSums sums;
    sums.loss_sum = (chunk % 2 == 0 ? 1e16 : -1e16) + static_cast<double>(point * kChunks + chunk) / 3.0;
    sums.loss_square_sum = 0.1 * static_cast<double>(chunk + 1);
    sums.counted = chunk;
    return sums;
}

TEST_P(Ranks, UnitsAddUpToTheSameBitsWhoeverComputedThem) {
    std::vector<LossSums> expected(kPoints);
    for (std::int64_t point = 0; point < kPoints; ++point) {
        for (std::int64_t chunk = 0; chunk < kChunks; ++chunk)
            expected[static_cast<std::size_t>(point)] += sums_of(point, chunk);
    }
    on_all([&](Communicator& communicator) {
        std::vector<UnitSums> own;
        // Backwards, and every rank has chunks of every point.
        for (std::int64_t unit = kPoints * kChunks - 1; unit >= 0; --unit) {
            if ((unit * 5 + 3) % communicator.size() != communicator.rank()) continue;
            own.push_back({unit / kChunks, unit % kChunks, sums_of(unit / kChunks, unit % kChunks)});
        }
        EXPECT_EQ(sum_units(communicator, own, kPoints), expected);
    });
}

TEST_P(Ranks, AUnitThatCameTwiceIsAnError) {
    on_all([&](Communicator& communicator) {
        const std::vector<UnitSums> twice{{0, 1, sums_of(0, 1)}, {0, 1, sums_of(0, 1)}};
        EXPECT_THROW(static_cast<void>(sum_units(communicator, twice, kPoints)), InternalError);
        const std::vector<UnitSums> outside{{kPoints, communicator.rank(), {}}};
        EXPECT_THROW(static_cast<void>(sum_units(communicator, outside, kPoints)), InternalError);
    });
}

TEST_P(Ranks, RowsOfAMatrixComeFromTheirOwners) {
    on_all([&](Communicator& communicator) {
        SquareMatrix matrix(8);
        for (std::size_t row = 0; row < 8; ++row) {
            const bool own =
                row % static_cast<std::size_t>(communicator.size()) == static_cast<std::size_t>(communicator.rank());
            for (std::size_t column = 0; column < 8; ++column)
                matrix.at(row, column) = own ? static_cast<double>(10 * row + column) : -1.0;
        }
        gather_rows(communicator, matrix);
        for (std::size_t row = 0; row < 8; ++row) {
            for (std::size_t column = 0; column < 8; ++column)
                EXPECT_EQ(matrix.at(row, column), static_cast<double>(10 * row + column));
        }
    });
}

/// Samples [first, first + count) of a chunk.
SampleChunk part_of(const SampleChunk& chunk, std::int64_t first, std::int64_t count) {
    const auto slice = [&](const Tensor& whole) {
        Shape shape = whole.shape();
        const std::size_t bytes = whole.size_bytes() / static_cast<std::size_t>(shape[0]);
        shape[0] = count;
        Tensor part(whole.dtype(), shape);
        std::memcpy(part.data(), static_cast<const std::byte*>(whole.data()) + static_cast<std::size_t>(first) * bytes,
                    part.size_bytes());
        return part;
    };
    SampleChunk part;
    part.first = chunk.first + first;
    part.count = count;
    for (const Tensor& input : chunk.inputs)
        part.inputs.push_back(slice(input));
    part.target = slice(chunk.target);
    return part;
}

TEST_P(Ranks, ComputeASurfaceTogether) {
    // As a run over several machines will: rank 0's directions, units of points and chunks dealt out, sums on every
    // rank.
    const auto make_runner = [] { return test::NetworkRunner(test::small_net(), 6, 5, GetParam().backend()); };
    const std::vector<Point> points = test::grid();
    const auto chunk_sums = [](Executable& executable, const SampleChunk& all, const Point& point, std::int64_t chunk) {
        LossSums sums;
        executable.evaluate({&point, 1}, part_of(all, 3 * chunk, 3), {&sums, 1});
        return sums;
    };
    const test::NetworkRunner alone = make_runner();
    const auto executable = alone.compile();
    std::vector<LossSums> expected(points.size());
    for (std::size_t p = 0; p < points.size(); ++p) {
        for (const std::int64_t chunk : {0, 1})
            expected[p] += chunk_sums(*executable, alone.chunk(), points[p], chunk);
    }
    on_all([&](Communicator& communicator) {
        test::NetworkRunner runner = make_runner();
        for (const std::size_t axis : {std::size_t{0}, std::size_t{1}}) {
            if (communicator.rank() != 0) std::ranges::fill(runner.direction(axis), 0.0F);
            broadcast_weights(communicator, runner.direction(axis));
        }
        const auto shared = runner.compile();
        std::vector<UnitSums> own;
        for (std::int64_t unit = communicator.rank(); unit < std::ssize(points) * 2; unit += communicator.size()) {
            const std::int64_t point = unit / 2;
            own.push_back({point, unit % 2,
                           chunk_sums(*shared, runner.chunk(), points[static_cast<std::size_t>(point)], unit % 2)});
        }
        EXPECT_EQ(sum_units(communicator, own, std::ssize(points)), expected);
    });
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Ranks);
INSTANTIATE_TEST_SUITE_P(Kinds, Ranks, ::testing::ValuesIn(test::communicator_cases()),
                         [](const auto& test) { return test.param.name + std::to_string(test.param.ranks); });

}  // namespace
}  // namespace lossmap
