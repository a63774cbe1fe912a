#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/config/config.hpp"
#include "cli/run/identity.hpp"
#include "landscape/journal.hpp"

namespace lossmap {

/// What a run has in its folder that a merge goes by: finished units, and what they are of.
struct StoredShare {
    std::filesystem::path folder;
    Identity identity;
    std::vector<JournalEntry> units;  ///< ordered by split, point, chunk
    std::string plan;                 ///< note of the journal; "" where there is none
    std::string grown_from;           ///< likewise
    nlohmann::ordered_json resolved;  ///< config.resolved.json; null where there is none
};

/// Reads a run's folder. Throws InputError when it holds no run, is damaged, belongs to another journal or is in use.
[[nodiscard]] StoredShare read_share(const std::filesystem::path& folder);

/// What the units of a run add up to, of its config.resolved.json.
struct RecordedShape {
    std::string name;
    Experiment experiment = Experiment::surface;
    std::vector<double> x;
    std::vector<double> y;  ///< empty: a line
    std::vector<std::string> splits;
    std::vector<std::int64_t> chunks;  ///< of each split

    friend bool operator==(const RecordedShape&, const RecordedShape&) = default;
};

/// Throws InputError naming the file when a key does not fit, and where points cannot be shared: experiments without a
/// surface, refined grids.
[[nodiscard]] RecordedShape shape_of(const StoredShare& share);

/// The shape of all shares that have a configuration, with the first one's name. Throws InputError when they tell
/// different ones, or when none has a configuration.
[[nodiscard]] RecordedShape common_shape(const std::vector<StoredShare>& shares);

/// Throws InputError when a file of the folder was written by another run than its journal.
/// @param provenance  JSON text of the file's attributes or of config.resolved.json's "provenance"
void require_own(const StoredShare& share, const char* file, const std::string& provenance);

}  // namespace lossmap
