#pragma once

#include "cli/run/prepared_run.hpp"

namespace lossmap {

/// Fills in what is recorded beside the results: the configuration with its defaults and the provenance, together in
/// config.resolved.json, and with the provenance's keys on top in attributes of the HDF5 files.
void record(PreparedRun& run, int threads);

}  // namespace lossmap
