#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cli/bench/bench_record.hpp"

namespace lossmap {

/// How two programs are measured.
struct ProgramRounds {
    std::filesystem::path suite;
    int repeat = 5;                  ///< rounds, in each of which both run the suite once
    std::vector<std::string> flags;  ///< of their `bench`
};

/// Runs `PROGRAM bench --suite ..` of two programs in turn, the one that begins alternating, so that whatever else the
/// machine does hits both. Throws InputError where one cannot be started, Error where one fails or is ended by a
/// signal.
[[nodiscard]] std::pair<BenchRecord, BenchRecord> run_in_turn(const std::filesystem::path& base,
                                                              const std::filesystem::path& changed,
                                                              const ProgramRounds& rounds);

}  // namespace lossmap
