#include "plan/memory_plan.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/error.hpp"

namespace lossmap {
namespace {

struct Occupied {
    std::size_t begin = 0;
    std::size_t end = 0;
};

/// Start of the smallest gap between `taken` blocks (sorted by begin) that holds `size`, else the end of the last one.
std::size_t best_gap(const std::vector<Occupied>& taken, std::size_t size) {
    std::size_t best = 0;
    std::size_t best_size = std::numeric_limits<std::size_t>::max();
    std::size_t end = 0;
    for (const Occupied& block : taken) {
        if (block.begin > end && block.begin - end >= size && block.begin - end < best_size) {
            best = end;
            best_size = block.begin - end;
        }
        end = std::max(end, block.end);
    }
    return best_size == std::numeric_limits<std::size_t>::max() ? end : best;
}

}  // namespace

MemoryPlan plan_memory(std::span<const Lifetime> lifetimes, std::size_t alignment) {
    std::vector<std::size_t> order(lifetimes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return lifetimes[a].size_bytes > lifetimes[b].size_bytes; });
    MemoryPlan plan;
    plan.offsets.assign(lifetimes.size(), 0);
    std::vector<std::size_t> placed;
    for (const std::size_t index : order) {
        const Lifetime& wanted = lifetimes[index];
        if (wanted.last < wanted.first) throw InternalError("lifetime [{}, {}] is empty", wanted.first, wanted.last);
        const std::size_t size = (wanted.size_bytes + alignment - 1) / alignment * alignment;
        std::vector<Occupied> taken;
        for (const std::size_t other : placed) {
            const Lifetime& life = lifetimes[other];
            if (life.last < wanted.first || life.first > wanted.last) continue;
            taken.push_back({plan.offsets[other], plan.offsets[other] + life.size_bytes});
        }
        std::sort(taken.begin(), taken.end(), [](const Occupied& a, const Occupied& b) { return a.begin < b.begin; });
        // Ends are rounded up so that every gap begins aligned.
        for (Occupied& block : taken)
            block.end = (block.end + alignment - 1) / alignment * alignment;
        plan.offsets[index] = best_gap(taken, size);
        plan.size_bytes = std::max(plan.size_bytes, plan.offsets[index] + size);
        placed.push_back(index);
    }
    return plan;
}

}  // namespace lossmap
