#include "backend/bound_request.hpp"

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "graph/operator_table.hpp"
#include "graph/specialize.hpp"
#include "plan/value_classes.hpp"

namespace lossmap {
namespace {

std::vector<std::size_t> bind_inputs(const Graph& graph, const std::vector<FieldInfo>& fields) {
    std::vector<std::size_t> bound;
    bool any_match = false;
    for (const ValueId input : graph.inputs) {
        const std::string& name = graph.value(input).name;
        const auto found =
            std::find_if(fields.begin(), fields.end(), [&](const FieldInfo& f) { return f.name == name; });
        any_match = any_match || found != fields.end();
        bound.push_back(static_cast<std::size_t>(found - fields.begin()));
    }
    const auto missing = std::find(bound.begin(), bound.end(), fields.size());
    if (missing == bound.end()) return bound;
    if (any_match) {
        throw InputError("the data have no array for the graph input '{}'",
                         graph.value(graph.inputs[static_cast<std::size_t>(missing - bound.begin())]).name);
    }
    if (fields.size() != graph.inputs.size()) {
        throw InputError("the graph has {} inputs, the data {} arrays, and no name matches", graph.inputs.size(),
                         fields.size());
    }
    for (std::size_t k = 0; k < bound.size(); ++k)
        bound[k] = k;
    return bound;
}

void check_input(const Value& input, const FieldInfo& field) {
    const bool same_kind = is_floating_point(input.dtype) ? field.dtype == DType::f32
                                                          : is_integer(input.dtype) && field.dtype == DType::i64;
    if (!same_kind) {
        throw InputError("graph input '{}' holds {}, the data's array '{}' {}", input.name, name_of(input.dtype),
                         field.name, name_of(field.dtype));
    }
    if (!input.has_declared) return;
    const auto mismatch = [&] {
        std::string expected;
        for (std::size_t k = 1; k < input.declared.size(); ++k) {
            const Dimension& dimension = input.declared[k];
            expected += (k > 1 ? ", " : "") + (dimension.extent >= 0      ? std::to_string(dimension.extent)
                                               : dimension.symbol.empty() ? std::string("?")
                                                                          : dimension.symbol);
        }
        return InputError("graph input '{}' expects [{}] a sample, the data's array '{}' has {}", input.name, expected,
                          field.name, to_string(field.sample_shape));
    };
    if (input.declared.size() != field.sample_shape.size() + 1) throw mismatch();
    for (std::size_t k = 1; k < input.declared.size(); ++k) {
        const std::int64_t extent = input.declared[k].extent;
        if (extent >= 0 && extent != field.sample_shape[k - 1]) throw mismatch();
    }
}

ValueId find_output(const Graph& graph, const std::string& name) {
    if (graph.outputs.empty()) throw InputError("the graph has no output");
    if (name.empty()) return graph.outputs.front();
    for (const ValueId id : graph.outputs) {
        if (graph.value(id).name == name) return id;
    }
    throw InputError("the graph has no output '{}'", name);
}

void check_axes(const ExecutableRequest& request) {
    const auto weights = static_cast<std::size_t>(request.space->weights_size());
    const auto states = static_cast<std::size_t>(request.space->states_size());
    if (request.origin->weights.size() != weights || request.origin->states.size() != states) {
        throw InputError("the origin has {} weights and {} statistics, the network {} and {}",
                         request.origin->weights.size(), request.origin->states.size(), weights, states);
    }
    for (std::size_t k = 0; k < request.axes.size(); ++k) {
        const AxisView& axis = request.axes[k];
        const bool fits = (axis.weights.empty() || axis.weights.size() == weights) &&
                          (axis.states.empty() || axis.states.size() == states);
        if (fits) continue;
        throw InputError("axis {} has {} weights and {} statistics, the network {} and {}", k, axis.weights.size(),
                         axis.states.size(), weights, states);
    }
}

Shape without_axis(Shape shape, std::int64_t axis) {
    shape.erase(shape.begin() + axis);
    return shape;
}

Shape squeezed(const Shape& shape) {
    Shape result;
    std::copy_if(shape.begin(), shape.end(), std::back_inserter(result),
                 [](std::int64_t extent) { return extent != 1; });
    return result;
}

void check_labels(const LossSpec& loss, const Shape& output, const FieldInfo& target) {
    if (target.dtype != DType::i64) {
        throw InputError("loss {} needs integer labels, the targets are {}", name_of(loss.kind), name_of(target.dtype));
    }
    const auto rank = static_cast<std::int64_t>(output.size()) + 1;
    const std::int64_t axis = loss.class_axis < 0 ? loss.class_axis + rank : loss.class_axis;
    if (axis < 1 || axis >= rank) {
        throw InputError("loss {}: class axis {} is not an axis of the network's output {} a sample",
                         name_of(loss.kind), loss.class_axis, to_string(output));
    }
    const std::int64_t classes = output[static_cast<std::size_t>(axis - 1)];
    if (target.sample_shape != without_axis(output, axis - 1)) {
        throw InputError("loss {}: output {} a sample with classes on axis {} needs targets of shape {}, they have {}",
                         name_of(loss.kind), to_string(output), axis, to_string(without_axis(output, axis - 1)),
                         to_string(target.sample_shape));
    }
    if (!loss.class_weights.empty() && static_cast<std::int64_t>(loss.class_weights.size()) != classes) {
        throw InputError("loss {}: {} class weights for {} classes", name_of(loss.kind), loss.class_weights.size(),
                         classes);
    }
    if (!(loss.label_smoothing >= 0.0 && loss.label_smoothing <= 1.0)) {
        throw InputError("loss {}: label smoothing {} is not in [0, 1]", name_of(loss.kind), loss.label_smoothing);
    }
}

}  // namespace

void check_loss(const LossSpec& loss, const Shape& output, const FieldInfo& target) {
    switch (loss.kind) {
        case LossKind::cross_entropy: return check_labels(loss, output, target);
        case LossKind::output:
            if (element_count(output) != 1) {
                throw InputError("loss output: the network's output has {} a sample, one number is needed",
                                 to_string(output));
            }
            return;
        case LossKind::huber:
            if (!(loss.delta > 0.0)) throw InputError("loss huber: delta {} is not positive", loss.delta);
            break;
        case LossKind::mse:
            if (!loss.one_hot_targets && !loss.softmax_activation) break;
            if (output.size() != 1) {
                throw InputError(
                    "loss mse with one-hot targets or softmax needs an output of one vector a sample, it has {}",
                    to_string(output));
            }
            if (loss.one_hot_targets) return check_labels(loss, output, target);
            break;
        default: break;
    }
    if (element_count(output) == 0) throw InputError("the network's output {} a sample is empty", to_string(output));
    if (target.dtype != DType::f32 && target.dtype != DType::i64) {
        throw InputError("loss {}: targets are {}, f32 or i64 is needed", name_of(loss.kind), name_of(target.dtype));
    }
    // A trailing dimension of 1 is written down or not, as it happens.
    if (squeezed(output) != squeezed(target.sample_shape)) {
        throw InputError("loss {}: the network's output has {} a sample, the targets {}", name_of(loss.kind),
                         to_string(output), to_string(target.sample_shape));
    }
}

std::int64_t required_tile_samples(const ExecutableRequest& request) {
    const std::int64_t declared = declared_batch(*request.graph);
    if (request.tile_samples < 0) throw InputError("tile of {} samples", request.tile_samples);
    if (declared == 0) throw InputError("the model declares an empty batch");
    if (declared > 0 && request.tile_samples > 0 && request.tile_samples != declared) {
        throw InputError("the model's batch is fixed at {}, a tile of {} samples was asked for", declared,
                         request.tile_samples);
    }
    return declared > 0 ? declared : request.tile_samples;
}

BoundRequest bind_request(const ExecutableRequest& request, std::int64_t tile_samples) {
    if (request.graph == nullptr || request.space == nullptr || request.origin == nullptr) {
        throw InternalError("a request needs a graph, a parameter space and an origin");
    }
    const Graph& graph = *request.graph;
    require_supported(graph);
    check_axes(request);
    BoundRequest bound;
    bound.tile_samples = tile_samples;
    bound.input_fields = bind_inputs(graph, request.inputs);
    std::map<std::string, Shape> shapes;
    for (std::size_t k = 0; k < graph.inputs.size(); ++k) {
        const Value& input = graph.value(graph.inputs[k]);
        const FieldInfo& field = request.inputs[bound.input_fields[k]];
        check_input(input, field);
        Shape shape{tile_samples};
        shape.insert(shape.end(), field.sample_shape.begin(), field.sample_shape.end());
        shapes[input.name] = std::move(shape);
    }
    // Outputs keep their position when specialisation forwards them to another value.
    const ValueId named = find_output(graph, request.loss.output_name);
    const auto position = std::find(graph.outputs.begin(), graph.outputs.end(), named) - graph.outputs.begin();
    Graph narrowed = graph;
    narrowed.outputs = {graph.outputs[static_cast<std::size_t>(position)]};
    bound.graph = specialize(narrowed, shapes, {request.passes.constant_folding, request.passes.dead_code});
    bound.output = bound.graph.outputs.at(0);
    const Value& output = bound.graph.value(bound.output);
    if (output.dtype != DType::f32) {
        throw InputError("the network's output '{}' holds {}, a loss needs f32", output.name, name_of(output.dtype));
    }
    if (!depends_on_samples(classify(bound.graph)[static_cast<std::size_t>(bound.output)])) {
        throw InputError("the network's output '{}' does not depend on the data", output.name);
    }
    const Shape& shape = output.shape.value();
    if (shape.empty() || shape[0] != tile_samples) {
        throw InputError("the network's output '{}' has shape {} for {} samples; its first axis must be the samples",
                         output.name, to_string(shape), tile_samples);
    }
    bound.output_sample_shape = Shape(shape.begin() + 1, shape.end());
    check_loss(request.loss, bound.output_sample_shape, request.target);
    return bound;
}

}  // namespace lossmap
