#pragma once

#include <filesystem>
#include <string>

#include "cli/bench/bench_record.hpp"

namespace lossmap {

/// Adds a record to a history, an SQLite file that is made where there is none: table `run` (id, label, date, context
/// as JSON), table `repetition` (run, name, number, items_per_second, at_hand_flops_per_second). One transaction.
/// Throws InputError where the file is no history of benchmarks, or is busy or damaged.
void add_to_history(const std::filesystem::path& file, const std::string& label, const BenchRecord& record);

/// The record that was added last under a label. Throws InputError where there is none; names the labels then.
[[nodiscard]] BenchRecord load_from_history(const std::filesystem::path& file, const std::string& label);

}  // namespace lossmap
