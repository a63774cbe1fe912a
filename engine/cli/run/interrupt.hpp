#pragma once

#include <atomic>
#include <memory>

namespace lossmap {

/// While it lives, the first SIGINT or SIGTERM sets a flag and the second one ends the process at once with status 130.
/// One at a time; the earlier handlers are put back by the destructor.
class InterruptGuard {
public:
    InterruptGuard();
    ~InterruptGuard();
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;

    [[nodiscard]] const std::atomic<bool>& flag() const;
    /// Throws Interrupted when the flag is set.
    void check() const;

private:
    struct Handlers;
    std::unique_ptr<Handlers> handlers_;
};

}  // namespace lossmap
