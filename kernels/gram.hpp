#pragma once

#include <cmath>
#include <cstdint>

#include "core/host_device.hpp"
#include "kernels/operand.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// Elements whose products make one sum before it is added to the matrix; eight sums, one a lane, are added up in it.
inline constexpr int kGramChunk = 512;
inline constexpr int kGramLanes = 8;

/// Inner products of all pairs of rows, chunk by chunk: parts[chunk, row, column] for column <= row, fp32 in, fp64
/// products (exact) and sums. Lane l adds elements l, l + 8, .. of the chunk in that order, then the lanes are added in
/// order: the bits of the host's sums (cpu/gram_matrix.hpp). What lies above the diagonal of `parts` is undefined.
struct GramPartsArgs {
    const float* rows = nullptr;  ///< [count], `row_stride` elements apart
    std::int64_t row_stride = 0;
    std::int64_t count = 0;
    std::int64_t length = 0;  ///< elements of a row
    double* parts = nullptr;  ///< [chunks, count, count]

    [[nodiscard]] std::int64_t chunks() const { return (length + kGramChunk - 1) / kGramChunk; }
};

/// A block has one tile of the matrix, for one chunk (a "point" of the launch). A thread has one lane of a few pairs;
/// the rows of the tile pass through shared memory a step of the chunk at a time.
struct GramParts {
    static constexpr int kThreads = 256;
    static constexpr int kTile = 16;
    static constexpr int kStep = 128;
    static constexpr int kSteps = kGramChunk / kStep;
    static constexpr int kThreadRows = 2;
    static constexpr int kThreadColumns = 4;
    // Columns of neighbouring groups of threads lie in other banks of shared memory.
    static constexpr int kStride = kStep + 2;
    static_assert(kThreads == kGramLanes * (kTile / kThreadRows) * (kTile / kThreadColumns));
    static_assert(kThreads == kTile * kTile);
    struct Shared {
        float rows[kTile][kStride];
        float columns[kTile][kStride];
        double sums[kTile * kTile][kGramLanes];
    };
    struct Thread {
        double sums[kThreadRows * kThreadColumns] = {};
    };

    GramPartsArgs args;
    FastExtent tiles;

    LOSSMAP_HD int phases() const { return 2 * kSteps + 2; }

    LOSSMAP_HD void phase(int phase, std::int64_t chunk, std::int64_t block, int thread, Shared& shared,
                          Thread& state) const {
        std::int64_t tile_row = block;
        const std::int64_t tile_column = tiles.take(tile_row);
        if (tile_column > tile_row) return;
        if (phase < 2 * kSteps) {
            const std::int64_t first = chunk * kGramChunk + phase / 2 * kStep;
            if (phase % 2 == 0) {
                load(tile_row, first, thread, shared.rows);
                load(tile_column, first, thread, shared.columns);
            } else {
                multiply(thread, shared, state);
            }
        } else if (phase == 2 * kSteps) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kThreadRows * kThreadColumns; ++k)
                shared.sums[pair_of(thread, k)][thread % kGramLanes] = state.sums[k];
        } else {
            write(tile_row * kTile + thread / kTile, tile_column * kTile + thread % kTile, chunk, shared.sums[thread]);
        }
    }

private:
    LOSSMAP_HD static int row_of(int thread, int k) {
        const int group = thread / kGramLanes;
        return group / (kTile / kThreadColumns) * kThreadRows + k / kThreadColumns;
    }
    LOSSMAP_HD static int column_of(int thread, int k) {
        const int group = thread / kGramLanes;
        return group % (kTile / kThreadColumns) * kThreadColumns + k % kThreadColumns;
    }
    LOSSMAP_HD static int pair_of(int thread, int k) { return row_of(thread, k) * kTile + column_of(thread, k); }

    /// Beyond the last row or element: zeros, which add nothing.
    LOSSMAP_HD void load(std::int64_t tile, std::int64_t first, int thread, float (&target)[kTile][kStride]) const {
        for (int k = thread; k < kTile * kStep; k += kThreads) {
            const std::int64_t row = tile * kTile + k / kStep;
            const std::int64_t element = first + k % kStep;
            const bool there = row < args.count && element < args.length;
            target[k / kStep][k % kStep] = there ? args.rows[row * args.row_stride + element] : 0.0F;
        }
    }

    LOSSMAP_HD static void multiply(int thread, const Shared& shared, Thread& state) {
        for (int element = thread % kGramLanes; element < kStep; element += kGramLanes) {
            double columns[kThreadColumns];
            LOSSMAP_UNROLL
            for (int c = 0; c < kThreadColumns; ++c)
                columns[c] = static_cast<double>(shared.columns[column_of(thread, c)][element]);
            LOSSMAP_UNROLL
            for (int r = 0; r < kThreadRows; ++r) {
                const auto row = static_cast<double>(shared.rows[row_of(thread, r * kThreadColumns)][element]);
                LOSSMAP_UNROLL
                for (int c = 0; c < kThreadColumns; ++c) {
                    double& sum = state.sums[r * kThreadColumns + c];
                    // The product of two fp32 numbers is exact: fused or not, the sum has the same bits.
                    sum = std::fma(row, columns[c], sum);
                }
            }
        }
    }

    LOSSMAP_HD void write(std::int64_t row, std::int64_t column, std::int64_t chunk,
                          const double (&lanes)[kGramLanes]) const {
        if (row >= args.count || column > row) return;
        double sum = 0.0;
        for (int lane = 0; lane < kGramLanes; ++lane)
            sum += lanes[lane];
        args.parts[(chunk * args.count + row) * args.count + column] = sum;
    }
};

template <typename Launch>
void launch_gram_parts(const GramPartsArgs& args, const Launch& launch) {
    const std::int64_t tiles = (args.count + GramParts::kTile - 1) / GramParts::kTile;
    launch.blocks(args.chunks(), tiles * tiles, GramParts{args, FastExtent(tiles, is_narrow(tiles * tiles))});
}

/// gram[row, column] += parts[0, row, column] + .., one chunk after the other, for column <= row.
struct GramSumsArgs {
    const double* parts = nullptr;  ///< [chunks, count, count]
    std::int64_t chunks = 0;
    std::int64_t count = 0;
    double* gram = nullptr;  ///< [count, count]
};

struct GramSums {
    GramSumsArgs args;
    FastExtent columns;

    LOSSMAP_HD void operator()(std::int64_t, std::int64_t index) const {
        std::int64_t row = index;
        if (columns.take(row) > row) return;
        double sum = args.gram[index];
        for (std::int64_t chunk = 0; chunk < args.chunks; ++chunk)
            sum += args.parts[chunk * args.count * args.count + index];
        args.gram[index] = sum;
    }
};

template <typename Launch>
void launch_gram_sums(const GramSumsArgs& args, const Launch& launch) {
    const std::int64_t size = args.count * args.count;
    launch.items(1, size, GramSums{args, FastExtent(args.count, is_narrow(size))});
}

}  // namespace lossmap::kernels
