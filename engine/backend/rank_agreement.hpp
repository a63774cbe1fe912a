#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "backend/communicator.hpp"
#include "core/error.hpp"

namespace lossmap {

/// Keeps ranks that do the same work in step: a rank that fails, or is asked to stop, tells the others where they meet
/// next, so that none waits for one that has gone. Every rank calls the same functions in the same order.
class RankAgreement {
public:
    /// @param name  of this rank for messages, "rank 3 on node7". @param stop  asked to stop when set; may be nullptr.
    RankAgreement(Communicator& communicator, std::string name, const std::atomic<bool>* stop);

    [[nodiscard]] int rank() const { return communicator_.rank(); }
    [[nodiscard]] int size() const { return communicator_.size(); }
    [[nodiscard]] bool is_root() const { return communicator_.rank() == 0; }

    /// Brings bytes; returns everybody's, in the order of ranks. Where a rank had failed, all the others throw what it
    /// failed with, its name in front: InputError, Interrupted or Error.
    std::vector<std::vector<std::byte>> meet(std::span<const std::byte> own);
    /// Rank 0's text, on every rank.
    [[nodiscard]] std::string from_root(const std::string& text);
    /// Whether some rank was asked to stop when all met last: the same on all.
    [[nodiscard]] const std::atomic<bool>& stop() const { return agreed_stop_; }
    /// A failure that every rank knows of, in what they did together last.
    [[nodiscard]] bool has_failed() const { return failed_; }

    /// Runs `body` on this rank, the other ones theirs; all end it together. Throws what it threw, or else what the
    /// first rank threw that did; what is no Error (bad_alloc) becomes one. May be called inside itself.
    void together(const std::function<void()>& body);

private:
    enum class State : unsigned char { well, stop, failed, wrong_input, interrupted };

    /// Tells the others, unless they know of a failure already.
    void tell(const Error& error) noexcept;
    std::vector<std::vector<std::byte>> exchange(State state, std::span<const std::byte> bytes);

    Communicator& communicator_;
    std::string name_;
    const std::atomic<bool>* stop_;
    std::atomic<bool> agreed_stop_ = false;
    bool failed_ = false;
    int depth_ = 0;  ///< of calls of together() inside each other
};

}  // namespace lossmap
