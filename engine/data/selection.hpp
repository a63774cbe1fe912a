#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset_factory.hpp"

namespace lossmap {

/// Which samples of a split belong to a data set, in ascending order: a range, or a list drawn at random.
class Selection {
public:
    /// Samples [start, start + count).
    Selection(std::int64_t start, std::int64_t count) : start_(start), count_(count) {}
    /// Ascending sample numbers, drawn at random from `available`.
    Selection(std::vector<std::int64_t> indices, std::int64_t available)
        : count_(static_cast<std::int64_t>(indices.size())), available_(available), indices_(std::move(indices)) {}

    [[nodiscard]] std::int64_t size() const { return count_; }
    /// See Dataset::drawn_from.
    [[nodiscard]] std::optional<std::int64_t> drawn_from() const {
        return available_ > count_ ? std::optional(available_) : std::nullopt;
    }

    /// Calls `body(first, count, position)` for each run of neighbouring samples among [begin, begin + count) of the
    /// selection; `position` counts from 0.
    void for_each_run(std::int64_t begin, std::int64_t count,
                      const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& body) const;

private:
    std::int64_t start_ = 0;
    std::int64_t count_ = 0;
    std::int64_t available_ = 0;  ///< 0: not drawn at random
    std::vector<std::int64_t> indices_;
};

/// A range of `available` samples. Throws InputError("<source>: ..") when the subset is empty or goes beyond the end.
[[nodiscard]] Selection select_in_order(const SubsetSpec& subset, std::int64_t available, const std::string& source);

/// `subset.count` samples drawn without replacement so that every class has its share: shares are rounded by the
/// largest remainder (equal remainders: the lower label first), members drawn by Philox from the seed. `labels` holds
/// one label a sample. Throws InputError as above.
[[nodiscard]] Selection select_stratified(const SubsetSpec& subset, std::span<const std::int64_t> labels,
                                          const std::string& source);

}  // namespace lossmap
