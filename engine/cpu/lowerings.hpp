#pragma once

#include <algorithm>
#include <span>
#include <string_view>

#include "cpu/program_builder.hpp"

/// Ways to run a step or a node: each either adds operations and says true, or adds nothing and says false; then the
/// next way is tried, in the end the kernel of the operator table.
namespace lossmap::cpu {

/// The operator of ai.onnx that a way is for.
template <typename Subject>
struct LoweringOf {
    std::string_view op_type;
    bool (*lower)(ProgramBuilder&, const Subject&);
};
/// Ways for a step, with everything that is joined to its node.
[[nodiscard]] std::span<const LoweringOf<Step>> step_lowerings();
/// Ways for a node alone.
[[nodiscard]] std::span<const LoweringOf<Node>> node_lowerings();

/// nullptr when there is no way for this operator.
template <typename Subject>
[[nodiscard]] auto find_lowering(std::span<const LoweringOf<Subject>> ways, std::string_view op_type) {
    const auto found =
        std::find_if(ways.begin(), ways.end(), [&](const LoweringOf<Subject>& way) { return way.op_type == op_type; });
    return found == ways.end() ? nullptr : found->lower;
}

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
