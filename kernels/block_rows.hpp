#pragma once

#include <cstdint>

#include "core/host_device.hpp"

namespace lossmap::kernels {

/// Threads of a block that work on rows together.
inline constexpr int kRowThreads = 256;

/// A block of kRowThreads threads that handles kRowThreads / kLanes rows, kLanes threads a row. Partial results of a
/// row meet in shared memory, pairwise, in a fixed order.
template <int kLanes>
struct RowBlock {
    static constexpr int kRows = kRowThreads / kLanes;
    /// Phases that a pairwise reduction takes.
    static constexpr int kTreeSteps = kLanes == 256 ? 8 : 5;
    static_assert(kLanes == 256 || kLanes == 32);

    LOSSMAP_HD static std::int64_t row_of(std::int64_t block, int thread) { return block * kRows + thread / kLanes; }
    LOSSMAP_HD static int lane_of(int thread) { return thread % kLanes; }
    /// Place of a row's result in shared memory after the last step.
    LOSSMAP_HD static int result_of(int thread) { return thread / kLanes * kLanes; }

    /// Step `step` of kTreeSteps: partial[thread] takes in its partner's value.
    template <typename T, typename Combine>
    LOSSMAP_HD static void tree_step(T* partial, int thread, int step, const Combine& combine) {
        const int offset = kLanes >> (step + 1);
        if (lane_of(thread) < offset) partial[thread] = combine(partial[thread], partial[thread + offset]);
    }

    /// Blocks that `rows` rows take.
    static std::int64_t blocks_of(std::int64_t rows) { return (rows + kRows - 1) / kRows; }
};

/// Rows of fewer elements are handled by one thread each.
inline constexpr std::int64_t kFewElements = 32;
/// Rows of more elements are handled by a whole block each, those in between by 32 threads.
inline constexpr std::int64_t kManyElements = 1024;

struct Sum {
    template <typename T>
    LOSSMAP_HD T operator()(T a, T b) const {
        return a + b;
    }
};

}  // namespace lossmap::kernels
