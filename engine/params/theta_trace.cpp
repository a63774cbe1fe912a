#include "params/theta_trace.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <set>
#include <string_view>

#include "params/exporter_facts.hpp"

namespace lossmap {
namespace {

template <std::size_t N>
bool is_one_of(std::string_view op_type, const std::array<std::string_view, N>& names) {
    return std::find(names.begin(), names.end(), op_type) != names.end();
}

/// Operators whose result holds the elements of their first input, perhaps in another shape or order.
constexpr std::array<std::string_view, 11> kRelays = {"Identity",  "Cast",      "CastLike", "Dropout",
                                                      "Transpose", "Unsqueeze", "Squeeze",  "Reshape",
                                                      "Flatten",   "Expand",    "Slice"};
constexpr std::array<std::string_view, 5> kRandom = {"RandomNormal", "RandomUniform", "RandomNormalLike",
                                                     "RandomUniformLike", "Bernoulli"};
/// Elementwise operators keep the axes of an operand of full rank.
constexpr std::array<std::string_view, 17> kElementwise = {"Add",  "Sub",   "Mul",  "Div",     "Pow",       "Sqrt",
                                                           "Neg",  "Abs",   "Exp",  "Log",     "Max",       "Min",
                                                           "Clip", "Where", "Tanh", "Sigmoid", "Reciprocal"};
constexpr std::array<std::string_view, 4> kNormalisations = {"BatchNormalization", "InstanceNormalization",
                                                             "LayerNormalization", "LpNormalization"};

bool is_relay(const Node& node, std::size_t input) { return input == 0 && is_one_of(node.op_type, kRelays); }

/// The integers of a constant input, or of the attribute that older operator sets have in its place.
std::optional<std::vector<std::int64_t>> constant_ints(const Graph& graph, const Node& node, std::size_t input,
                                                       const char* attribute) {
    if (node.attributes.has(attribute)) return node.attributes.get_ints(attribute, {});
    if (!node.has_input(input)) return std::nullopt;
    const Tensor* data = graph.value(node.inputs[input]).data.get();
    if (data == nullptr || data->dtype() != DType::i64) return std::nullopt;
    const auto values = data->as<std::int64_t>();
    return std::vector<std::int64_t>(values.begin(), values.end());
}

AxisMap transpose(const Node& node, const std::vector<int>& axes) {
    std::vector<std::int64_t> order(axes.size());
    std::iota(order.rbegin(), order.rend(), 0);
    order = node.attributes.get_ints("perm", order);
    if (order.size() != axes.size()) return std::nullopt;
    std::vector<int> result;
    for (const std::int64_t from : order) {
        if (from < 0 || from >= static_cast<std::int64_t>(axes.size())) return std::nullopt;
        result.push_back(axes[static_cast<std::size_t>(from)]);
    }
    return result;
}

AxisMap unsqueeze(const Graph& graph, const Node& node, const std::vector<int>& axes) {
    const auto added = constant_ints(graph, node, 1, "axes");
    if (!added) return std::nullopt;
    const std::size_t rank = axes.size() + added->size();
    std::vector<bool> is_new(rank, false);
    for (std::int64_t axis : *added) {
        if (axis < 0) axis += static_cast<std::int64_t>(rank);
        if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) return std::nullopt;
        is_new[static_cast<std::size_t>(axis)] = true;
    }
    if (static_cast<std::size_t>(std::count(is_new.begin(), is_new.end(), true)) != added->size()) return std::nullopt;
    std::vector<int> result;
    auto next = axes.begin();
    for (const bool fresh : is_new)
        result.push_back(fresh ? -1 : *next++);
    return result;
}

bool has_subgraph(const Node& node) {
    return std::any_of(node.attributes.all().begin(), node.attributes.all().end(), [](const auto& entry) {
        return std::holds_alternative<std::shared_ptr<const Graph>>(entry.second);
    });
}

/// Names that the subgraphs of a node, and those within them, take from around them.
void collect_captures(const Node& node, std::set<std::string>& names) {
    for (const auto& [name, attribute] : node.attributes.all()) {
        const auto* subgraph = std::get_if<std::shared_ptr<const Graph>>(&attribute);
        if (subgraph == nullptr) continue;
        const std::set<ValueId> inputs((*subgraph)->inputs.begin(), (*subgraph)->inputs.end());
        const auto& values = (*subgraph)->values;
        for (std::size_t id = 0; id < values.size(); ++id) {
            const bool captured = values[id].kind == ValueKind::input && !inputs.contains(static_cast<ValueId>(id));
            if (captured) names.insert(values[id].name);
        }
        for (const Node& inner : (*subgraph)->nodes)
            collect_captures(inner, names);
    }
}

}  // namespace

ThetaTrace::ThetaTrace(const Graph& graph)
    : graph_(graph),
      producers_(graph.producers()),
      consumers_(graph.consumers()),
      independent_(graph.values.size(), false) {
    for (std::size_t id = 0; id < graph.values.size(); ++id)
        independent_[id] = graph.values[id].data != nullptr;
    for (const Node& node : graph.nodes) {
        const bool independent = has_independent_result(node);
        for (const ValueId id : node.outputs) {
            if (id != kNoValue) independent_[static_cast<std::size_t>(id)] = independent;
        }
    }
    for (std::size_t index = 0; index < graph.nodes.size(); ++index) {
        std::set<std::string> names;
        collect_captures(graph.nodes[index], names);
        for (const std::string& name : names)
            captures_[name].push_back(static_cast<std::int32_t>(index));
    }
}

// Shapes of samples count as known: what is expanded, sliced or reshaped by them still holds parameters only.
bool ThetaTrace::has_independent_result(const Node& node) const {
    if (node.op_type == "Shape" || node.op_type == "Size") return true;
    if (is_one_of(node.op_type, kRandom) || has_subgraph(node)) return false;
    if (is_relay(node, 0) && node.has_input(0)) return is_independent(node.inputs[0]);
    return std::all_of(node.inputs.begin(), node.inputs.end(),
                       [&](ValueId id) { return id == kNoValue || is_independent(id); });
}

ValueId ThetaTrace::source_value(ValueId id) const {
    for (std::int32_t index = producer(id); index >= 0; index = producer(id)) {
        const Node& node = graph_.nodes[static_cast<std::size_t>(index)];
        if (!is_relay(node, 0) || !node.has_input(0)) break;
        id = node.inputs[0];
    }
    return id;
}

const Node* ThetaTrace::source(ValueId id) const {
    const std::int32_t index = producer(source_value(id));
    return index < 0 ? nullptr : &graph_.nodes[static_cast<std::size_t>(index)];
}

AxisMap ThetaTrace::map_axes(const Node& node, std::size_t input, const AxisMap& axes) const {
    if (!axes) return std::nullopt;
    const std::string& op = node.op_type;
    if (op == "Identity" || op == "Cast" || op == "CastLike" || op == "Dropout" || op == "Slice" || op == "Concat")
        return axes;
    if (op == "Transpose") return transpose(node, *axes);
    if (op == "Unsqueeze") return unsqueeze(graph_, node, *axes);
    if (is_one_of(op, kElementwise)) return axes;
    if (input == 0 && is_one_of(op, kNormalisations)) return axes;
    return std::nullopt;
}

// Layers may work on what no sample enters (learned queries, tables of relative positions): their weights are weights
// all the same. A matrix product alone does not make a layer: it may put a weight together (W = A B). PyTorch's linear
// layer reads its weight transposed, or exporters have transposed it already and made up a name.
bool ThetaTrace::is_layer_slot(const Step& step, const Node& node, std::size_t input) const {
    if (step.computed) return false;
    if (node.op_type == "Add") return is_bias_of_product(step, node, input);
    if (input == 0) return false;
    if (node.op_type == "Gemm" || node.op_type == "LayerNormalization") return true;
    const bool matrix = node.op_type == "MatMul" && step.axes && step.axes->size() == 2;
    return matrix && ((*step.axes)[1] == 0 || is_anonymous(graph_.value(step.stored).name));
}

bool ThetaTrace::is_bias_of_product(const Step& step, const Node& node, std::size_t input) const {
    if (!step.axes || step.axes->size() != 1 || node.inputs.size() != 2) return false;
    const Node* product = source(node.inputs[1 - input]);
    return product != nullptr && product->op_type == "MatMul";
}

void ThetaTrace::visit(const Step& step, std::int32_t reader, std::size_t input, std::vector<Step>& pending,
                       std::vector<Use>& uses) const {
    const Node& node = graph_.nodes[static_cast<std::size_t>(reader)];
    // Neither the shape nor the element type of a parameter depends on theta.
    if (node.op_type == "Shape" || node.op_type == "Size" || (node.op_type == "CastLike" && input == 1)) return;
    // A scale or zero point is a setting, whatever becomes of the tensor that it scales.
    if (input > 0 && (node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear")) {
        uses.push_back({reader, input, step.axes, step.computed});
        return;
    }
    const bool relay = is_relay(node, input);
    const bool independent = !node.outputs.empty() && node.has_output(0) && is_independent(node.outputs[0]);
    const bool layout = relay || ((node.op_type == "Concat" || node.op_type == "Split") && independent);
    const bool table = node.op_type == "Gather" && input == 0;
    if (table || (!relay && !independent) || is_layer_slot(step, node, input)) {
        uses.push_back({reader, input, step.axes, step.computed});
        return;
    }
    for (const ValueId output : node.outputs) {
        if (output == kNoValue) continue;
        pending.push_back({output, map_axes(node, input, step.axes), step.computed || !layout, step.stored});
    }
}

std::vector<Use> ThetaTrace::uses_of(ValueId id) const {
    std::vector<int> axes(graph_.value(id).shape.value_or(Shape{}).size());
    std::iota(axes.begin(), axes.end(), 0);
    std::vector<Use> uses;
    std::vector<Step> pending = {{id, axes, false, id}};
    std::set<ValueId> seen;
    while (!pending.empty()) {
        const Step step = std::move(pending.back());
        pending.pop_back();
        if (!seen.insert(step.value).second) continue;
        const auto captured = captures_.find(graph_.value(step.value).name);
        if (captured != captures_.end()) {
            for (const std::int32_t node : captured->second)
                uses.push_back({node, kCaptured, std::nullopt, step.computed});
        }
        for (const std::int32_t reader : consumers_[static_cast<std::size_t>(step.value)]) {
            const Node& node = graph_.nodes[static_cast<std::size_t>(reader)];
            for (std::size_t input = 0; input < node.inputs.size(); ++input) {
                if (node.inputs[input] == step.value) visit(step, reader, input, pending, uses);
            }
        }
    }
    return uses;
}

}  // namespace lossmap
