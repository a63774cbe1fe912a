#include <algorithm>

#include "core/error.hpp"
#include "graph/ops/op_support.hpp"
#include "graph/specializer.hpp"

// Sequences exist only while a graph is made concrete: exporters write chunk() as SplitToSequence and SequenceAt. Their
// lengths are known then, so that they become Split, Concat and plain references.
namespace lossmap {
namespace {

Node derived_node(const Node& origin, const std::string& op_type) {
    Node node;
    node.name = origin.name + "/" + op_type;
    node.op_type = op_type;
    node.opset = std::max<std::int64_t>(origin.opset, 13);
    return node;
}

/// Position in a sequence of `length` tensors, counted from the end when negative.
std::size_t position(const Tensor* index, std::size_t length, bool end_allowed) {
    if (index == nullptr) throw UnsupportedError("its position depends on data");
    const ops::Ints values = ops::read_ints(index->view());
    const auto count = static_cast<std::int64_t>(length);
    const std::int64_t at = values.empty() ? 0 : values[0] < 0 ? values[0] + count : values[0];
    ops::require(!values.empty() && at >= 0 && at < count + (end_allowed ? 1 : 0),
                 "position {} is outside a sequence of {}", at, length);
    return static_cast<std::size_t>(at);
}

}  // namespace

const std::vector<ValueId>& Specializer::sequence(const Node& node, std::size_t index) const {
    const auto found = node.has_input(index) ? sequences_.find(node.inputs[index]) : sequences_.end();
    if (found == sequences_.end()) throw UnsupportedError("input {} is not a sequence known before running", index);
    return found->second;
}

void Specializer::process_split_to_sequence(const Node& node) {
    const Value& input = graph_.value(node.inputs[0]);
    if (!input.shape) throw UnsupportedError("input '{}' is not a tensor", input.name);
    const std::size_t axis = ops::axis_index(node.attributes.get_int("axis", 0), input.shape->size());
    const std::int64_t extent = (*input.shape)[axis];
    ops::Ints lengths(static_cast<std::size_t>(extent), 1);
    if (node.has_input(1)) {
        const Tensor* split = constant(node.inputs[1]);
        if (split == nullptr) throw UnsupportedError("the lengths of its parts depend on data");
        lengths = ops::read_ints(split->view());
        if (split->shape().empty()) {
            const std::int64_t length = lengths[0];
            ops::require(length > 0, "parts of length {} are asked for", length);
            lengths.assign(static_cast<std::size_t>(extent / length), length);
            if (extent % length != 0) lengths.push_back(extent % length);
        }
    }
    const bool squeeze = !node.has_input(1) && node.attributes.get_int("keepdims", 1) == 0;
    Node parts = derived_node(node, "Split");
    parts.attributes.set("axis", static_cast<std::int64_t>(axis));
    parts.attributes.set("split", lengths);
    parts.inputs = {node.inputs[0]};
    const std::string base = graph_.value(node.outputs[0]).name;
    for (std::size_t k = 0; k < lengths.size(); ++k)
        parts.outputs.push_back(add_computed(fmt::format("{}/{}", base, k)));
    std::vector<ValueId> tensors = parts.outputs;
    process(std::move(parts));
    for (ValueId& id : tensors) {
        if (!squeeze) break;
        Node drop = derived_node(node, "Squeeze");
        drop.attributes.set("axes", ops::Ints{static_cast<std::int64_t>(axis)});
        drop.inputs = {id};
        id = add_computed(graph_.value(id).name + "/squeezed");
        drop.outputs = {id};
        process(std::move(drop));
    }
    sequences_[node.outputs[0]] = std::move(tensors);
}

/// SequenceEmpty, SequenceConstruct, SequenceInsert, SequenceErase, SequenceLength.
void Specializer::process_sequence(const Node& node) {
    const ValueId output = node.outputs[0];
    if (node.op_type == "SequenceEmpty") {
        sequences_[output] = {};
    } else if (node.op_type == "SequenceConstruct") {
        sequences_[output] = node.inputs;
    } else if (node.op_type == "SequenceLength") {
        set_constant(output, Tensor::scalar(static_cast<std::int64_t>(sequence(node, 0).size())));
    } else {
        std::vector<ValueId> tensors = sequence(node, 0);
        const bool insert = node.op_type == "SequenceInsert";
        const std::size_t index = insert ? 2 : 1;
        const std::size_t last = insert ? tensors.size() : tensors.size() - 1;
        ops::require(insert || !tensors.empty(), "the sequence is empty");
        const std::size_t at =
            node.has_input(index) ? position(constant(node.inputs[index]), tensors.size(), insert) : last;
        const auto where = tensors.begin() + static_cast<std::ptrdiff_t>(at);
        if (insert)
            tensors.insert(where, node.inputs[1]);
        else
            tensors.erase(where);
        sequences_[output] = std::move(tensors);
    }
}

void Specializer::process_sequence_at(const Node& node) {
    const std::vector<ValueId>& tensors = sequence(node, 0);
    forward(node.outputs[0], tensors[position(constant(node.inputs[1]), tensors.size(), false)]);
}

void Specializer::process_concat_from_sequence(const Node& node) {
    std::vector<ValueId> tensors = sequence(node, 0);
    ops::require(!tensors.empty(), "the sequence is empty");
    const std::int64_t axis = node.attributes.get_int("axis");
    for (ValueId& id : tensors) {
        if (node.attributes.get_int("new_axis", 0) == 0) break;
        Node grow = derived_node(node, "Unsqueeze");
        grow.attributes.set("axes", ops::Ints{axis});
        grow.inputs = {id};
        id = add_computed(graph_.value(node.outputs[0]).name + "/part");
        grow.outputs = {id};
        process(std::move(grow));
    }
    Node join = derived_node(node, "Concat");
    join.attributes.set("axis", axis);
    join.inputs = std::move(tensors);
    join.outputs = {node.outputs[0]};
    process(std::move(join));
}

}  // namespace lossmap
