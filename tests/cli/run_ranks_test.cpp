// What ranks of a run tell each other; how they compute together is looked at by test_dist and test_cli_mpi.py.
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run/run_ranks.hpp"
#include "core/error.hpp"
#include "dist/local_communicators.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using ::testing::IsEmpty;
using ::testing::MatchesRegex;

std::vector<JournalEntry> entries() {
    JournalEntry one{"train", 3, 0, {}};
    one.sums.loss_sum = -0.0;
    one.sums.loss_square_sum = std::numeric_limits<double>::infinity();
    one.sums.counted = 7;
    JournalEntry two{"", 4, 1, {}};
    two.sums.overflowed = std::numeric_limits<std::int64_t>::max();
    return {one, two};
}

TEST(RunRanks, EntriesArriveAsTheyWere) {
    const std::vector<JournalEntry> sent = entries(), arrived = unpack_entries(pack_entries(sent));
    ASSERT_EQ(arrived.size(), sent.size());
    for (std::size_t k = 0; k < sent.size(); ++k) {
        EXPECT_EQ(arrived[k].split, sent[k].split);
        EXPECT_EQ(arrived[k].point, sent[k].point);
        EXPECT_EQ(arrived[k].chunk, sent[k].chunk);
        EXPECT_EQ(arrived[k].sums, sent[k].sums);
    }
    EXPECT_THAT(unpack_entries(""), IsEmpty());
    const std::string bytes = pack_entries(sent);
    for (const std::size_t length : {std::size_t{1}, bytes.size() - 1, pack_entries({sent[0]}).size() - 1})
        EXPECT_THROW(static_cast<void>(unpack_entries(bytes.substr(0, length))), InternalError) << length;
}

TEST(RunRanks, TakeTheGpusOfAMachineInTurn) {
    EXPECT_EQ(device_of_rank("auto", 0, 4), "cuda:0");
    EXPECT_EQ(device_of_rank("cuda", 5, 4), "cuda:1");
    // Slurm shows each rank its own one.
    EXPECT_EQ(device_of_rank("cuda", 3, 1), "cuda");
    EXPECT_EQ(device_of_rank("auto", 1, 0), "auto");
    // What somebody names is what he means.
    EXPECT_EQ(device_of_rank("cpu", 1, 4), "cpu");
    EXPECT_EQ(device_of_rank("cuda:0,1", 1, 4), "cuda:0,1");
}

TEST(RunRanks, OneAloneHasNothingFromElsewhere) {
    const auto communicator = make_single_communicator();
    RunRanks ranks(*communicator, nullptr);
    EXPECT_TRUE(ranks.is_root());
    EXPECT_EQ(ranks.local_rank(), 0);
    EXPECT_THAT(ranks.describe(), MatchesRegex("1 rank on .+ \\(1\\)"));
    const test::TemporaryDirectory folder;
    Journal journal(folder / "journal.sqlite", "id");
    journal.append(entries());
    EXPECT_THAT(ranks.known_elsewhere(&journal), IsEmpty());
}

}  // namespace
}  // namespace lossmap
