#include "cli/run/data_source.hpp"

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "graph/specialize.hpp"

namespace lossmap {
namespace {

bool is_closed(const std::vector<FieldInfo>& inputs) {
    return std::all_of(inputs.begin(), inputs.end(), [](const FieldInfo& input) {
        return std::all_of(input.sample_shape.begin(), input.sample_shape.end(), [](std::int64_t e) { return e >= 0; });
    });
}

/// Shape of the output that the loss reads, without the sample dimension, for inputs of these shapes.
Shape output_shape(const Graph& graph, const std::vector<FieldInfo>& inputs, const std::string& output_name) {
    const std::int64_t declared = declared_batch(graph);
    std::map<std::string, Shape> shapes;
    for (const FieldInfo& input : inputs) {
        Shape shape{declared > 0 ? declared : 1};
        shape.insert(shape.end(), input.sample_shape.begin(), input.sample_shape.end());
        shapes[input.name] = std::move(shape);
    }
    Graph narrowed = graph;
    const auto named = std::find_if(graph.outputs.begin(), graph.outputs.end(),
                                    [&](ValueId id) { return graph.value(id).name == output_name; });
    if (!output_name.empty() && named == graph.outputs.end()) {
        throw InputError("the graph has no output '{}'", output_name);
    }
    if (graph.outputs.empty()) throw InputError("the graph has no output");
    narrowed.outputs = {output_name.empty() ? graph.outputs.front() : *named};
    const Graph concrete = specialize(narrowed, shapes);
    const Shape shape = concrete.value(concrete.outputs.at(0)).shape.value_or(Shape{});
    return shape.empty() ? Shape{} : Shape(shape.begin() + 1, shape.end());
}

/// What the targets have to be for an output of this shape a sample.
void expect_targets(const LossSpec& loss, const Shape& output, DataExpectation& expectation) {
    if (!loss.has_classes()) {
        expectation.synthetic_target_shape = output;
        return;
    }
    const auto rank = static_cast<std::int64_t>(output.size()) + 1;
    const std::int64_t axis = loss.class_axis < 0 ? loss.class_axis + rank : loss.class_axis;
    // An axis that does not exist is refused when the loss is bound; labels cannot be checked against it.
    if (axis < 1 || axis >= rank) return;
    expectation.classes = output[static_cast<std::size_t>(axis - 1)];
    Shape targets = output;
    targets.erase(targets.begin() + (axis - 1));
    expectation.synthetic_target_shape = std::move(targets);
}

/// Whether all data of a run hold the same inputs as bytes: one network reads them all.
bool come_alike(const Config& config, const std::vector<std::unique_ptr<Dataset>>& data) {
    const std::vector<FieldInfo>& first = data.front()->inputs();
    const auto alike = [&](const std::vector<FieldInfo>& inputs) {
        return std::equal(inputs.begin(), inputs.end(), first.begin(), first.end(),
                          [](const FieldInfo& a, const FieldInfo& b) { return a.byte_channels == b.byte_channels; });
    };
    if (!std::all_of(data.begin(), data.end(), [&](const auto& split) { return alike(split->inputs()); })) return false;
    return config.statistics() == nullptr || alike(open_statistics(config, first)->inputs());
}

}  // namespace

std::vector<FieldInfo> declared_inputs(const Graph& graph) {
    if (graph.inputs.empty()) throw InputError("the model has no inputs that data could feed");
    std::vector<FieldInfo> inputs;
    for (const ValueId id : graph.inputs) {
        const Value& value = graph.value(id);
        if (!value.has_declared || value.declared.empty()) {
            throw InputError("the model declares no shape with samples first for its input '{}'", value.name);
        }
        FieldInfo field{value.name, is_floating_point(value.dtype) ? DType::f32 : DType::i64, {}};
        for (std::size_t k = 1; k < value.declared.size(); ++k)
            field.sample_shape.push_back(value.declared[k].extent);
        inputs.push_back(std::move(field));
    }
    return inputs;
}

std::vector<std::unique_ptr<Dataset>> open_data(const Config& config, const Graph& graph, bool bytes) {
    DataExpectation expectation;
    expectation.inputs = declared_inputs(graph);
    expectation.integer_targets = config.loss.has_classes();
    expectation.ignore_index = config.loss.ignore_index;
    expectation.needs_target = config.loss.kind != LossKind::output;
    const auto open = [&](const std::string& split) {
        return with_context(fmt::format("{}: /data/{}", config.file.string(), split),
                            [&] { return open_dataset(config.data.splits.at(split), expectation); });
    };
    // Where the model leaves extents open, the data's own decide what the network's output looks like.
    std::vector<FieldInfo> inputs = expectation.inputs;
    if (!is_closed(inputs) && config.data.format != DataFormat::synthetic)
        inputs = open(config.splits.front())->inputs();
    if (is_closed(inputs)) {
        with_context(config.models.front().path.string(), [&] {
            expect_targets(config.loss, output_shape(graph, inputs, config.loss.output_name), expectation);
        });
    }
    expectation.bytes = bytes;
    std::vector<std::unique_ptr<Dataset>> data;
    for (const std::string& split : config.splits)
        data.push_back(open(split));
    if (!bytes || come_alike(config, data)) return data;
    expectation.bytes = false;
    for (std::size_t k = 0; k < data.size(); ++k)
        data[k] = open(config.splits[k]);
    return data;
}

std::shared_ptr<const Dataset> open_statistics(const Config& config, const std::vector<FieldInfo>& inputs) {
    const StatisticsConfig* statistics = config.statistics();
    if (statistics == nullptr) throw InternalError("the configuration has no statistics");
    DataExpectation expectation;
    expectation.inputs = inputs;
    expectation.needs_target = false;
    expectation.bytes = std::any_of(inputs.begin(), inputs.end(), [](const FieldInfo& f) { return f.is_bytes(); });
    DataSpec spec = config.data.splits.at(statistics->split);
    SubsetSpec first;
    first.count = statistics->count;
    spec.subset = first;
    return with_context(fmt::format("{}: statistics from /data/{}", config.file.string(), statistics->split),
                        [&] { return std::shared_ptr<const Dataset>(open_dataset(spec, expectation)); });
}

}  // namespace lossmap
