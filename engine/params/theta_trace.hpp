#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace lossmap {

/// For each dimension of a value on its way to a consumer the axis of the stored tensor it comes from, -1 for a new
/// one. nullopt when the way is not tracked.
using AxisMap = std::optional<std::vector<int>>;

/// Input index of a value that a subgraph of the node (If, Loop) takes from around it.
inline constexpr std::size_t kCaptured = static_cast<std::size_t>(-1);

/// Where a stored tensor takes effect: the first node on its way that is not mere layout or arithmetic on parameters.
struct Use {
    std::int32_t node = -1;  ///< index into Graph::nodes
    std::size_t input = 0;   ///< kCaptured: read inside a branch of the node
    AxisMap axes;            ///< of the value that the node reads
    bool computed = false;   ///< arithmetic on parameters lies in between (weight normalisation, ..)
};

/// Follows stored tensors to their uses. Holds the topology of one graph, which must not change meanwhile.
class ThetaTrace {
public:
    explicit ThetaTrace(const Graph& graph);

    [[nodiscard]] const Graph& graph() const { return graph_; }
    [[nodiscard]] std::vector<Use> uses_of(ValueId id) const;
    /// Whether the value depends on no element of a fed input (on its shape it may).
    [[nodiscard]] bool is_independent(ValueId id) const { return independent_[static_cast<std::size_t>(id)]; }
    /// Index of the producing node, -1 for none.
    [[nodiscard]] std::int32_t producer(ValueId id) const { return producers_[static_cast<std::size_t>(id)]; }
    /// The node that computes `id`, Reshape, Transpose, Cast and the like skipped; nullptr for inputs and constants.
    [[nodiscard]] const Node* source(ValueId id) const;
    /// The value itself at the start of such a chain.
    [[nodiscard]] ValueId source_value(ValueId id) const;

private:
    struct Step {
        ValueId value;
        AxisMap axes;
        bool computed;
        ValueId stored;  ///< the tensor that is followed
    };
    void visit(const Step& step, std::int32_t reader, std::size_t input, std::vector<Step>& pending,
               std::vector<Use>& uses) const;
    /// Whether the node is a layer that takes the tensor as its weight, scale or bias.
    [[nodiscard]] bool is_layer_slot(const Step& step, const Node& node, std::size_t input) const;
    [[nodiscard]] bool is_bias_of_product(const Step& step, const Node& node, std::size_t input) const;
    [[nodiscard]] bool has_independent_result(const Node& node) const;
    [[nodiscard]] AxisMap map_axes(const Node& node, std::size_t input, const AxisMap& axes) const;

    const Graph& graph_;
    std::vector<std::int32_t> producers_;
    std::vector<std::vector<std::int32_t>> consumers_;
    std::vector<bool> independent_;
    std::map<std::string, std::vector<std::int32_t>> captures_;  ///< name to the nodes whose subgraphs read it
};

}  // namespace lossmap
