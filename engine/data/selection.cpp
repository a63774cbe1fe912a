#include "data/selection.hpp"

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "core/philox.hpp"

namespace lossmap {

namespace {

/// How many of each class; the sizes stand in the order of the classes.
std::vector<std::int64_t> shares(const std::vector<std::int64_t>& sizes, std::int64_t wanted, std::int64_t available) {
    std::vector<std::int64_t> share;
    std::vector<std::size_t> order(sizes.size());
    std::int64_t given = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        share.push_back(wanted * sizes[i] / available);
        given += share[i];
        order[i] = i;
    }
    const auto remainder = [&](std::size_t i) { return wanted * sizes[i] % available; };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return remainder(a) > remainder(b); });
    for (std::size_t i = 0; given < wanted; ++i, ++given)
        ++share[order[i]];
    return share;
}

/// The first `count` places of a Fisher-Yates shuffle. The label is the generator's stream, so that a class is drawn
/// alike whatever other classes there are.
void draw(std::vector<std::int64_t>& members, std::int64_t count, std::uint64_t seed, std::int64_t label) {
    for (std::int64_t i = 0; i < count; ++i) {
        const auto left = members.size() - static_cast<std::size_t>(i);
        const std::uint64_t bits = random_bits(seed, static_cast<std::uint64_t>(label), static_cast<std::uint64_t>(i));
        std::swap(members[static_cast<std::size_t>(i)], members[static_cast<std::size_t>(i) + bits % left]);
    }
    members.resize(static_cast<std::size_t>(count));
}

}  // namespace

void Selection::for_each_run(std::int64_t begin, std::int64_t count,
                             const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& body) const {
    if (begin < 0 || count < 0 || count > count_ - begin) {
        throw InternalError("samples {} to {} of {} asked for", begin, begin + count, count_);
    }
    if (indices_.empty()) {
        if (count > 0) body(start_ + begin, count, 0);
        return;
    }
    const auto index = [&](std::int64_t i) { return indices_[static_cast<std::size_t>(begin + i)]; };
    for (std::int64_t first = 0, end = 0; first < count; first = end) {
        for (end = first + 1; end < count && index(end) == index(end - 1) + 1;)
            ++end;
        body(index(first), end - first, first);
    }
}

Selection select_in_order(const SubsetSpec& subset, std::int64_t available, const std::string& source) {
    const std::int64_t count = subset.count.value_or(available - subset.start);
    if (subset.start < 0 || subset.start >= available || count > available - subset.start) {
        throw InputError("{}: the subset takes {} samples from sample {} on, but there are {}", source,
                         subset.count ? std::to_string(*subset.count) : "all", subset.start, available);
    }
    if (count < 1) throw InputError("{}: the subset takes {} samples, expected at least 1", source, count);
    return {subset.start, count};
}

Selection select_stratified(const SubsetSpec& subset, std::span<const std::int64_t> labels, const std::string& source) {
    const auto available = static_cast<std::int64_t>(labels.size());
    if (!subset.count || *subset.count < 1)
        throw InputError("{}: a stratified subset needs a count of at least 1", source);
    if (subset.start != 0)
        throw InputError("{}: a stratified subset is drawn from all samples and has no start", source);
    if (*subset.count > available) {
        throw InputError("{}: the stratified subset takes {} samples, but there are {}", source, *subset.count,
                         available);
    }
    std::map<std::int64_t, std::vector<std::int64_t>> classes;
    for (std::int64_t i = 0; i < available; ++i)
        classes[labels[static_cast<std::size_t>(i)]].push_back(i);
    std::vector<std::int64_t> sizes;
    for (const auto& [label, members] : classes)
        sizes.push_back(static_cast<std::int64_t>(members.size()));
    const std::vector<std::int64_t> counts = shares(sizes, *subset.count, available);
    std::vector<std::int64_t> chosen;
    std::size_t position = 0;
    for (auto& [label, members] : classes) {
        draw(members, counts[position++], subset.seed, label);
        chosen.insert(chosen.end(), members.begin(), members.end());
    }
    std::sort(chosen.begin(), chosen.end());
    return {std::move(chosen), available};
}

}  // namespace lossmap
