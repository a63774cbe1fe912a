#include "cli/commands/multiply_adds.hpp"

#include <gtest/gtest.h>

namespace lossmap {
namespace {

ValueId add(Graph& graph, const std::string& name, Shape shape) {
    Value value;
    value.name = name;
    value.shape = std::move(shape);
    return graph.add_value(std::move(value));
}

/// Multiply-adds of one node with values of these shapes.
std::int64_t count(const std::string& op, const std::vector<Shape>& inputs, const Shape& output,
                   Attributes attributes = {}) {
    Graph graph;
    Node node;
    node.op_type = op;
    node.attributes = std::move(attributes);
    for (std::size_t k = 0; k < inputs.size(); ++k)
        node.inputs.push_back(add(graph, "in" + std::to_string(k), inputs[k]));
    node.outputs = {add(graph, "out", output)};
    graph.nodes.push_back(std::move(node));
    std::int64_t total = 0;
    for (const auto& [name, value] : count_multiply_adds(graph))
        total += value;
    return total;
}

TEST(MultiplyAdds, AreThoseOfTheDefinitions) {
    // 8 filters of 3 x 3 over 4 channels, on 5 x 6 places.
    EXPECT_EQ(count("Conv", {{1, 4, 5, 6}, {8, 4, 3, 3}}, {1, 8, 5, 6}), 8 * 5 * 6 * 4 * 9);
    // Depthwise: each output channel reads one input channel.
    EXPECT_EQ(count("Conv", {{1, 4, 5, 6}, {4, 1, 3, 3}}, {1, 4, 5, 6}), 4 * 5 * 6 * 9);
    // Each of 4 x 5 x 6 inputs is spread over 8 channels by 2 x 2.
    EXPECT_EQ(count("ConvTranspose", {{1, 4, 5, 6}, {4, 8, 2, 2}}, {1, 8, 10, 12}), 4 * 5 * 6 * 8 * 4);
    EXPECT_EQ(count("Gemm", {{2, 7}, {7, 3}}, {2, 3}), 2 * 7 * 3);
    Attributes transposed;
    transposed.set("transA", std::int64_t{1});
    EXPECT_EQ(count("Gemm", {{7, 2}, {7, 3}}, {2, 3}, transposed), 2 * 7 * 3);
    EXPECT_EQ(count("MatMul", {{5, 2, 7}, {7, 3}}, {5, 2, 3}), 5 * 2 * 7 * 3);
    // Six steps of two samples: 4 gates of 5 units read 3 inputs and 5 hidden values.
    EXPECT_EQ(count("LSTM", {{6, 2, 3}, {1, 20, 3}, {1, 20, 5}}, {6, 1, 2, 5}), 6 * 2 * 20 * (3 + 5));
    EXPECT_EQ(count("GRU", {{6, 2, 3}, {1, 15, 3}, {1, 15, 5}}, {6, 1, 2, 5}), 6 * 2 * 15 * (3 + 5));
    EXPECT_EQ(count("RNN", {{6, 2, 3}, {2, 5, 3}, {2, 5, 5}}, {6, 2, 2, 5}), 6 * 2 * 2 * 5 * (3 + 5));
    EXPECT_EQ(count("Relu", {{1, 4}}, {1, 4}), 0);
}

TEST(MultiplyAdds, OfEinsumAreAllCombinationsOfIndices) {
    const auto einsum = [](const char* equation, const std::vector<Shape>& inputs, const Shape& output) {
        Attributes attributes;
        attributes.set("equation", std::string(equation));
        return count("Einsum", inputs, output, attributes);
    };
    EXPECT_EQ(einsum("nhqd,nhkd->nhqk", {{2, 3, 5, 7}, {2, 3, 4, 7}}, {2, 3, 5, 4}), 2 * 3 * 5 * 4 * 7);
    EXPECT_EQ(einsum("...i,ij", {{6, 5, 3}, {3, 4}}, {6, 5, 4}), 6 * 5 * 3 * 4);
    EXPECT_EQ(einsum("bn,anm,bm->ba", {{2, 5}, {3, 5, 7}, {2, 7}}, {2, 3}), 2 * 2 * 3 * 5 * 7);
    EXPECT_EQ(einsum("ij->ji", {{4, 5}}, {5, 4}), 0);
}

TEST(MultiplyAdds, OfAttentionCountPastKeysAndTheWidthOfValues) {
    // Two samples of 4 heads, 5 queries of width 8, 6 keys, values of width 3.
    EXPECT_EQ(count("Attention", {{2, 4, 5, 8}, {2, 4, 6, 8}, {2, 4, 6, 3}}, {2, 4, 5, 3}), 2 * 4 * 5 * 6 * (8 + 3));
    // The same with 3 past keys.
    EXPECT_EQ(count("Attention", {{2, 4, 5, 8}, {2, 4, 6, 8}, {2, 4, 6, 3}, {5, 9}, {2, 4, 3, 8}, {2, 4, 3, 3}},
                    {2, 4, 5, 3}),
              2 * 4 * 5 * 9 * (8 + 3));
}

}  // namespace
}  // namespace lossmap
