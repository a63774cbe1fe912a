#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lossmap {

/// A block of memory that is needed from step `first` to step `last`, both included.
struct Lifetime {
    std::int64_t first = 0;
    std::int64_t last = 0;
    std::size_t size_bytes = 0;
};

/// Where each block lies in one arena.
struct MemoryPlan {
    std::vector<std::size_t> offsets;  ///< one a lifetime, in bytes, multiples of the alignment
    std::size_t size_bytes = 0;        ///< of the arena
};

/// Gives every block an offset so that blocks alive at the same step never overlap. Largest blocks first, each into the
/// smallest gap that holds it (greedy by size, Pisarchyk and Lee 2020, "Efficient memory management for deep neural net
/// inference", section 5.2). Throws InternalError for a lifetime that ends before it begins.
[[nodiscard]] MemoryPlan plan_memory(std::span<const Lifetime> lifetimes, std::size_t alignment = 64);

}  // namespace lossmap
