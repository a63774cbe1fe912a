#include "cli/merge/joined_units.hpp"

#include <algorithm>
#include <bit>
#include <tuple>

#include "core/error.hpp"

namespace lossmap {
namespace {

struct Unit {
    const JournalEntry* entry = nullptr;
    const StoredShare* share = nullptr;

    [[nodiscard]] auto key() const { return std::tie(entry->split, entry->point, entry->chunk); }
};

/// NaN equals NaN, and 0 is not -0.
bool same_bits(const LossSums& a, const LossSums& b) {
    const auto bits = [](const LossSums& sums) {
        return std::tuple(std::bit_cast<std::uint64_t>(sums.loss_sum),
                          std::bit_cast<std::uint64_t>(sums.loss_square_sum),
                          std::bit_cast<std::uint64_t>(sums.weight_sum), sums.correct, sums.counted, sums.non_finite,
                          sums.overflowed);
    };
    return bits(a) == bits(b);
}

void require_same(const Unit& a, const Unit& b) {
    if (same_bits(a.entry->sums, b.entry->sums)) return;
    throw InputError(
        "point {} (chunk {} of split '{}') has other numbers in '{}' than in '{}', which may come from another "
        "processor, library or version: leave one of the two out",
        a.entry->point, a.entry->chunk, a.entry->split, a.share->folder.string(), b.share->folder.string());
}

}  // namespace

JoinedUnits join_units(const std::vector<StoredShare>& shares, const StoredShare* out) {
    std::vector<Unit> units;
    for (const StoredShare& share : shares) {
        for (const JournalEntry& entry : share.units)
            units.push_back({&entry, &share});
    }
    std::stable_sort(units.begin(), units.end(), [](const Unit& a, const Unit& b) { return a.key() < b.key(); });
    JoinedUnits joined;
    for (std::size_t first = 0, end = 0; first < units.size(); first = end) {
        bool is_there = false;
        for (end = first; end < units.size() && units[end].key() == units[first].key(); ++end) {
            require_same(units[first], units[end]);
            is_there = is_there || units[end].share == out;
        }
        joined.all.push_back(*units[first].entry);
        if (!is_there) joined.missing.push_back(*units[first].entry);
    }
    return joined;
}

}  // namespace lossmap
