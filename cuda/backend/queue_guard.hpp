#pragma once

#include "core/error.hpp"
#include "cuda/backend/device.hpp"

namespace lossmap::cuda {

/// Waits for two queues when it goes: memory must not go while work uses it. Stands behind the memory in its owner, so
/// that it goes first, also where the owner's constructor throws.
class QueueGuard {
public:
    QueueGuard(Queue& first, Queue& second) : first_(first), second_(second) {}
    ~QueueGuard() {
        // What the work raised has been reported where it was waited for.
        wait_for(first_);
        wait_for(second_);
    }
    QueueGuard(const QueueGuard&) = delete;
    QueueGuard& operator=(const QueueGuard&) = delete;

private:
    static void wait_for(Queue& queue) noexcept {
        try {
            queue.synchronize();
        } catch (const Error&) {
        }
    }

    Queue& first_;
    Queue& second_;
};

}  // namespace lossmap::cuda
