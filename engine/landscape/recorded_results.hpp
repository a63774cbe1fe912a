#pragma once

#include <cstdint>
#include <vector>

#include "landscape/journal.hpp"
#include "landscape/surface.hpp"

namespace lossmap {

/// Throws InputError when a unit is of no split, point or chunk of `surface`.
/// @param chunks  of each split of `surface`
void require_inside(const std::vector<JournalEntry>& units, const std::vector<std::int64_t>& chunks,
                    const Surface& surface);

/// Puts the results of all points into `surface` that are recorded whole: their sums added in chunk order, which gives
/// the bits of the run that recorded them. Other points stay as they are.
/// @param units  ordered by split, point and chunk, each once; inside (require_inside)
/// @param chunks  of each split of `surface`
void take_recorded(const std::vector<JournalEntry>& units, const std::vector<std::int64_t>& chunks, Surface& surface);

}  // namespace lossmap
