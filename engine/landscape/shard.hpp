#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace lossmap {

/// What one of several processes computes of a surface: every `count`-th point, so that all have nearly the same number
/// of them and each sees the whole grid. The units of all shares together are those of a run without shares.
struct Shard {
    std::int64_t index = 1;  ///< 1 to count
    std::int64_t count = 1;

    [[nodiscard]] bool has(std::size_t point) const { return point % static_cast<std::size_t>(count) == first(); }
    /// How many of the points 0 to points - 1 it has.
    [[nodiscard]] std::size_t size(std::size_t points) const;
    /// "2/8"
    [[nodiscard]] std::string name() const;

private:
    [[nodiscard]] std::size_t first() const { return static_cast<std::size_t>(index % count); }
};

/// Of "I/N" with I from 0 to N: 0 and N are the same share, so that who counts from 0 and who counts from 1 both name
/// every share once. Throws InputError.
[[nodiscard]] Shard parse_shard(const std::string& text);

}  // namespace lossmap
