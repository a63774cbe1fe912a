#include "plan/fusion.hpp"

#include <set>

#include <gtest/gtest.h>

#include "graph/specialize.hpp"
#include "tests/support/reference_net.hpp"

namespace lossmap {
namespace {

using test::ReferenceNet;

Graph specialized(const ReferenceNet& net) {
    Shape shape{2};
    shape.insert(shape.end(), net.shape(net.input()).begin(), net.shape(net.input()).end());
    return specialize(net.graph(), {{"input", shape}});
}

/// Every node is in exactly one step or among the theta nodes, and a step stands behind all that it reads.
void expect_complete(const Graph& graph, const Lowering& lowering) {
    std::multiset<std::int32_t> seen(lowering.theta_nodes.begin(), lowering.theta_nodes.end());
    std::set<ValueId> ready;
    for (std::size_t id = 0; id < graph.values.size(); ++id) {
        if (graph.values[id].kind != ValueKind::computed) ready.insert(static_cast<ValueId>(id));
    }
    for (const std::int32_t index : lowering.theta_nodes) {
        for (const ValueId id : graph.nodes[static_cast<std::size_t>(index)].outputs)
            ready.insert(id);
    }
    for (const Step& step : lowering.steps) {
        for (const std::int32_t index :
             {step.node, step.bias_add, step.batch_norm, step.residual_add, step.activation}) {
            if (index < 0) continue;
            seen.insert(index);
            for (const ValueId id : graph.nodes[static_cast<std::size_t>(index)].inputs) {
                EXPECT_TRUE(id == kNoValue || ready.contains(id)) << graph.value(id).name;
            }
            for (const ValueId id : graph.nodes[static_cast<std::size_t>(index)].outputs)
                ready.insert(id);
        }
    }
    EXPECT_EQ(seen.size(), graph.nodes.size());
    for (std::int32_t index = 0; index < static_cast<std::int32_t>(graph.nodes.size()); ++index) {
        EXPECT_EQ(seen.count(index), 1u) << "node " << index;
    }
}

ReferenceNet residual_net() {
    ReferenceNet net({3, 8, 8});
    const auto stem = net.relu(net.batch_norm(net.conv(net.input(), 4, 3, 1, 1)));
    const auto inner = net.relu(net.batch_norm(net.conv(stem, 4, 3, 1, 1)));
    const auto sum = net.relu(net.add(net.batch_norm(net.conv(inner, 4, 3, 1, 1)), stem));
    net.output(net.gemm(net.flatten(net.global_average_pool(sum)), 5, true));
    return net;
}

TEST(Fusion, JoinsAResidualBlockIntoTwoSteps) {
    const Graph graph = specialized(residual_net());
    const Lowering lowering = lower(graph);
    expect_complete(graph, lowering);
    ASSERT_EQ(lowering.steps.size(), 6u);  // three convolutions, pool, flatten, Gemm
    const Step& last = lowering.steps[2];
    EXPECT_GE(last.batch_norm, 0);
    EXPECT_GE(last.residual_add, 0);
    EXPECT_GE(last.activation, 0);
    EXPECT_EQ(last.residual, graph.nodes[static_cast<std::size_t>(lowering.steps[0].last_node())].outputs[0]);
    EXPECT_TRUE(lowering.theta_nodes.empty());
}

TEST(Fusion, EachPassCanBeSwitchedOff) {
    const Graph graph = specialized(residual_net());
    for (int off = 0; off < 4; ++off) {
        PassSet passes;
        (off == 0   ? passes.batch_norm
         : off == 1 ? passes.residual
         : off == 2 ? passes.activation
                    : passes.bias_add) = false;
        const Lowering lowering = lower(graph, passes);
        expect_complete(graph, lowering);
        for (const Step& step : lowering.steps) {
            EXPECT_TRUE(off != 0 || step.batch_norm < 0);
            EXPECT_TRUE(off != 1 || step.residual_add < 0);
            EXPECT_TRUE(off != 2 || step.activation < 0);
        }
    }
    EXPECT_EQ(lower(graph, PassSet::none()).steps.size(), graph.nodes.size());
}

TEST(Fusion, AValueThatIsReadTwiceIsKept) {
    ReferenceNet net({2, 4, 4});
    const auto x = net.conv(net.input(), 2, 3, 1, 1);
    net.output(net.flatten(net.add(net.relu(x), x)));
    const Graph graph = specialized(net);
    const Lowering lowering = lower(graph);
    expect_complete(graph, lowering);
    EXPECT_LT(lowering.steps[0].activation, 0);
}

TEST(Fusion, AnOutputInTheMiddleIsKept) {
    ReferenceNet net({2, 4, 4});
    const auto x = net.conv(net.input(), 2, 3, 1, 1);
    net.relu(x);
    net.output(x);
    Graph graph = net.graph();
    graph.outputs.push_back(graph.nodes.back().outputs[0]);
    graph = specialize(graph, {{"input", {2, 2, 4, 4}}});
    const Lowering lowering = lower(graph);
    expect_complete(graph, lowering);
    EXPECT_EQ(lowering.steps.size(), 2u);
}

TEST(Fusion, TheSumOfTwoConvolutionsJoinsOneOfThem) {
    ReferenceNet net({2, 4, 4});
    const auto sum = net.add(net.batch_norm(net.conv(net.input(), 3, 3, 1, 1)), net.conv(net.input(), 3, 1, 1, 0));
    net.output(net.flatten(net.relu(sum)));
    const Graph graph = specialized(net);
    const Lowering lowering = lower(graph);
    expect_complete(graph, lowering);
    EXPECT_EQ(lowering.steps.size(), 3u);
}

TEST(Fusion, ABiasBehindAMatrixProductIsJoined) {
    ReferenceNet net({6});
    net.output(net.relu(net.linear(net.input(), 4)));
    const Graph graph = specialized(net);
    const Lowering lowering = lower(graph);
    expect_complete(graph, lowering);
    ASSERT_EQ(lowering.steps.size(), 1u);
    EXPECT_GE(lowering.steps[0].bias_add, 0);
    EXPECT_NE(lowering.steps[0].added_bias, kNoValue);
}

}  // namespace
}  // namespace lossmap
