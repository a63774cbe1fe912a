#pragma once

#include <filesystem>
#include <vector>

#include "cli/run/run_log.hpp"

namespace lossmap {

/// Joins folders of one run into `out`, which then is a folder of that run as any other: units of the journals bit for
/// bit, and everything that a run writes. Works from the folders' files alone. `out` may be one of `inputs`, or hold
/// units of that run already. Nothing is written before everything is checked; what is there when it is stopped or
/// fails is whole, and merging again goes on. Returns the files. Throws InputError when the folders are of several
/// runs, contradict each other, or `out` is somebody else's.
std::vector<std::filesystem::path> merge_runs(const std::vector<std::filesystem::path>& inputs,
                                              const std::filesystem::path& out, RunLog& log);

/// Copies the folder of a run that is no surface and has nothing to join: journal, configuration, tables and page.
/// Does nothing when `out` holds that run already.
void copy_evaluation(const std::filesystem::path& from, const std::filesystem::path& out);

}  // namespace lossmap
