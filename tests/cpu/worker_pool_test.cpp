#include "cpu/worker_pool.hpp"

#include <omp.h>

#include <atomic>
#include <stdexcept>

#include <gtest/gtest.h>

#include "cpu/cpu_info.hpp"

namespace lossmap::cpu {
namespace {

TEST(WorkerPool, RunsEveryWorkerOnce) {
    WorkerPool pool(3);
    std::vector<int> calls(3, 0);
    for (int round = 0; round < 50; ++round)
        pool.run([&](std::size_t index) { ++calls[index]; });
    EXPECT_EQ(calls, std::vector<int>(3, 50));
}

TEST(WorkerPool, PassesAnExceptionOnAndGoesOn) {
    WorkerPool pool(2);
    EXPECT_THROW(pool.run([](std::size_t index) {
        if (index == 1) throw std::runtime_error("no");
    }),
                 std::runtime_error);
    std::atomic<int> calls{0};
    pool.run([&](std::size_t) { ++calls; });
    EXPECT_EQ(calls, 2);
}

TEST(WorkerPool, WorkersDoNotStartOpenMpTeams) {
    WorkerPool pool(2);
    std::vector<int> teams(2, 0);
    pool.run([&](std::size_t index) { teams[index] = omp_get_max_threads(); });
    EXPECT_EQ(teams, std::vector<int>(2, 1));
}

TEST(CpuInfo, NamesTheMachine) {
    EXPECT_GE(usable_threads(), 1);
    EXPECT_GE(allowed_cpus().size(), static_cast<std::size_t>(usable_threads()));
    EXPECT_FALSE(cpu_model().empty());
    EXPECT_GT(memory_bytes(), 0);
    EXPECT_GT(level2_cache_bytes(), 0);
}

}  // namespace
}  // namespace lossmap::cpu
