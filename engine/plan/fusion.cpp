#include "plan/fusion.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lossmap {

std::int32_t Step::last_node() const { return std::max({node, bias_add, batch_norm, residual_add, activation}); }

namespace {

class Fuser {
public:
    Fuser(const Graph& graph, const std::vector<ValueClass>& classes, const PassSet& passes)
        : graph_(graph),
          classes_(classes),
          passes_(passes),
          consumers_(graph.consumers()),
          taken_(graph.nodes.size(), false),
          is_output_(graph.values.size(), false) {
        for (const ValueId id : graph.outputs)
            is_output_[index_of(id)] = true;
    }

    [[nodiscard]] bool taken(std::int32_t node) const { return taken_[static_cast<std::size_t>(node)]; }

    [[nodiscard]] Step join(std::int32_t start) {
        Step step;
        step.node = start;
        taken_[static_cast<std::size_t>(start)] = true;
        const Node& node = node_at(start);
        const bool dense = node.domain.empty() && (node.op_type == "Gemm" || node.op_type == "MatMul");
        const bool convolution = node.domain.empty() && node.op_type == "Conv";
        if (!dense && !convolution) return step;
        // Weights that depend on samples have nothing to fold into.
        if (!node.has_input(1) || depends_on_samples(class_of(node.inputs[1]))) return step;
        if (!depends_on_samples(class_of(node.inputs[0]))) return step;
        ValueId value = node.outputs[0];
        if (passes_.bias_add && dense) join_bias(step, value);
        if (passes_.batch_norm) join_batch_norm(step, value, convolution);
        if (passes_.residual) join_residual(step, value);
        if (passes_.activation) join_activation(step, value);
        return step;
    }

private:
    static std::size_t index_of(ValueId id) { return static_cast<std::size_t>(id); }
    const Node& node_at(std::int32_t index) const { return graph_.nodes[static_cast<std::size_t>(index)]; }
    ValueClass class_of(ValueId id) const { return classes_[index_of(id)]; }
    const Shape& shape_of(ValueId id) const {
        const auto& shape = graph_.value(id).shape;
        if (!shape) throw InternalError("value '{}' has no shape", graph_.value(id).name);
        return *shape;
    }

    /// The only node that reads `value`, when it is of type `op_type` and free; -1 otherwise.
    std::int32_t only_reader(ValueId value, std::string_view op_type) const {
        const auto& readers = consumers_[index_of(value)];
        if (is_output_[index_of(value)] || readers.size() != 1 || taken(readers[0])) return -1;
        const Node& reader = node_at(readers[0]);
        return reader.domain.empty() && reader.op_type == op_type ? readers[0] : -1;
    }

    void take(std::int32_t node, ValueId& value) {
        taken_[static_cast<std::size_t>(node)] = true;
        value = node_at(node).outputs[0];
    }

    /// The operand of a two-operand node that is not `value`; kNoValue when both are.
    static ValueId other_operand(const Node& node, ValueId value) {
        if (node.inputs.size() != 2 || node.inputs[0] == node.inputs[1]) return kNoValue;
        return node.inputs[0] == value ? node.inputs[1] : node.inputs[0];
    }

    void join_bias(Step& step, ValueId& value) {
        const std::int32_t add = only_reader(value, "Add");
        if (add < 0) return;
        const ValueId bias = other_operand(node_at(add), value);
        if (bias == kNoValue || depends_on_samples(class_of(bias)) || shape_of(value).empty()) return;
        if (shape_of(bias) != Shape{shape_of(value).back()}) return;
        step.bias_add = add;
        step.added_bias = bias;
        take(add, value);
    }

    void join_batch_norm(Step& step, ValueId& value, bool convolution) {
        const std::int32_t norm = only_reader(value, "BatchNormalization");
        if (norm < 0) return;
        const Node& node = node_at(norm);
        // Its channels are axis 1, which are a dense layer's output features only in two dimensions.
        if (!convolution && shape_of(value).size() != 2) return;
        if (node.inputs.size() < 5 || node.inputs[0] != value) return;
        if (node.attributes.get_int("training_mode", 0) != 0) return;
        for (std::size_t k = 1; k < 5; ++k) {
            if (!node.has_input(k) || depends_on_samples(class_of(node.inputs[k]))) return;
        }
        for (std::size_t k = 1; k < node.outputs.size(); ++k) {
            if (node.has_output(k)) return;
        }
        step.batch_norm = norm;
        take(norm, value);
    }

    void join_residual(Step& step, ValueId& value) {
        const std::int32_t add = only_reader(value, "Add");
        if (add < 0) return;
        const ValueId residual = other_operand(node_at(add), value);
        if (residual == kNoValue || !depends_on_samples(class_of(residual))) return;
        if (shape_of(residual) != shape_of(value)) return;
        step.residual_add = add;
        step.residual = residual;
        take(add, value);
    }

    void join_activation(Step& step, ValueId& value) {
        std::int32_t next = only_reader(value, "Relu");
        if (next < 0) {
            next = only_reader(value, "Clip");
            if (next < 0) return;
            const Node& clip = node_at(next);
            if (clip.inputs[0] != value) return;
            for (std::size_t k = 1; k < clip.inputs.size(); ++k) {
                if (clip.has_input(k) && graph_.value(clip.inputs[k]).data == nullptr) return;
                if (clip.has_input(k) && class_of(clip.inputs[k]) != ValueClass::constant) return;
            }
        }
        step.activation = next;
        take(next, value);
    }

    const Graph& graph_;
    const std::vector<ValueClass>& classes_;
    const PassSet& passes_;
    std::vector<std::vector<std::int32_t>> consumers_;
    std::vector<bool> taken_;
    std::vector<bool> is_output_;
};

bool node_depends_on_samples(const Node& node, const std::vector<ValueClass>& classes) {
    return std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
        return id != kNoValue && depends_on_samples(classes[static_cast<std::size_t>(id)]);
    });
}

}  // namespace

Lowering lower(const Graph& graph, const PassSet& passes) {
    Lowering result;
    result.classes = classify(graph);
    Fuser fuser(graph, result.classes, passes);
    for (std::int32_t index = 0; index < static_cast<std::int32_t>(graph.nodes.size()); ++index) {
        if (!node_depends_on_samples(graph.nodes[static_cast<std::size_t>(index)], result.classes)) {
            result.theta_nodes.push_back(index);
        } else if (!fuser.taken(index)) {
            result.steps.push_back(fuser.join(index));
        }
    }
    std::stable_sort(result.steps.begin(), result.steps.end(),
                     [](const Step& a, const Step& b) { return a.last_node() < b.last_node(); });
    return result;
}

}  // namespace lossmap
