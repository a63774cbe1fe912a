#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.hpp"

namespace lossmap {

/// One of several runs of a benchmark.
struct BenchRepetition {
    std::int64_t iterations = 0;            ///< passes over all points and samples
    double seconds = 0.0;                   ///< that they took together
    double cpu_seconds = 0.0;               ///< of all threads of the process
    double ceiling_flops_per_second = 0.0;  ///< measured before and behind it, the higher one; 0: it cannot be measured
    double at_hand_flops_per_second = 0.0;  ///< .. what the machine had at the moment, the mean; likewise
};

/// What was measured of one network.
struct BenchResult {
    std::string name;
    std::int64_t evaluations = 0;       ///< points x samples of an iteration
    double flops_per_evaluation = 0.0;  ///< two for each multiply-add of a forward pass
    std::int64_t peak_bytes = 0;        ///< of device memory
    std::vector<BenchRepetition> repetitions;
    std::string ceiling;  ///< what the ceiling is; ""
    std::optional<PassTimes> layers;
    std::int64_t chunk_samples = 0;

    [[nodiscard]] double evaluations_per_second(const BenchRepetition& repetition) const {
        return static_cast<double>(evaluations) * static_cast<double>(repetition.iterations) / repetition.seconds;
    }
    [[nodiscard]] double flops_per_second(const BenchRepetition& repetition) const {
        return flops_per_evaluation * evaluations_per_second(repetition);
    }
    /// Nothing where there is no ceiling.
    [[nodiscard]] std::optional<double> percent_of_ceiling(const BenchRepetition& repetition) const {
        if (repetition.ceiling_flops_per_second <= 0.0) return {};
        return 100.0 * flops_per_second(repetition) / repetition.ceiling_flops_per_second;
    }
};

/// Where and how it was measured.
struct BenchMachine {
    std::string backend;
    std::string device;
    std::vector<std::string> libraries;
    int threads = 0;       ///< as asked for; 0: all
    bool offline = false;  ///< iterations begin with samples in the host's memory
};

}  // namespace lossmap
