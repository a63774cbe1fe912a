#include "onnx_import/function_inliner.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/error.hpp"
#include "onnx_import/element_type.hpp"
#include "onnx_import/metadata.hpp"

namespace lossmap::onnx_import {
namespace {

constexpr std::int64_t kMostNodes = 200'000;
constexpr std::int64_t kMostBytes = std::int64_t{1} << 31;

std::string function_key(const std::string& domain, const std::string& name, const std::string& overload) {
    return canonical_domain(domain) + "\n" + name + "\n" + overload;
}

using Names = std::map<std::string, std::string>;
using Actuals = std::map<std::string, onnx::AttributeProto>;

/// Gives the names of one function body their meaning in the calling graph.
class Renamer {
public:
    Renamer(Names names, std::string prefix) : names_(std::move(names)), prefix_(std::move(prefix)) {}

    /// A name defined in the body.
    void define(const std::string& name) {
        if (!name.empty()) names_.emplace(name, prefix_ + name);
    }
    [[nodiscard]] std::string operator()(const std::string& name) const {
        const auto found = names_.find(name);
        return found == names_.end() ? name : found->second;
    }

private:
    Names names_;
    std::string prefix_;
};

void rewrite(onnx::NodeProto& node, const Renamer& rename, const Actuals& actuals);

/// Names defined inside a subgraph stay; those captured from the body are renamed.
void rewrite(onnx::GraphProto& graph, const Renamer& rename, const Actuals& actuals) {
    for (onnx::NodeProto& node : *graph.mutable_node())
        rewrite(node, rename, actuals);
    for (onnx::ValueInfoProto& output : *graph.mutable_output())
        output.set_name(rename(output.name()));
}

void rewrite_attributes(onnx::NodeProto& node, const Renamer& rename, const Actuals& actuals) {
    google::protobuf::RepeatedPtrField<onnx::AttributeProto> kept;
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
        if (!attribute.ref_attr_name().empty()) {
            const auto actual = actuals.find(attribute.ref_attr_name());
            if (actual == actuals.end()) continue;  // not given and no default: the operator's own default holds
            onnx::AttributeProto value = actual->second;
            value.set_name(attribute.name());
            *kept.Add() = std::move(value);
            continue;
        }
        if (attribute.has_g()) rewrite(*attribute.mutable_g(), rename, actuals);
        for (onnx::GraphProto& graph : *attribute.mutable_graphs())
            rewrite(graph, rename, actuals);
        *kept.Add() = std::move(attribute);
    }
    node.mutable_attribute()->Swap(&kept);
}

void rewrite(onnx::NodeProto& node, const Renamer& rename, const Actuals& actuals) {
    for (std::string& name : *node.mutable_input())
        name = rename(name);
    for (std::string& name : *node.mutable_output())
        name = rename(name);
    rewrite_attributes(node, rename, actuals);
}

/// Attribute defaults of a function, overridden by what the call gives.
Actuals actual_attributes(const onnx::NodeProto& call, const onnx::FunctionProto& function) {
    Actuals actuals;
    const google::protobuf::UnknownFieldSet& unknown = function.unknown_fields();
    for (int index = 0; index < unknown.field_count(); ++index) {
        const google::protobuf::UnknownField& field = unknown.field(index);
        onnx::AttributeProto fallback;
        if (field.number() == kFunctionAttributeDefaultsField &&
            field.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED &&
            fallback.ParseFromString(field.length_delimited())) {
            actuals[fallback.name()] = fallback;
        }
    }
    for (const onnx::AttributeProto& attribute : call.attribute())
        actuals[attribute.name()] = attribute;
    return actuals;
}

/// Formal names to actual ones; what the call leaves out becomes "" (omitted).
template <typename Formal, typename Actual>
void bind(const Formal& formal, const Actual& actual, const char* kind, Names& names) {
    if (actual.size() > formal.size()) {
        throw InputError("the call has {} {}s, the function takes {}", actual.size(), kind, formal.size());
    }
    for (int index = 0; index < formal.size(); ++index) {
        names[formal.Get(index)] = index < actual.size() ? actual.Get(index) : "";
    }
}

}  // namespace

FunctionInliner::FunctionInliner(const onnx::ModelProto& model) {
    for (const onnx::FunctionProto& function : model.functions()) {
        const std::string overload = unknown_text(function.unknown_fields(), kFunctionOverloadField);
        if (!functions_.emplace(function_key(function.domain(), function.name(), overload), &function).second) {
            throw InputError("the function {} is defined twice", printable(function.name()));
        }
    }
}

std::vector<ScopedNode> FunctionInliner::expand(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes,
                                                const std::shared_ptr<const Opsets>& opsets) {
    std::vector<ScopedNode> result;
    result.reserve(static_cast<std::size_t>(nodes.size()));
    for (const onnx::NodeProto& node : nodes)
        append(node, opsets, result);
    return result;
}

void FunctionInliner::count(const onnx::NodeProto& node) {
    ++nodes_;
    if (!active_.empty()) bytes_ += static_cast<std::int64_t>(node.ByteSizeLong());
    if (nodes_ > kMostNodes || bytes_ > kMostBytes) throw InputError("the expanded functions are too large");
}

void FunctionInliner::append(onnx::NodeProto node, const std::shared_ptr<const Opsets>& opsets,
                             std::vector<ScopedNode>& result) {
    count(node);
    const std::string overload = unknown_text(node.unknown_fields(), kNodeOverloadField);
    const auto found = functions_.find(function_key(node.domain(), node.op_type(), overload));
    if (found == functions_.end()) {
        result.push_back({std::move(node), opsets});
        return;
    }
    const onnx::FunctionProto& function = *found->second;
    with_context(fmt::format("function {}", printable(function.name())), [&] {
        if (std::find(active_.begin(), active_.end(), &function) != active_.end()) throw InputError("it calls itself");
        active_.push_back(&function);
        append_body(node, function, opsets, result);
        active_.pop_back();
    });
}

void FunctionInliner::append_body(const onnx::NodeProto& call, const onnx::FunctionProto& function,
                                  const std::shared_ptr<const Opsets>& opsets, std::vector<ScopedNode>& result) {
    auto merged = std::make_shared<Opsets>(read_opsets(function.opset_import()));
    merged->insert(opsets->begin(), opsets->end());  // the function's own versions win

    const std::string label = call.name().empty() ? function.name() : call.name();
    Names names;
    bind(function.input(), call.input(), "input", names);
    Names outputs;
    bind(function.output(), call.output(), "output", outputs);
    for (const auto& [formal, actual] : outputs) {
        if (names.contains(formal))
            throw InputError("{} is both input and output, which is not supported", printable(formal));
        if (!actual.empty()) names[formal] = actual;
    }
    Renamer rename(std::move(names), fmt::format("{}/{}/", label, calls_++));
    for (const onnx::NodeProto& node : function.node()) {
        for (const std::string& output : node.output())
            rename.define(output);
    }
    const Actuals actuals = actual_attributes(call, function);
    for (const onnx::NodeProto& body : function.node()) {
        onnx::NodeProto node = body;
        rewrite(node, rename, actuals);
        node.set_name(fmt::format("{}/{}", label, body.name().empty() ? body.op_type() : body.name()));
        append(std::move(node), merged, result);
    }
}

}  // namespace lossmap::onnx_import
