#include "cpu/worker_pool.hpp"

#include <omp.h>
#include <pthread.h>
#include <sched.h>

#include <utility>

#include "cpu/cpu_info.hpp"

namespace lossmap::cpu {

WorkerPool::WorkerPool(std::size_t threads) {
    const std::vector<int> cpus = allowed_cpus();
    bound_ = threads == cpus.size();
    workers_.reserve(threads);
    for (std::size_t index = 0; index < threads; ++index) {
        workers_.emplace_back([this, index, cpu = bound_ ? cpus[index] : -1] { work(index, cpu); });
    }
}

WorkerPool::~WorkerPool() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    start_.notify_all();
    for (std::thread& worker : workers_)
        worker.join();
}

void WorkerPool::run(const std::function<void(std::size_t)>& task) {
    std::unique_lock lock(mutex_);
    task_ = &task;
    running_ = workers_.size();
    error_ = nullptr;
    ++generation_;
    start_.notify_all();
    done_.wait(lock, [&] { return running_ == 0; });
    task_ = nullptr;
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void WorkerPool::work(std::size_t index, int cpu) {
    // oneDNN asks OpenMP how many threads it may use; the setting is one of the calling thread.
    omp_set_num_threads(1);
    if (cpu >= 0) {
        cpu_set_t mask;
        CPU_ZERO(&mask);
        CPU_SET(static_cast<std::size_t>(cpu), &mask);
        // A refusal costs speed only.
        static_cast<void>(pthread_setaffinity_np(pthread_self(), sizeof(mask), &mask));
    }
    std::size_t seen = 0;
    std::unique_lock lock(mutex_);
    while (true) {
        start_.wait(lock, [&] { return stopping_ || generation_ != seen; });
        if (stopping_) return;
        seen = generation_;
        const auto* task = task_;
        lock.unlock();
        std::exception_ptr error;
        try {
            (*task)(index);
        } catch (...) {
            error = std::current_exception();
        }
        lock.lock();
        if (error && !error_) error_ = error;
        if (--running_ == 0) done_.notify_one();
    }
}

}  // namespace lossmap::cpu
