#include "onnx_import/graph_builder.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "onnx_import/element_type.hpp"
#include "onnx_import/metadata.hpp"
#include "onnx_import/node_reader.hpp"

namespace lossmap::onnx_import {
namespace {

bool is_constant(const onnx::NodeProto& node) {
    return node.op_type() == "Constant" && canonical_domain(node.domain()).empty() && node.output_size() == 1;
}

Value constant_value(const std::string& name, Tensor tensor) {
    Value value;
    value.name = name;
    value.kind = ValueKind::constant;
    value.dtype = tensor.dtype();
    value.shape = tensor.shape();
    value.data = std::make_shared<const Tensor>(std::move(tensor));
    return value;
}

std::int64_t opset_of(const ScopedNode& scoped) {
    const std::string domain = canonical_domain(scoped.proto.domain());
    const auto found = scoped.opsets->find(domain);
    if (found == scoped.opsets->end()) {
        throw InputError("the model does not import the operator set {}",
                         printable(domain.empty() ? "ai.onnx" : domain));
    }
    return found->second;
}

std::string node_label(const onnx::NodeProto& node, std::size_t index) {
    return node.name().empty() ? fmt::format("{}_{}", node.op_type(), index) : node.name();
}

std::string context_of(const onnx::NodeProto& node, std::size_t index) {
    return fmt::format("{} {}", node.op_type().empty() ? "node" : node.op_type(), printable(node_label(node, index)));
}

}  // namespace

GraphBuilder::GraphBuilder(TensorReader& tensors, FunctionInliner& functions, std::shared_ptr<const Opsets> opsets,
                           const GraphBuilder* outer)
    : tensors_(tensors), functions_(functions), opsets_(std::move(opsets)), outer_(outer) {}

Graph GraphBuilder::build(onnx::GraphProto& proto) {
    graph_.name = proto.name();
    read_metadata(proto.unknown_fields(), kGraphMetadataField, graph_.metadata);
    for (const onnx::ValueInfoProto& info : proto.value_info())
        declarations_[info.name()] = &info;
    for (const onnx::ValueInfoProto& info : proto.output())
        declarations_[info.name()] = &info;
    add_initializers(proto);
    add_inputs(proto);

    const std::vector<ScopedNode> scoped = functions_.expand(proto.node(), opsets_);
    std::vector<std::size_t> kept;  // indices of those that stay nodes
    for (std::size_t index = 0; index < scoped.size(); ++index) {
        with_context(context_of(scoped[index].proto, index), [&] {
            if (is_constant(scoped[index].proto)) return add_constant(scoped[index]);
            add_node_outputs(scoped[index], index);
            kept.push_back(index);
        });
    }
    // Every name is known now: nodes need not be in order in the file, and subgraphs may look outwards.
    for (std::size_t position = 0; position < kept.size(); ++position) {
        const ScopedNode& source = scoped[kept[position]];
        with_context(context_of(source.proto, kept[position]), [&] { read_node(source, graph_.nodes[position]); });
    }
    add_outputs(proto);
    validate_and_sort(graph_);
    return std::move(graph_);
}

ValueId GraphBuilder::define(Value value) {
    if (value.name.empty()) throw InputError("a value has no name");
    const auto declared = declarations_.find(value.name);
    if (declared != declarations_.end()) {
        const DType dtype = value.dtype;
        read_declaration(*declared->second, value);
        if (value.data != nullptr) value.dtype = dtype;
    }
    const std::string name = value.name;
    const ValueId id = graph_.add_value(std::move(value));
    if (!ids_.emplace(name, id).second) throw InputError("the value {} is defined twice", printable(name));
    return id;
}

void GraphBuilder::add_initializers(onnx::GraphProto& proto) {
    if (proto.sparse_initializer_size() > 0) {
        throw UnsupportedError("sparse initializers are not supported (the first of {} is {})",
                               proto.sparse_initializer_size(), printable(proto.sparse_initializer(0).values().name()));
    }
    for (onnx::TensorProto& initializer : *proto.mutable_initializer()) {
        with_context(fmt::format("initializer {}", printable(initializer.name())), [&] {
            Value value = constant_value(initializer.name(), tensors_.read(initializer));
            value.is_initializer = true;
            read_metadata(initializer.unknown_fields(), kTensorMetadataField, value.metadata);
            graph_.initializers.push_back(define(std::move(value)));
            initializer.clear_raw_data();
            initializer.clear_float_data();
        });
    }
}

void GraphBuilder::add_inputs(const onnx::GraphProto& proto) {
    std::set<std::string> seen;
    for (const onnx::ValueInfoProto& info : proto.input()) {
        if (!seen.insert(info.name()).second) throw InputError("the input {} is listed twice", printable(info.name()));
        const auto stored = ids_.find(info.name());
        if (stored != ids_.end()) {  // before IR 4 initializers are listed as inputs, too: not fed
            read_metadata(info.unknown_fields(), kValueInfoMetadataField, graph_.value(stored->second).metadata);
            continue;
        }
        Value value;
        value.name = info.name();
        value.kind = ValueKind::input;
        read_declaration(info, value);
        graph_.inputs.push_back(define(std::move(value)));
    }
}

void GraphBuilder::add_constant(const ScopedNode& scoped) {
    define(constant_value(scoped.proto.output(0), read_constant(scoped.proto, tensors_)));
}

void GraphBuilder::add_node_outputs(const ScopedNode& scoped, std::size_t index) {
    Node node;
    node.op_type = scoped.proto.op_type();
    if (node.op_type.empty()) throw InputError("the node names no operator");
    node.domain = canonical_domain(scoped.proto.domain());
    node.name = node_label(scoped.proto, index);
    node.opset = opset_of(scoped);
    for (const std::string& name : scoped.proto.output()) {
        Value value;
        value.name = name;
        node.outputs.push_back(name.empty() ? kNoValue : define(std::move(value)));
    }
    graph_.nodes.push_back(std::move(node));
}

void GraphBuilder::read_node(const ScopedNode& scoped, Node& node) {
    for (const std::string& name : scoped.proto.input()) {
        const ValueId id = name.empty() ? kNoValue : use(name);
        if (!name.empty() && id == kNoValue) throw InputError("it reads {}, which nothing provides", printable(name));
        node.inputs.push_back(id);
    }
    node.attributes = read_attributes(scoped.proto, tensors_, [&](const onnx::GraphProto& subgraph) {
        onnx::GraphProto copy = subgraph;
        return std::make_shared<const Graph>(GraphBuilder(tensors_, functions_, scoped.opsets, this).build(copy));
    });
}

void GraphBuilder::add_outputs(const onnx::GraphProto& proto) {
    for (const onnx::ValueInfoProto& info : proto.output()) {
        const ValueId id = use(info.name());
        if (id == kNoValue) throw InputError("the graph output {} is computed by no node", printable(info.name()));
        graph_.outputs.push_back(id);
    }
    if (graph_.outputs.empty()) throw InputError("the graph has no output");
}

ValueId GraphBuilder::use(const std::string& name) {
    const auto found = ids_.find(name);
    if (found != ids_.end()) return found->second;
    if (outer_ == nullptr || !outer_->provides(name)) return kNoValue;
    Value captured;
    captured.name = name;
    captured.kind = ValueKind::input;
    return define(std::move(captured));
}

bool GraphBuilder::provides(const std::string& name) const {
    return ids_.contains(name) || (outer_ != nullptr && outer_->provides(name));
}

}  // namespace lossmap::onnx_import
