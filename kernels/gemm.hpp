#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::kernels {

/// A matrix through strides, so any transposition; `batch_stride` between the matrices of one point.
struct MatrixStrides {
    std::int64_t row = 0;
    std::int64_t column = 1;
    std::int64_t batch = 0;
};

/// out = f(alpha * a b + beta * addend) for [m, k] x [k, n] at every point and batch; fp32 accumulation by fused
/// multiply-add in the order of k. The plain way beside cuBLAS: what a fake device runs, and a reference.
struct GemmArgs {
    Input a;
    Input b;
    Input addend;  ///< any strides, 0 broadcasts; null data: none
    Output out;
    std::int64_t points = 1;
    std::int64_t batches = 1;
    std::int64_t m = 1;
    std::int64_t n = 1;
    std::int64_t k = 1;
    MatrixStrides a_strides;
    MatrixStrides b_strides;
    MatrixStrides addend_strides;
    MatrixStrides out_strides;
    float alpha = 1.0F;
    float beta = 1.0F;
    UnaryFunction activation;
    OverflowFlags overflow;  ///< elements are counted as [batches, m, n]
};

/// A block makes kTile x kTile outputs, a thread kMicro x kMicro of them, from tiles of both matrices in shared memory.
struct Gemm {
    static constexpr int kTile = 64;
    static constexpr int kDepth = 16;  ///< of k in one step
    static constexpr int kMicro = 4;
    static constexpr int kThreads = 256;
    struct Shared {
        // One column more than the tile, so that the threads of a warp hit different banks.
        float a[kDepth][kTile + 1];
        float b[kDepth][kTile + 1];
        float out[kTile][kTile + 1];
    };
    struct Thread {
        float sums[kMicro][kMicro] = {};
    };

    GemmArgs args;
    FastExtent row_tiles;
    FastExtent column_tiles;

    LOSSMAP_HD int phases() const { return 2 * static_cast<int>((args.k + kDepth - 1) / kDepth) + 2; }

    LOSSMAP_HD void phase(int phase, std::int64_t point, std::int64_t block, int thread, Shared& shared,
                          Thread& state) const {
        std::int64_t batch = block;
        const std::int64_t column = column_tiles.take(batch) * kTile;
        const std::int64_t row = row_tiles.take(batch) * kTile;
        if (phase == phases() - 2) return collect(shared, thread, state);
        if (phase == phases() - 1) return write(point, batch, row, column, thread, shared);
        const std::int64_t depth = phase / 2 * kDepth;
        if (phase % 2 == 0) {
            fill(shared.a, args.a, args.a_strides.row, args.a_strides.column, point, args.a_strides.batch * batch, row,
                 args.m, depth, thread);
            fill(shared.b, args.b, args.b_strides.column, args.b_strides.row, point, args.b_strides.batch * batch,
                 column, args.n, depth, thread);
        } else {
            multiply(shared, thread, state);
        }
    }

private:
    /// tile[k][i] = element (first + i, depth + k) of a matrix whose dimensions are `outer` and k; 0 beyond its bounds.
    LOSSMAP_HD void fill(float (&tile)[kDepth][kTile + 1], const Input& matrix, std::int64_t outer_stride,
                         std::int64_t k_stride, std::int64_t point, std::int64_t base, std::int64_t first,
                         std::int64_t outer, std::int64_t depth, int thread) const {
        for (int flat = thread; flat < kTile * kDepth; flat += kThreads) {
            // Neighbouring threads follow the dimension that lies side by side.
            const int i = k_stride == 1 ? flat / kDepth : flat % kTile;
            const int k = k_stride == 1 ? flat % kDepth : flat / kTile;
            const bool inside = first + i < outer && depth + k < args.k;
            tile[k][i] = inside ? load_float(matrix.data, matrix.type,
                                             point * matrix.point_stride + base + (first + i) * outer_stride +
                                                 (depth + k) * k_stride)
                                : 0.0F;
        }
    }

    LOSSMAP_HD void multiply(const Shared& shared, int thread, Thread& state) const {
        const int row = thread / 16 * kMicro;
        const int column = thread % 16;
        for (int k = 0; k < kDepth; ++k) {
            float a[kMicro], b[kMicro];
            LOSSMAP_UNROLL
            for (int i = 0; i < kMicro; ++i) {
                a[i] = shared.a[k][row + i];
                b[i] = shared.b[k][column + 16 * i];
            }
            LOSSMAP_UNROLL
            for (int i = 0; i < kMicro; ++i) {
                LOSSMAP_UNROLL
                for (int j = 0; j < kMicro; ++j)
                    state.sums[i][j] = std::fma(a[i], b[j], state.sums[i][j]);
            }
        }
    }

    /// Sums go through shared memory, so that neighbouring threads write neighbouring columns.
    LOSSMAP_HD void collect(Shared& shared, int thread, const Thread& state) const {
        LOSSMAP_UNROLL
        for (int i = 0; i < kMicro; ++i) {
            LOSSMAP_UNROLL
            for (int j = 0; j < kMicro; ++j)
                shared.out[thread / 16 * kMicro + i][thread % 16 + 16 * j] = state.sums[i][j];
        }
    }

    LOSSMAP_HD void write(std::int64_t point, std::int64_t batch, std::int64_t row, std::int64_t column, int thread,
                          const Shared& shared) const {
        for (int flat = thread; flat < kTile * kTile; flat += kThreads) {
            const std::int64_t r = row + flat / kTile;
            const std::int64_t c = column + flat % kTile;
            if (r < args.m && c < args.n) write_one(point, batch, r, c, shared.out[flat / kTile][flat % kTile]);
        }
    }

    LOSSMAP_HD void write_one(std::int64_t point, std::int64_t batch, std::int64_t row, std::int64_t column,
                              float sum) const {
        const auto at = [&](const MatrixStrides& s) { return batch * s.batch + row * s.row + column * s.column; };
        float value = args.alpha == 1.0F ? sum : args.alpha * sum;
        if (args.addend.data != nullptr) {
            const float addend = load_float(args.addend.data, args.addend.type,
                                            point * args.addend.point_stride + at(args.addend_strides));
            value += args.beta == 1.0F ? addend : args.beta * addend;
        }
        flag_overflow(args.overflow, args.out.type, point, (batch * args.m + row) * args.n + column, value);
        store_float(args.out.data, args.out.type, point * args.out.point_stride + at(args.out_strides),
                    apply_activation(args.activation, value));
    }
};

template <typename Launch>
void launch_gemm(const GemmArgs& args, const Launch& launch) {
    if (is_trigonometric(args.activation.op)) refuse("gemm", "activation", static_cast<int>(args.activation.op));
    if (!is_float_storage(args.a.type) || !is_float_storage(args.b.type) || !is_float_storage(args.out.type))
        refuse("gemm", "element type", static_cast<int>(args.a.type));
    const std::int64_t rows = (args.m + Gemm::kTile - 1) / Gemm::kTile;
    const std::int64_t columns = (args.n + Gemm::kTile - 1) / Gemm::kTile;
    const std::int64_t blocks = args.batches * rows * columns;
    launch.blocks(args.points, blocks,
                  Gemm{args, FastExtent(rows, is_narrow(blocks)), FastExtent(columns, is_narrow(blocks))});
}

}  // namespace lossmap::kernels
