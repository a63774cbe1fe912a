#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "backend/rank_agreement.hpp"
#include "landscape/journal.hpp"

namespace lossmap {

/// Ranks that compute one run together (`run --mpi`): the same calls on all, files and messages on rank 0 alone.
class RunRanks {
public:
    /// All ranks together.
    RunRanks(Communicator& communicator, const std::atomic<bool>* stop);

    [[nodiscard]] RankAgreement& agreement() { return agreement_; }
    [[nodiscard]] bool is_root() const { return agreement_.is_root(); }
    [[nodiscard]] int size() const { return agreement_.size(); }
    /// Ranks of this machine that come before this one.
    [[nodiscard]] int local_rank() const { return local_rank_; }
    /// "4 ranks on node1 (2), node2 (2)"
    [[nodiscard]] std::string describe() const;
    /// Rank 0's entries on every other rank, none on rank 0 itself, which has them.
    [[nodiscard]] std::vector<JournalEntry> known_elsewhere(const Journal* journal);

private:
    std::vector<std::string> hosts_;  ///< of each rank
    int local_rank_ = 0;
    RankAgreement agreement_;
};

/// Whether this process has the folder and speaks: it is alone (nullptr), or rank 0.
[[nodiscard]] inline bool has_folder(const RunRanks* ranks) { return ranks == nullptr || ranks->is_root(); }
/// Runs `body`, of several ranks on each: what fails on one fails on all then (RankAgreement::together).
void in_step(RunRanks* ranks, const std::function<void()>& body);

/// The device that a rank uses where `wanted` ("auto", "cuda", ..) leaves it open: ranks of a machine take its GPUs in
/// turn, "cuda:1". `gpus`: of the machine, as this rank sees them.
[[nodiscard]] std::string device_of_rank(const std::string& wanted, int local_rank, int gpus);

/// Entries as bytes for ranks of machines of one kind, and back. Throws InternalError when the bytes are none.
[[nodiscard]] std::string pack_entries(const std::vector<JournalEntry>& entries);
[[nodiscard]] std::vector<JournalEntry> unpack_entries(const std::string& bytes);

}  // namespace lossmap
