#pragma once

#include <cstddef>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/merge/joined_units.hpp"
#include "cli/run/prepared_run.hpp"

namespace lossmap {

/// Shares of one run as the run that its experiment's steps write and draw: results from the units, coordinates and all
/// else from the files of any share. It has no network, data or executable; its points are only counted. Throws
/// InputError when files are missing or do not fit.
/// @param record  merged_record() of the shares
[[nodiscard]] PreparedRun make_merged_run(const std::vector<StoredShare>& shares, const RecordedShape& shape,
                                          const std::vector<JournalEntry>& units, const nlohmann::ordered_json& record);

/// Points that some split lacks.
[[nodiscard]] std::vector<std::size_t> missing_points(const PreparedRun& run);

/// The first share that has a file, nullptr when none has.
[[nodiscard]] const StoredShare* holder_of(const std::vector<StoredShare>& shares, const char* file);

}  // namespace lossmap
