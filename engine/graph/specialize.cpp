#include "graph/specialize.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "graph/ops/op_support.hpp"
#include "graph/specializer.hpp"

namespace lossmap {
namespace {

constexpr std::int64_t kMaxFoldedElements = std::int64_t{1} << 31;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;

std::string declared_text(const Value& value) {
    std::string text;
    for (const Dimension& dimension : value.declared) {
        if (!text.empty()) text += ", ";
        if (dimension.extent >= 0)
            text += std::to_string(dimension.extent);
        else
            text += dimension.symbol.empty() ? "?" : dimension.symbol;
    }
    return "[" + text + "]";
}

/// Checks a shape against the declaration; equal symbols must mean equal extents in all inputs.
void check_declared(const Value& value, const Shape& shape, std::map<std::string, std::int64_t>& symbols) {
    if (!value.has_declared) return;
    bool fits = shape.size() == value.declared.size();
    for (std::size_t axis = 0; fits && axis < shape.size(); ++axis) {
        const Dimension& dimension = value.declared[axis];
        if (dimension.extent >= 0) fits = dimension.extent == shape[axis];
        if (dimension.extent >= 0 || dimension.symbol.empty()) continue;
        const auto [known, added] = symbols.emplace(dimension.symbol, shape[axis]);
        if (known->second != shape[axis]) {
            throw InputError("input '{}': dimension {} ('{}') is {}, elsewhere it is {}", value.name, axis,
                             dimension.symbol, shape[axis], known->second);
        }
    }
    if (!fits) {
        throw InputError("input '{}' has shape {}, the model declares {}", value.name, to_string(shape),
                         declared_text(value));
    }
}

bool is_plain(const Node& node, std::string_view op_type) {
    return node.op_type == op_type && (node.domain.empty() || node.domain == "ai.onnx");
}

}  // namespace

Specializer::Specializer(const Graph& source, const SpecializeOptions& options)
    : graph_(source), options_(options), forwarded_(source.values.size(), kNoValue) {
    graph_.nodes.clear();
    for (Value& value : graph_.values) {
        if (value.kind == ValueKind::computed) value.shape.reset();
        if ((value.kind == ValueKind::constant || value.kind == ValueKind::parameter) && value.data) {
            value.shape = value.data->shape();
            value.dtype = value.data->dtype();
        }
    }
}

void Specializer::set_input_shapes(const std::map<std::string, Shape>& input_shapes) {
    std::map<std::string, std::int64_t> symbols;
    for (const ValueId id : graph_.inputs) {
        Value& value = graph_.value(id);
        const auto found = input_shapes.find(value.name);
        if (found == input_shapes.end()) throw InputError("no shape is given for the model's input '{}'", value.name);
        (void)element_count(found->second);
        check_declared(value, found->second, symbols);
        value.shape = found->second;
    }
    for (const auto& [name, shape] : input_shapes) {
        const bool known =
            std::ranges::any_of(graph_.inputs, [&, &name = name](ValueId id) { return graph_.value(id).name == name; });
        if (!known) throw InputError("the model has no input named '{}'", name);
    }
}

ValueId Specializer::resolve(ValueId id) const {
    while (id != kNoValue && forwarded_[static_cast<std::size_t>(id)] != kNoValue)
        id = forwarded_[static_cast<std::size_t>(id)];
    return id;
}

void Specializer::forward(ValueId from, ValueId to) {
    if (from != kNoValue && from != resolve(to)) forwarded_[static_cast<std::size_t>(from)] = resolve(to);
}

ValueId Specializer::add_computed(const std::string& name) {
    Value value;
    value.name = name;
    forwarded_.push_back(kNoValue);
    return graph_.add_value(std::move(value));
}

ValueId Specializer::add_constant(const std::string& name, Tensor tensor) {
    const ValueId id = add_computed(name);
    set_constant(id, std::move(tensor));
    return id;
}

void Specializer::set_constant(ValueId id, Tensor tensor) {
    Value& value = graph_.value(id);
    value.kind = ValueKind::constant;
    value.dtype = tensor.dtype();
    value.shape = tensor.shape();
    value.data = std::make_shared<const Tensor>(std::move(tensor));
}

const Tensor* Specializer::constant(ValueId id) const {
    if (id == kNoValue) return nullptr;
    const Value& value = graph_.value(id);
    if (value.kind == ValueKind::constant) return value.data.get();
    const auto known = known_.find(id);
    return known == known_.end() ? nullptr : &known->second;
}

void Specializer::process(Node node) {
    for (ValueId& id : node.inputs)
        id = resolve(id);
    const bool provided = std::ranges::all_of(
        node.outputs, [&](ValueId id) { return id == kNoValue || graph_.value(id).kind != ValueKind::computed; });
    if (provided) return;  // parameter identification replaced what the node would give
    with_context(node.describe(), [&] {
        if (const std::string why = why_unsupported(node); !why.empty()) throw UnsupportedError(why);
        if (!rewrite(node)) emit(std::move(node));
    });
}

void Specializer::process_dropout(const Node& node) {
    if (node.has_input(2)) {
        const Tensor* training = constant(node.inputs[2]);
        if (training == nullptr || training->dtype() != DType::boolean ||
            (training->count() > 0 && training->as<bool>()[0])) {
            throw UnsupportedError("training mode is not supported");
        }
    }
    forward(node.outputs[0], node.inputs[0]);
    if (!node.has_output(1)) return;
    const Shape& shape = graph_.value(node.inputs[0]).shape.value();
    Tensor mask(DType::boolean, shape);
    std::ranges::fill(mask.as<bool>(), true);
    set_constant(node.outputs[1], std::move(mask));
}

std::vector<TensorType> Specializer::infer(const Node& node, const OperatorInfo& info) const {
    InferenceContext context{node, {}, {}};
    for (const ValueId id : node.inputs) {
        TensorType type;
        if (id != kNoValue) {
            const Value& value = graph_.value(id);
            if (sequences_.contains(id)) throw UnsupportedError("input '{}' is a sequence", value.name);
            if (!value.shape) throw UnsupportedError("input '{}' is an output that is not supported", value.name);
            type = {value.dtype, *value.shape};
        }
        context.inputs.push_back(std::move(type));
        context.constants.push_back(constant(id));
    }
    std::vector<TensorType> types = info.infer(context);
    for (const TensorType& type : types) {
        if (element_count(type.shape) > kMaxElements)
            throw InputError("its output would have the shape {}", to_string(type.shape));
    }
    return types;
}

bool Specializer::can_fold(const Node& node) const {
    // These read the shape or the element type of an input and not its elements.
    if (is_plain(node, "Shape") || is_plain(node, "Size") || is_plain(node, "EyeLike")) return true;
    if (is_plain(node, "CastLike")) return constant(node.inputs[0]) != nullptr;
    return std::ranges::all_of(node.inputs, [&](ValueId id) { return id == kNoValue || constant(id) != nullptr; });
}

std::vector<Tensor> Specializer::compute(const Node& node, const OperatorInfo& info,
                                         const std::vector<TensorType>& types) const {
    std::vector<ConstTensorView> inputs;
    for (const ValueId id : node.inputs) {
        const Tensor* tensor = constant(id);
        if (tensor != nullptr)
            inputs.push_back(tensor->view());
        else if (id != kNoValue)
            inputs.emplace_back(graph_.value(id).dtype, graph_.value(id).shape.value(), nullptr);
        else
            inputs.emplace_back();
    }
    std::vector<Tensor> results;
    std::vector<TensorView> outputs;
    for (std::size_t index = 0; index < node.outputs.size(); ++index) {
        if (!node.has_output(index)) {
            results.emplace_back();
            outputs.emplace_back();
            continue;
        }
        if (element_count(types[index].shape) > kMaxFoldedElements) {
            throw InputError("a constant of shape {} is too large", to_string(types[index].shape));
        }
        outputs.push_back(results.emplace_back(types[index].dtype, types[index].shape).view());
    }
    info.run(node, inputs, outputs);
    return results;
}

bool Specializer::stays_in_graph(const Node& node, const std::vector<TensorType>& types) const {
    if (options_.fold_constants) return false;
    return std::ranges::all_of(node.inputs, [&](ValueId id) { return id == kNoValue || constant(id) != nullptr; }) &&
           std::ranges::all_of(types, [](const TensorType& type) { return is_floating_point(type.dtype); });
}

void Specializer::emit(Node node) {
    const OperatorInfo& info = *find_operator(node.domain == "ai.onnx" ? "" : node.domain, node.op_type);
    if (info.infer == nullptr || info.run == nullptr) throw InternalError("operator '{}' has no rule", node.op_type);
    const std::vector<TensorType> types = infer(node, info);
    // Outputs without a type exist in training mode only; whoever reads them is refused.
    if (node.outputs.size() > types.size()) node.outputs.resize(types.size());
    if (can_fold(node)) {
        const bool stays = stays_in_graph(node, types);
        std::vector<Tensor> results = compute(node, info, types);
        for (std::size_t index = 0; index < node.outputs.size(); ++index) {
            if (!node.has_output(index)) continue;
            if (stays)
                known_.insert_or_assign(node.outputs[index], std::move(results[index]));
            else
                set_constant(node.outputs[index], std::move(results[index]));
        }
        if (!stays) return;
    }
    for (std::size_t index = 0; index < node.outputs.size(); ++index) {
        if (!node.has_output(index)) continue;
        Value& value = graph_.value(node.outputs[index]);
        value.dtype = types[index].dtype;
        value.shape = types[index].shape;
    }
    nodes_.push_back(std::move(node));
}

bool Specializer::rewrite(const Node& node) {
    if (!node.domain.empty() && node.domain != "ai.onnx") return false;
    if (node.op_type == "Identity") return publish(node.outputs[0], node.inputs[0]), true;
    if (node.op_type == "Dropout") return process_dropout(node), true;
    if (node.op_type == "If") return process_if(node), true;
    if (node.op_type == "Loop") return process_loop(node), true;
    if (node.op_type == "SplitToSequence") return process_split_to_sequence(node), true;
    if (node.op_type == "SequenceAt") return process_sequence_at(node), true;
    if (node.op_type == "ConcatFromSequence") return process_concat_from_sequence(node), true;
    if (node.op_type.starts_with("Sequence")) return process_sequence(node), true;
    return false;
}

Graph Specializer::finish() {
    for (ValueId& id : graph_.outputs) {
        id = resolve(id);
        if (sequences_.contains(id)) throw UnsupportedError("output '{}' is a sequence", graph_.value(id).name);
        if (!graph_.value(id).shape) throw UnsupportedError("output '{}' is not supported", graph_.value(id).name);
    }
    graph_.nodes = std::move(nodes_);
    if (options_.drop_dead_nodes) remove_dead_nodes(graph_);
    return std::move(graph_);
}

Graph specialize(const Graph& graph, const std::map<std::string, Shape>& input_shapes,
                 const SpecializeOptions& options) {
    Specializer specializer(graph, options);
    specializer.set_input_shapes(input_shapes);
    for (const Node& node : graph.nodes)
        specializer.process(node);
    return specializer.finish();
}

std::int64_t declared_batch(const Graph& graph) {
    if (graph.inputs.empty()) return -1;
    const Value& first = graph.value(graph.inputs.front());
    return first.has_declared && !first.declared.empty() ? first.declared.front().extent : -1;
}

}  // namespace lossmap
