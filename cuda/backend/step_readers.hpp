#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "graph/graph.hpp"
#include "plan/fusion.hpp"

namespace lossmap::cuda {

/// Who reads the values of a lowered graph: for whoever joins several steps into one launch.
class StepReaders {
public:
    StepReaders(const Graph& graph, const Lowering& lowering);

    /// Nodes that read a value, in order.
    [[nodiscard]] std::span<const std::int32_t> of(ValueId value) const {
        return consumers_[static_cast<std::size_t>(value)];
    }
    /// Whether a value is a result of the graph.
    [[nodiscard]] bool is_output(ValueId value) const { return is_output_[static_cast<std::size_t>(value)]; }
    /// The step that begins with a node; nullopt: none does.
    [[nodiscard]] std::optional<std::size_t> step_of(std::int32_t node) const {
        const std::int32_t step = step_of_node_[static_cast<std::size_t>(node)];
        return step < 0 ? std::nullopt : std::optional(static_cast<std::size_t>(step));
    }

private:
    std::vector<std::vector<std::int32_t>> consumers_;
    std::vector<std::int32_t> step_of_node_;  ///< -1: none
    std::vector<bool> is_output_;
};

}  // namespace lossmap::cuda
