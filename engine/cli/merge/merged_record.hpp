#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "cli/merge/stored_share.hpp"
#include "landscape/shard.hpp"

namespace lossmap {

/// config.resolved.json of several shares together: the first one's, whose provenance names every device, and under
/// "merged" each folder that units came from with its share, program and device. What was merged into a folder before
/// is kept. At least one share has a configuration (common_shape).
[[nodiscard]] nlohmann::ordered_json merged_record(const std::vector<StoredShare>& shares);

/// The shares that such a record names, where all are of the same number; none when it is not known.
[[nodiscard]] std::vector<Shard> shards_in(const nlohmann::ordered_json& record);

}  // namespace lossmap
