#pragma once

#include "cuda/backend/dense_chain.hpp"
#include "cuda/backend/program_builder.hpp"
#include "cuda/backend/stage_chain.hpp"
#include "plan/fusion.hpp"

/// Ways to run a node or step, tried in order: each either adds operations and says true, or adds nothing and says
/// false. One that knows the operator but not this use of it throws UnsupportedError with a sentence.
namespace lossmap::cuda {

/// Convolution with weights that do not depend on samples, everything joined to it.
/// @param pools  whether a MaxPool that alone reads its result may join it, too: that has been computed then
[[nodiscard]] bool lower_convolution(ProgramBuilder& builder, const Step& step, bool pools);
/// Gemm, and MatMul with a matrix that does not depend on samples, everything joined to them.
[[nodiscard]] bool lower_dense(ProgramBuilder& builder, const Step& step);
/// Whether a step is one of those.
[[nodiscard]] bool is_dense_layer(const ProgramBuilder& builder, const Step& step);

/// A chain of convolutions in one launch, with the layout of their weights. A chain that was found can be run.
void lower_stage(ProgramBuilder& builder, const Lowering& lowering, const StageChain& chain);
/// The same of dense layers; says what the launch takes.
BlockTimes lower_dense_chain(ProgramBuilder& builder, const Lowering& lowering, const DenseChain& chain);

/// Reshape and its like, Transpose, Expand, Split, Cast to the same type: other strides, nothing moves.
[[nodiscard]] bool lower_view(ProgramBuilder& builder, const Node& node);
/// Slice, Pad, Tile, Resize by nearest neighbours, Concat, DepthToSpace: elements move.
[[nodiscard]] bool lower_move(ProgramBuilder& builder, const Node& node);
/// Resize by linear or cubic interpolation.
[[nodiscard]] bool lower_resample(ProgramBuilder& builder, const Node& node);
/// Functions of one element, Clip, Cast.
[[nodiscard]] bool lower_unary(ProgramBuilder& builder, const Node& node);
/// Functions of two or more elements, Where.
[[nodiscard]] bool lower_binary(ProgramBuilder& builder, const Node& node);
/// Reductions, ArgMax, Softmax and its like, CumSum, LpNormalization.
[[nodiscard]] bool lower_reduction(ProgramBuilder& builder, const Node& node);
/// Layer, RMS, instance, group and local response normalisation; batch norms that are not folded.
[[nodiscard]] bool lower_normalization(ProgramBuilder& builder, const Node& node);
/// Max, average and Lp pooling, global ones too.
[[nodiscard]] bool lower_pool(ProgramBuilder& builder, const Node& node);
/// Transposed convolutions, and those whose weights depend on samples.
[[nodiscard]] bool lower_direct_convolution(ProgramBuilder& builder, const Node& node);
/// Products of two activations.
[[nodiscard]] bool lower_product(ProgramBuilder& builder, const Node& node);
/// Einsum of one or two operands.
[[nodiscard]] bool lower_einsum(ProgramBuilder& builder, const Node& node);
/// Gather and Scatter, OneHot, Trilu, TopK.
[[nodiscard]] bool lower_indexing(ProgramBuilder& builder, const Node& node);
/// LSTM, GRU, RNN.
[[nodiscard]] bool lower_recurrent(ProgramBuilder& builder, const Node& node);
/// Attention.
[[nodiscard]] bool lower_attention(ProgramBuilder& builder, const Node& node);

/// Any node on its own. Throws UnsupportedError naming the operator when no way is known.
void lower_node(ProgramBuilder& builder, const Node& node);

}  // namespace lossmap::cuda
