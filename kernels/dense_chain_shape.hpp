#pragma once

#include <cstdint>

#include "kernels/dense_chain_args.hpp"
#include "kernels/strided_loop.hpp"

/// How the blocks of a dense chain share its work, and what they cost.
namespace lossmap::kernels {

/// A block of 128 threads has some rows, 128, 64 or 32. A thread has 8 of them x 8 outputs.
struct DenseBlock {
    static constexpr int kThreads = 128;
    static constexpr int kWarps = kThreads / 32;
    static constexpr int kRows = 8;     ///< of a thread
    static constexpr int kOutputs = 8;  ///< of a thread
    static constexpr int kMostRows = 128;
    static constexpr int kFewestRows = 32;
    static constexpr int kWeights = 3072;      ///< floats of weights in shared memory
    static constexpr int kResidentBlocks = 4;  ///< of a multiprocessor
    static constexpr int kEnoughBlocks = 264;  ///< two for each multiprocessor of a large GPU

    /// The widest result of blocks with so many rows.
    static constexpr std::int32_t most_width(int rows) { return kThreads * kRows * kOutputs / rows; }
};

/// One layer as a block computes it.
struct DenseLayer {
    std::int32_t inputs = 1;
    std::int32_t outputs = 1;
    std::int32_t stored = 8;   ///< stored_width(outputs)
    std::int32_t piece = 1;    ///< inputs whose weights are in shared memory at once
    std::int32_t pieces = 1;   ///< the last one may be smaller
    std::int32_t weights = 0;  ///< elements in front of its weights
    std::int32_t bias = 0;     ///< the same of its bias
    std::int32_t first_phase = 0;
    bool packed = true;           ///< whether its activation is one of has_packed()
    std::int32_t first_warp = 0;  ///< behind the last one that the layer in front of it keeps busy

    /// Warps that multiply, in blocks of so many rows.
    [[nodiscard]] std::int32_t warps(int rows) const {
        return (rows / DenseBlock::kRows * (stored / DenseBlock::kOutputs) + 31) / 32;
    }
};

namespace dense {

inline std::int64_t parts(std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; }

inline std::int32_t widest(const DenseChainArgs& args) {
    std::int32_t result = 0;
    for (int layer = 1; layer <= args.layers; ++layer)
        result = args.widths[layer] > result ? args.widths[layer] : result;
    return result;
}

/// Layer `index` of blocks with so many rows, behind the one in front of it (nullptr: none).
inline DenseLayer layer_of(const DenseChainArgs& args, int index, int rows, const DenseLayer* before) {
    DenseLayer layer;
    layer.inputs = args.widths[index];
    layer.outputs = args.widths[index + 1];
    layer.stored = stored_width(layer.outputs);
    layer.packed = has_packed(args.activations[index].op);
    std::int64_t piece = DenseBlock::kWeights / layer.stored / 4 * 4;
    // The network's input lies, a piece at a time, where results lie later.
    if (before == nullptr) piece = piece < DenseBlock::most_width(rows) ? piece : DenseBlock::most_width(rows);
    layer.pieces = static_cast<std::int32_t>(parts(layer.inputs, piece));
    // Evenly, by whole loads of 4 inputs.
    layer.piece = static_cast<std::int32_t>(parts(parts(layer.inputs, layer.pieces), 4) * 4);
    layer.pieces = static_cast<std::int32_t>(parts(layer.inputs, layer.piece));
    if (before == nullptr) return layer;
    layer.weights = before->weights + before->inputs * before->stored;
    layer.bias = before->bias + before->stored;
    layer.first_phase = before->first_phase + 2 * before->pieces + 1;
    layer.first_warp = (before->first_warp + before->warps(rows)) % DenseBlock::kWarps;
    return layer;
}

/// Issue slots of an activation, about.
inline double instructions_of(UnaryOp op) {
    switch (op) {
        case UnaryOp::identity: return 0.0;
        case UnaryOp::relu:
        case UnaryOp::clip:
        case UnaryOp::leaky_relu:
        case UnaryOp::abs:
        case UnaryOp::neg: return 3.0;
        default: return 25.0;
    }
}

}  // namespace dense

/// Rows of a block: as many as the widest result leaves room for, fewer where few blocks would be left.
/// @return 0 where a result is too wide
inline int dense_rows_of(const DenseChainArgs& args) {
    const std::int32_t widest = dense::widest(args);
    int fitting = 0;
    for (int rows = DenseBlock::kMostRows; rows >= DenseBlock::kFewestRows; rows /= 2) {
        if (widest > DenseBlock::most_width(rows)) continue;
        fitting = rows;
        if (args.points * dense::parts(args.rows, rows) >= DenseBlock::kEnoughBlocks) break;
    }
    return fitting;
}

/// What a launch for many points consists of, by a count of instructions.
struct DenseChainBlocks {
    int rows = 0;               ///< of a block
    double cycles = 0.0;        ///< of a multiprocessor, about, for a block of four that share it
    double alone_cycles = 0.0;  ///< the same for one that has it for itself
};

inline DenseChainBlocks dense_blocks_of(const DenseChainArgs& args) {
    // A thread, input and 64 multiply-adds: loads and counting beside them; what waits for barriers and for warps that
    // are not evenly spread; the latency of a piece; a value brought from and to global memory.
    constexpr double kStep = 72.0, kWaiting = 1.3, kPiece = 1100.0, kMoved = 5.0;
    DenseChainBlocks result;
    for (int rows = DenseBlock::kMostRows; rows >= DenseBlock::kFewestRows && result.rows == 0; rows /= 2)
        result.rows = dense::widest(args) <= DenseBlock::most_width(rows) ? rows : 0;
    if (result.rows == 0) return result;
    double instructions =
        kMoved / 32.0 * static_cast<double>(result.rows * (args.widths[0] + 2 * args.widths[args.layers]));
    DenseLayer layer;
    for (int k = 0; k < args.layers; ++k) {
        const DenseLayer before = layer;
        layer = dense::layer_of(args, k, result.rows, k == 0 ? nullptr : &before);
        const double own = static_cast<double>(layer.inputs) * kStep;
        const double applied =
            dense::instructions_of(args.activations[k].op) / 32.0 * static_cast<double>(result.rows * layer.outputs);
        instructions += static_cast<double>(layer.warps(result.rows)) * own + applied +
                        kMoved / 32.0 * static_cast<double>(layer.inputs * layer.stored);
        result.alone_cycles += own * kWaiting + 2.0 * applied / DenseBlock::kWarps + kPiece * layer.pieces;
    }
    result.cycles = kWaiting * instructions / DenseBlock::kWarps;
    return result;
}

}  // namespace lossmap::kernels
