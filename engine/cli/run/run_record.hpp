#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "cli/run/prepared_run.hpp"

namespace lossmap {

/// Text of config.resolved.json, or of a part of it.
[[nodiscard]] std::string record_text(const nlohmann::ordered_json& json);

/// What stands with the numbers: name, configuration and each key of the provenance, as the text of a JSON object.
/// Without how the points were come by, whose numbers are the same.
/// @param resolved  configuration and "provenance", as in config.resolved.json
/// @param from_file  points were taken over from a surface file, about which nothing else is known
[[nodiscard]] std::string attributes_text(const nlohmann::ordered_json& resolved, bool from_file);

/// Fills in what is recorded beside the results: the configuration with its defaults and the provenance, together in
/// config.resolved.json, and with the provenance's keys on top in attributes of the HDF5 files.
void record(PreparedRun& run, int threads);

}  // namespace lossmap
