#pragma once

#include <filesystem>
#include <vector>

#include "cli/merge/stored_share.hpp"

namespace lossmap {

/// Finished units of several folders as those of one run.
struct JoinedUnits {
    std::vector<JournalEntry> all;      ///< ordered by split, point, chunk; each once
    std::vector<JournalEntry> missing;  ///< of them those that `out` does not have
};

/// Joins the units of shares of one run; what several of them have must be the same to the bit. Throws InputError
/// naming point and folders when it is not.
/// @param out  the share among them that the others are put into; nullptr: none
[[nodiscard]] JoinedUnits join_units(const std::vector<StoredShare>& shares, const StoredShare* out);

}  // namespace lossmap
