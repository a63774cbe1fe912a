#include "cuda/backend/step_readers.hpp"

namespace lossmap::cuda {

StepReaders::StepReaders(const Graph& graph, const Lowering& lowering)
    : consumers_(graph.consumers()), step_of_node_(graph.nodes.size(), -1), is_output_(graph.values.size(), false) {
    for (std::size_t k = 0; k < lowering.steps.size(); ++k)
        step_of_node_[static_cast<std::size_t>(lowering.steps[k].node)] = static_cast<std::int32_t>(k);
    for (const ValueId id : graph.outputs)
        is_output_[static_cast<std::size_t>(id)] = true;
}

}  // namespace lossmap::cuda
