#include "landscape/recorded_results.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lossmap {
namespace {

std::size_t split_of(const JournalEntry& unit, const std::vector<std::int64_t>& chunks, const Surface& surface) {
    const auto split = std::find_if(surface.splits.begin(), surface.splits.end(),
                                    [&](const SplitSurface& one) { return one.name == unit.split; });
    const auto index = static_cast<std::size_t>(split - surface.splits.begin());
    const bool inside = split != surface.splits.end() && unit.point >= 0 && unit.chunk >= 0 &&
                        unit.point < static_cast<std::int64_t>(surface.point_count()) && unit.chunk < chunks.at(index);
    if (!inside) {
        throw InputError("a journal holds point {}, chunk {} of split '{}', which this run does not have", unit.point,
                         unit.chunk, unit.split);
    }
    return index;
}

}  // namespace

void take_recorded(const std::vector<JournalEntry>& units, const std::vector<std::int64_t>& chunks, Surface& surface) {
    for (std::size_t first = 0, end = 0; first < units.size(); first = end) {
        const JournalEntry& unit = units[first];
        LossSums total;
        for (end = first; end < units.size() && units[end].split == unit.split && units[end].point == unit.point; ++end)
            total += units[end].sums;
        const std::size_t split = split_of(units[end - 1], chunks, surface);
        static_cast<void>(split_of(unit, chunks, surface));  // the least chunk of the point
        if (static_cast<std::int64_t>(end - first) == chunks[split])
            set_result(surface.splits[split], static_cast<std::size_t>(unit.point), total);
    }
}

}  // namespace lossmap
