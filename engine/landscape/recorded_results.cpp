#include "landscape/recorded_results.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lossmap {
namespace {

/// Index of a unit's split; the number of splits when there is none of its name.
std::size_t split_of(const JournalEntry& unit, const Surface& surface) {
    const auto split = std::find_if(surface.splits.begin(), surface.splits.end(),
                                    [&](const SplitSurface& one) { return one.name == unit.split; });
    return static_cast<std::size_t>(split - surface.splits.begin());
}

}  // namespace

void require_inside(const std::vector<JournalEntry>& units, const std::vector<std::int64_t>& chunks,
                    const Surface& surface) {
    for (const JournalEntry& unit : units) {
        const std::size_t split = split_of(unit, surface);
        if (split < chunks.size() && unit.point >= 0 && unit.chunk >= 0 && unit.chunk < chunks[split] &&
            unit.point < static_cast<std::int64_t>(surface.point_count()))
            continue;
        throw InputError("the journal holds point {}, chunk {} of split '{}', which this run does not have", unit.point,
                         unit.chunk, unit.split);
    }
}

void take_recorded(const std::vector<JournalEntry>& units, const std::vector<std::int64_t>& chunks, Surface& surface) {
    for (std::size_t first = 0, end = 0; first < units.size(); first = end) {
        const JournalEntry& unit = units[first];
        LossSums total;
        for (end = first; end < units.size() && units[end].split == unit.split && units[end].point == unit.point; ++end)
            total += units[end].sums;
        const std::size_t split = split_of(unit, surface);
        if (static_cast<std::int64_t>(end - first) == chunks.at(split))
            set_result(surface.splits[split], static_cast<std::size_t>(unit.point), total);
    }
}

}  // namespace lossmap
