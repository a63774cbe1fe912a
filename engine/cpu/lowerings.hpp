#pragma once

#include "cpu/program_builder.hpp"

/// Ways to run a step, tried in order: each either adds operations and says true, or adds nothing and says false.
namespace lossmap::cpu {

/// Convolution with weights of theta, everything joined to it: oneDNN, channels-last.
[[nodiscard]] bool lower_convolution(ProgramBuilder& builder, const Step& step);
/// Gemm, and MatMul with a matrix of theta, everything joined to them: oneDNN.
[[nodiscard]] bool lower_dense(ProgramBuilder& builder, const Step& step);
/// MatMul of two activations with the same batch axes: oneDNN.
[[nodiscard]] bool lower_batched_product(ProgramBuilder& builder, const Node& node);
/// Reshape and its like: the same bytes under another shape.
[[nodiscard]] bool lower_alias(ProgramBuilder& builder, const Node& node);
/// Relu and Clip, in place where possible.
[[nodiscard]] bool lower_activation(ProgramBuilder& builder, const Node& node);
/// Batch normalisation that is not folded.
[[nodiscard]] bool lower_batch_norm(ProgramBuilder& builder, const Node& node);
/// Batch normalisation in training mode, where the program has it so.
[[nodiscard]] bool lower_training_norm(ProgramBuilder& builder, const Node& node);
/// Max and average pooling, global average pooling, in channels-last layout.
[[nodiscard]] bool lower_pool(ProgramBuilder& builder, const Node& node);
/// Everything else: the kernel of the operator table, on channels-last memory where the operator allows.
void lower_to_host_kernel(ProgramBuilder& builder, const Node& node);

}  // namespace lossmap::cpu
