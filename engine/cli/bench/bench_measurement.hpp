#pragma once

#include <string>

#include "cli/bench/bench_case.hpp"
#include "cli/bench/bench_result.hpp"
#include "cli/run/interrupt.hpp"
#include "cli/run/run_log.hpp"

namespace lossmap {

/// How benchmarks are run.
struct BenchOptions {
    std::string device;  ///< "": auto
    std::string plan_cache;
    int threads = 0;
    int repeat = 5;
    double min_seconds = 0.5;  ///< that a repetition takes at least
    bool layers = false;       ///< measure each operation, too
    bool offline = false;      ///< samples begin each iteration in the host's memory, whatever the device keeps
};

/// Measures one benchmark: the network is made ready, its samples are made and two iterations run before the first
/// repetition; a repetition is as many iterations as its time asks for. Throws what prepare_run does, InputError when
/// the samples do not fit into memory, and Interrupted.
[[nodiscard]] BenchResult measure_bench(const BenchCase& bench, const BenchOptions& options, RunLog& log,
                                        const InterruptGuard& interrupt, BenchMachine& machine);

}  // namespace lossmap
