#include "cli/commands/multiply_adds.hpp"

#include "core/shape.hpp"
#include "graph/ops/einsum.hpp"

namespace lossmap {
namespace {

const Shape& shape_of(const Graph& graph, ValueId id) {
    static const Shape unknown;
    if (id == kNoValue) return unknown;
    const auto& shape = graph.value(id).shape;
    return shape ? *shape : unknown;
}

std::int64_t product_from(const Shape& shape, std::size_t first) {
    std::int64_t product = 1;
    for (std::size_t k = first; k < shape.size(); ++k)
        product *= shape[k];
    return product;
}

/// Last but `back` extent, 0 where there is none.
std::int64_t extent_from_end(const Shape& shape, std::size_t back) {
    return shape.size() > back ? shape[shape.size() - 1 - back] : 0;
}

/// W is [directions, gates * hidden, inputs], R [directions, gates * hidden, hidden]: each is applied once a step and
/// sample.
std::int64_t recurrent(const Shape& input, const Shape& w, const Shape& r) {
    if (input.size() != 3) return 0;
    return input[0] * input[1] * (element_count(w) + element_count(r));
}

std::int64_t of_node(const Graph& graph, const Node& node) {
    const auto input = [&](std::size_t k) -> const Shape& {
        return shape_of(graph, k < node.inputs.size() ? node.inputs[k] : kNoValue);
    };
    const Shape& output = shape_of(graph, node.outputs.empty() ? kNoValue : node.outputs[0]);
    // The weight is [out, in / groups, kernel..] of a convolution, [in, out / groups, kernel..] of a transposed one.
    if (node.op_type == "Conv") return element_count(output) * product_from(input(1), 1);
    if (node.op_type == "ConvTranspose") return element_count(input(0)) * product_from(input(1), 1);
    if (node.op_type == "Gemm") {
        const bool transposed = node.attributes.get_int("transA", 0) != 0;
        return element_count(output) * extent_from_end(input(0), transposed ? 1 : 0);
    }
    if (node.op_type == "MatMul") return element_count(output) * extent_from_end(input(0), 0);
    if (node.op_type == "LSTM" || node.op_type == "GRU" || node.op_type == "RNN")
        return recurrent(input(0), input(1), input(2));
    if (node.op_type == "Einsum") {
        std::vector<Shape> operands;
        for (std::size_t k = 0; k < node.inputs.size(); ++k)
            operands.push_back(input(k));
        return ops::einsum_multiply_adds(node, operands);
    }
    if (node.op_type == "Attention") {
        // Scores q k, then their product with v: each number of q and of the result meets every key, past ones
        // included.
        const std::int64_t past = node.has_input(4) ? extent_from_end(input(4), 1) : 0;
        return (element_count(input(0)) + element_count(output)) * (extent_from_end(input(1), 1) + past);
    }
    return 0;
}

}  // namespace

std::map<std::string, std::int64_t> count_multiply_adds(const Graph& graph) {
    std::map<std::string, std::int64_t> result;
    for (const Node& node : graph.nodes) {
        const std::int64_t count = of_node(graph, node);
        if (count > 0) result[node.op_type] += count;
    }
    return result;
}

}  // namespace lossmap
