#include "backend/training_norms.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "graph/specialize.hpp"
#include "plan/value_classes.hpp"

namespace lossmap {
namespace {

constexpr std::size_t kMeanInput = 3;
constexpr std::size_t kVarianceInput = 4;

bool is_batch_norm(const Node& node) { return node.domain.empty() && node.op_type == "BatchNormalization"; }

const Parameter& state_of(const Node& node, std::size_t input, const Graph& graph, const ParameterSpace& space) {
    const ValueId id = node.inputs[input];
    const auto found = std::find_if(space.states.begin(), space.states.end(),
                                    [id](const Parameter& state) { return state.value == id; });
    if (found != space.states.end()) return *found;
    throw UnsupportedError("{}: its running {} '{}' is not a statistic that the network stores: it cannot be estimated",
                           node.describe(), input == kMeanInput ? "mean" : "variance", graph.value(id).name);
}

/// PyTorch refuses them in training, too: the variance of one value is no estimate.
void require_several_values(const Node& node, const Shape& shape) {
    const std::int64_t values = element_count(shape) / std::max<std::int64_t>(shape[1], 1);
    if (values > 1) return;
    throw InputError("{}: a batch of {} samples gives {} values a channel, a variance needs at least 2",
                     node.describe(), shape[0], values);
}

}  // namespace

std::vector<TrainingNorm> training_norms(const BoundRequest& bound, const ParameterSpace& space) {
    const Graph& graph = bound.graph;
    const std::vector<ValueClass> classes = classify(graph);
    const auto depends = [&](ValueId id) { return depends_on_samples(classes[static_cast<std::size_t>(id)]); };
    std::vector<TrainingNorm> norms;
    for (std::size_t index = 0; index < graph.nodes.size(); ++index) {
        const Node& node = graph.nodes[index];
        if (!is_batch_norm(node) || !depends(node.outputs[0])) continue;
        const Value& input = graph.value(node.inputs[0]);
        const Shape& shape = input.shape.value();
        if (input.dtype != DType::f32 || shape.size() < 2) {
            throw UnsupportedError("{}: its input is {} {}, statistics can be estimated of f32 with channels on axis 1",
                                   node.describe(), name_of(input.dtype), to_string(shape));
        }
        if (depends(node.inputs[1]) || depends(node.inputs[2])) {
            throw UnsupportedError("{}: its scale or shift depends on the data", node.describe());
        }
        require_several_values(node, shape);
        const Parameter& mean = state_of(node, kMeanInput, graph, space);
        const Parameter& variance = state_of(node, kVarianceInput, graph, space);
        for (const TrainingNorm& other : norms) {
            if (other.mean_offset != static_cast<std::size_t>(mean.offset) &&
                other.variance_offset != static_cast<std::size_t>(variance.offset)) {
                continue;
            }
            throw UnsupportedError("{} and {} share running statistics, which cannot be estimated for both",
                                   graph.nodes[static_cast<std::size_t>(other.node)].describe(), node.describe());
        }
        norms.push_back({static_cast<std::int32_t>(index), static_cast<std::size_t>(mean.offset),
                         static_cast<std::size_t>(variance.offset), static_cast<std::size_t>(shape[1])});
    }
    if (norms.empty()) {
        throw InputError(
            "the network has no batch normalisation: there are no statistics to re-estimate (exporters fold them into "
            "the weights unless told otherwise; tools/export_onnx.py keeps them)");
    }
    return norms;
}

BoundRequest bind_batch(const ExecutableRequest& request, std::int64_t batch_samples) {
    if (batch_samples < 1) throw InputError("a batch of {} samples", batch_samples);
    const std::int64_t declared = declared_batch(*request.graph);
    if (declared > 0 && declared != batch_samples) {
        throw InputError("the model's batch is fixed at {}, statistics were to be estimated in batches of {} samples",
                         declared, batch_samples);
    }
    BoundRequest bound = bind_request(request, batch_samples);
    static_cast<void>(training_norms(bound, *request.space));
    return bound;
}

}  // namespace lossmap
