#include "params/pattern_rules.hpp"

#include <algorithm>
#include <string_view>

#include "params/tensor_content.hpp"

namespace lossmap {
namespace {

constexpr int kLongestChain = 8;  // Div, Sqrt, Add, Cast, ReduceMean and a few casts

bool independent_input(const ThetaTrace& trace, const Node& node, std::size_t input) {
    return node.has_input(input) && trace.is_independent(node.inputs[input]);
}

/// Whether a root of a mean of squares lies behind `id`: Sqrt or Pow first, ReduceMean (or ReduceSum over a count)
/// later.
bool is_root_of_mean(const ThetaTrace& trace, ValueId id, bool root_seen, int depth) {
    if (depth == 0 || id == kNoValue) return false;
    const Node* node = trace.source(id);
    if (node == nullptr) return false;
    const std::string_view op = node->op_type;
    if (op == "ReduceMean") return root_seen;
    const bool root = op == "Sqrt" || (op == "Pow" && root_seen == false);
    const bool passes = root || op == "Reciprocal" || op == "Add" || op == "Div" || op == "Max" || op == "Clip";
    if (!passes) return false;
    return std::any_of(node->inputs.begin(), node->inputs.end(),
                       [&](ValueId input) { return is_root_of_mean(trace, input, root_seen || root, depth - 1); });
}

bool is_uniform_constant(const ThetaTrace& trace, ValueId id) {
    const Value& value = trace.graph().value(trace.source_value(id));
    return value.data == nullptr || inspect_content(*value.data).uniform;
}

}  // namespace

bool is_linear_result(const ThetaTrace& trace, ValueId id) {
    const Node* node = trace.source(id);
    if (node == nullptr) return false;
    const std::string_view op = node->op_type;
    if (op != "MatMul" && op != "Gemm" && op != "Conv" && op != "ConvTranspose" && op != "Einsum") return false;
    // A product of two values that depend on samples is attention: what is added there is a mask.
    return independent_input(trace, *node, 0) || independent_input(trace, *node, 1);
}

bool is_normalized(const ThetaTrace& trace, ValueId id) {
    const Node* node = trace.source(id);
    if (node == nullptr) return false;
    const std::string_view op = node->op_type;
    if (op == "InstanceNormalization" || op == "LayerNormalization" || op == "RMSNormalization") {
        return node->has_input(1) && is_uniform_constant(trace, node->inputs[1]);
    }
    if (op == "MeanVarianceNormalization") return true;
    if (op == "Div") return node->has_input(1) && is_root_of_mean(trace, node->inputs[1], false, kLongestChain);
    if (op != "Mul") return false;
    return std::any_of(node->inputs.begin(), node->inputs.end(),
                       [&](ValueId input) { return is_root_of_mean(trace, input, false, kLongestChain); });
}

bool is_scaled_norm(const ThetaTrace& trace, ValueId id) {
    const Node* node = trace.source(id);
    if (node == nullptr || node->op_type != "Mul" || node->inputs.size() != 2) return false;
    for (std::size_t scale = 0; scale < 2; ++scale) {
        if (independent_input(trace, *node, scale) && is_normalized(trace, node->inputs[1 - scale])) return true;
    }
    return false;
}

bool is_raw_input(const ThetaTrace& trace, ValueId id) {
    for (int depth = 0; depth < kLongestChain; ++depth) {
        const ValueId start = trace.source_value(id);
        const Node* node = trace.source(start);
        if (node == nullptr) return trace.graph().value(start).kind == ValueKind::input;
        const std::string_view op = node->op_type;
        if (op != "Sub" && op != "Div" && op != "Mul" && op != "Add") return false;
        const bool left = independent_input(trace, *node, 0);
        if (node->inputs.size() != 2 || left == independent_input(trace, *node, 1)) return false;
        id = node->inputs[left ? 1 : 0];
    }
    return false;
}

}  // namespace lossmap
