#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::kernels {

/// Layers of a chain, and results of one of them.
inline constexpr int kMaxDenseLayers = 16;
inline constexpr std::int32_t kMaxDenseWidth = 256;

/// Outputs of a layer as they lie in the weights of a chain.
LOSSMAP_HD inline std::int32_t stored_width(std::int32_t outputs) { return (outputs + 7) / 8 * 8; }

/// Dense layers one behind the other, x -> f(x W + b), of all points in one launch: out = the last one's result. Sums
/// are fp32, by fused multiply-add from the bias on, over the inputs in order, whatever the numbers of points and rows
/// are; what lies between two layers is kept in fp32.
struct DenseChainArgs {
    Input in;       ///< [rows, widths[0]]
    Input weights;  ///< of each layer in turn [its inputs, stored_width(its outputs)], zeros behind the outputs
    Input bias;     ///< f32, of each layer in turn [stored_width(its outputs)]
    Output out;     ///< [rows, widths[layers]]
    std::int64_t points = 1;
    std::int64_t rows = 1;
    int layers = 1;
    std::int32_t widths[kMaxDenseLayers + 1] = {};  ///< of the input, then of results, at most kMaxDenseWidth each
    UnaryFunction activations[kMaxDenseLayers];     ///< f of each layer: of floating-point results, not trigonometric
    /// Watches what an activation is applied to and its result: as out.type the last layer's, as `between` the others',
    /// as if they were stored as that. elements_per_sample: rows of a sample, or 0.
    OverflowFlags overflow;
    DType between = DType::f32;
};

/// Whether a chain applies a function: one that neither gives bool nor is trigonometric.
inline bool is_activation_of_chains(UnaryOp op) {
    return !is_trigonometric(op) && op != UnaryOp::logical_not && op != UnaryOp::is_nan && op != UnaryOp::is_inf &&
           op != UnaryOp::bitwise_not;
}

}  // namespace lossmap::kernels
