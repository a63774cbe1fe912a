#include "params/parameter_space.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lossmap {
namespace {

std::int64_t total_size(const std::vector<Parameter>& segment) {
    return segment.empty() ? 0 : segment.back().offset + segment.back().size;
}

std::vector<float> read_segment(const Graph& graph, const std::vector<Parameter>& segment) {
    std::vector<float> values(static_cast<std::size_t>(total_size(segment)));
    for (const Parameter& parameter : segment) {
        const auto known = static_cast<std::size_t>(parameter.value) < graph.values.size();
        const Tensor* data = known && parameter.value >= 0 ? graph.value(parameter.value).data.get() : nullptr;
        if (data == nullptr) throw InputError("the parameter '{}' has no value in this graph", parameter.name);
        if (data->shape() != parameter.shape) {
            throw InputError("the parameter '{}' has shape {}, expected {}", parameter.name, to_string(data->shape()),
                             to_string(parameter.shape));
        }
        const auto source = data->as<float>();
        std::copy(source.begin(), source.end(), values.begin() + parameter.offset);
    }
    return values;
}

}  // namespace

const char* name_of(Role role) {
    switch (role) {
        case Role::filter_weight: return "filter_weight";
        case Role::bias: return "bias";
        case Role::norm_scale: return "norm_scale";
        case Role::norm_shift: return "norm_shift";
        case Role::running_mean: return "running_mean";
        case Role::running_variance: return "running_variance";
        case Role::other: return "other";
    }
    throw InternalError("unknown parameter role");
}

std::int64_t ParameterSpace::weights_size() const { return total_size(weights); }

std::int64_t ParameterSpace::states_size() const { return total_size(states); }

const Parameter* ParameterSpace::find(const std::string& name) const {
    for (const auto* segment : {&weights, &states}) {
        const auto found =
            std::find_if(segment->begin(), segment->end(), [&](const Parameter& p) { return p.name == name; });
        if (found != segment->end()) return &*found;
    }
    return nullptr;
}

StateVector read_state(const Graph& graph, const ParameterSpace& space) {
    return {read_segment(graph, space.weights), read_segment(graph, space.states)};
}

}  // namespace lossmap
