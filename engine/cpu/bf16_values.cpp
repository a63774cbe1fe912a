#include "cpu/bf16_values.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace lossmap::cpu {
namespace {

/// Their results are elements of their operand, clipped at most: rounding before them or behind them is the same.
constexpr std::array<std::string_view, 8> kHandOn{"Clip",    "Flatten", "Identity", "MaxPool",
                                                  "Reshape", "Relu",    "Squeeze",  "Unsqueeze"};

bool hands_on(const Node& node) {
    return node.domain.empty() && std::find(kHandOn.begin(), kHandOn.end(), node.op_type) != kHandOn.end();
}

}  // namespace

bool is_weight_layer(const Graph& graph, const Lowering& lowering, const Step& step) {
    const Node& node = graph.nodes[static_cast<std::size_t>(step.node)];
    if (!node.domain.empty() || (node.op_type != "Conv" && node.op_type != "Gemm" && node.op_type != "MatMul")) {
        return false;
    }
    const auto moves = [&](ValueId id) { return depends_on_samples(lowering.classes[static_cast<std::size_t>(id)]); };
    return moves(node.inputs[0]) && !moves(node.inputs[1]);
}

std::vector<bool> bf16_values(const Graph& graph, const Lowering& lowering) {
    std::vector<bool> read(graph.values.size(), false);
    const auto mark = [&](ValueId id) {
        const bool output = std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end();
        if (id != kNoValue && !output && graph.value(id).dtype == DType::f32) read[static_cast<std::size_t>(id)] = true;
    };
    for (auto step = lowering.steps.rbegin(); step != lowering.steps.rend(); ++step) {
        const Node& node = graph.nodes[static_cast<std::size_t>(step->node)];
        const ValueId result = graph.nodes[static_cast<std::size_t>(step->last_node())].outputs[0];
        const bool result_is_read = result != kNoValue && read[static_cast<std::size_t>(result)];
        const bool layer = is_weight_layer(graph, lowering, *step);
        if (layer || (result_is_read && hands_on(node))) mark(node.inputs[0]);
        // A layer adds its residual in the form of its result.
        if (layer && result_is_read) mark(step->residual);
    }
    return read;
}

}  // namespace lossmap::cpu
