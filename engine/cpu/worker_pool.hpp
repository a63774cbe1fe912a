#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lossmap::cpu {

/// Threads that live as long as the pool, each bound to a core of its own where there is one for each, and each keeping
/// library calls to itself (an OpenMP region inside a worker has one thread).
class WorkerPool {
public:
    /// @param threads  at least 1. Threads are bound only when they are as many as the cores the process may use:
    ///                 fewer would all crowd the first cores when several processes share a machine.
    explicit WorkerPool(std::size_t threads);
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    [[nodiscard]] std::size_t size() const { return workers_.size(); }
    [[nodiscard]] bool bound() const { return bound_; }
    /// Calls `task(0) .. task(size() - 1)`, each on its worker, and waits for all. Rethrows the first exception.
    void run(const std::function<void(std::size_t)>& task);

private:
    void work(std::size_t index, int cpu);

    std::mutex mutex_;
    std::condition_variable start_;
    std::condition_variable done_;
    const std::function<void(std::size_t)>* task_ = nullptr;
    std::size_t generation_ = 0;
    std::size_t running_ = 0;
    bool stopping_ = false;
    bool bound_ = false;
    std::exception_ptr error_;
    std::vector<std::thread> workers_;
};

}  // namespace lossmap::cpu
