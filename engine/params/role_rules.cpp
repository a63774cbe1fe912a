#include "params/role_rules.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "params/pattern_rules.hpp"
#include "params/tensor_content.hpp"

namespace lossmap {
namespace {

/// One use, with what the rules ask about it.
struct Question {
    const ThetaTrace& trace;
    const Value& value;
    const Node& node;
    const Use& use;

    [[nodiscard]] std::string owner() const { return fmt::format("{} '{}'", node.op_type, node.name); }
    /// Stored axis of dimension `axis` of what the node reads; dimension 0, as PyTorch stores weights, when not
    /// tracked.
    [[nodiscard]] int stored_axis(std::size_t axis) const {
        if (!use.axes || axis >= use.axes->size()) return 0;
        return std::max((*use.axes)[axis], 0);
    }
    [[nodiscard]] std::size_t rank() const { return use.axes ? use.axes->size() : value.shape->size(); }
};

using Rule = Finding (*)(const Question&);

Finding none(std::string text) {
    Finding finding;
    finding.text = std::move(text);
    return finding;
}

Finding weight(const Question& q, int axis, const char* kind = "weight") {
    Finding finding;
    finding.evidence = Evidence::weight;
    finding.role = Role::filter_weight;
    finding.axis = axis;
    finding.text = fmt::format("{} of {}", kind, q.owner());
    return finding;
}

Finding bias(const Question& q, std::string text) {
    Finding finding;
    finding.evidence = Evidence::bias;
    finding.role = Role::bias;
    finding.widened = wide_dimensions(*q.value.shape) <= 1;
    finding.text = std::move(text);
    return finding;
}

Finding norm(const Question& q, Role role, std::string text) {
    Finding finding;
    finding.evidence = Evidence::norm;
    finding.role = role;
    finding.norm = true;
    finding.widened = wide_dimensions(*q.value.shape) <= 1;
    finding.text = std::move(text);
    return finding;
}

Finding weak(std::string text) {
    Finding finding;
    finding.evidence = Evidence::weak;
    finding.text = std::move(text);
    return finding;
}

// ConvTranspose too: PyTorch's dimension 0 counts, although the output channels are in dimension 1.
Finding convolution(const Question& q) {
    if (q.use.input == 1) return weight(q, q.stored_axis(0));
    if (q.use.input == 2) return bias(q, "bias of " + q.owner());
    return weak("input of " + q.owner());
}

Finding gemm(const Question& q) {
    if (q.use.input == 2) return bias(q, "bias of " + q.owner());
    const bool transposed = q.node.attributes.get_int(q.use.input == 0 ? "transA" : "transB", 0) != 0;
    const bool rows = q.use.input == 0 ? !transposed : transposed;  // of x W the columns, of W x the rows are outputs
    return weight(q, q.stored_axis(rows ? 0 : 1));
}

Finding matmul(const Question& q) {
    if (q.value.shape->size() < 2) return weak("vector factor of " + q.owner());
    // A stack of matrices is a parameter as the network holds it: no exporter transposes one.
    if (q.rank() != 2) return weight(q, q.stored_axis(0));
    return weight(q, q.stored_axis(q.use.input == 0 ? 0 : 1));
}

Finding einsum(const Question& q) { return weight(q, 0); }

Finding recurrent(const Question& q) {
    if (q.use.input == 1 || q.use.input == 2) {
        Finding finding = weight(q, q.stored_axis(1), q.use.input == 1 ? "input weight" : "recurrent weight");
        finding.packed_gates = q.value.shape->size() == 3;
        return finding;
    }
    if (q.use.input == 3) {
        Finding finding = bias(q, "bias of " + q.owner());
        finding.always_1d = true;
        return finding;
    }
    if (q.use.input == 5 || q.use.input == 6) return weak("initial state of " + q.owner());
    if (q.use.input == 7) return weak("peephole weight of " + q.owner());
    return none("input of " + q.owner());
}

Finding batch_normalization(const Question& q) {
    if (q.use.input == 0) return weak("input of " + q.owner());
    const bool statistic = q.use.input >= 3;
    constexpr std::array<Role, 4> kRoles = {Role::norm_scale, Role::norm_shift, Role::running_mean,
                                            Role::running_variance};
    constexpr std::array<const char*, 4> kNames = {"scale", "shift", "running mean", "running variance"};
    const std::size_t index = std::min<std::size_t>(q.use.input - 1, 3);
    Finding finding = norm(q, kRoles[index], fmt::format("{} of {}", kNames[index], q.owner()));
    finding.batch_norm = true;
    if (statistic) finding.evidence = Evidence::statistic;
    return finding;
}

Finding normalization(const Question& q) {
    if (q.use.input == 0) return weak("input of " + q.owner());
    const bool scale = q.use.input == 1;
    return norm(q, scale ? Role::norm_scale : Role::norm_shift, (scale ? "scale of " : "shift of ") + q.owner());
}

Finding gather(const Question& q) {
    if (q.use.input != 0) return none("indices of " + q.owner());
    Finding finding = weight(q, q.stored_axis(0), "table of");
    finding.evidence = Evidence::table;
    finding.text = "table of " + q.owner();
    if (q.value.shape->size() < 2) finding = weak("table of single values of " + q.owner());
    return finding;
}

Finding prelu(const Question& q) {
    if (q.use.input == 0) return weak("input of " + q.owner());
    Finding finding = weak("slope of " + q.owner());
    finding.evidence = Evidence::slope;
    finding.always_1d = true;
    return finding;
}

ValueId other_operand(const Question& q) {
    return q.node.inputs.size() == 2 ? q.node.inputs[1 - std::min<std::size_t>(q.use.input, 1)] : kNoValue;
}

bool normalises_input(const Question& q, ValueId other) {
    return other != kNoValue && wide_dimensions(*q.value.shape) <= 1 && is_raw_input(q.trace, other);
}

Finding addition(const Question& q) {
    const ValueId other = other_operand(q);
    if (other != kNoValue && wide_dimensions(*q.value.shape) <= 1) {
        if (!q.value.shape->empty() && is_linear_result(q.trace, other)) return bias(q, "bias, added by " + q.owner());
        if (is_scaled_norm(q.trace, other) || is_normalized(q.trace, other)) {
            return norm(q, Role::norm_shift, "shift of a normalisation, added by " + q.owner());
        }
    }
    if (normalises_input(q, other)) return none("normalises the input in " + q.owner());
    return weak("added by " + q.owner());
}

Finding multiplication(const Question& q) {
    const ValueId other = other_operand(q);
    if (other != kNoValue && wide_dimensions(*q.value.shape) <= 1 && is_normalized(q.trace, other)) {
        return norm(q, Role::norm_scale, "scale of a normalisation, multiplied by " + q.owner());
    }
    if (normalises_input(q, other)) return none("normalises the input in " + q.owner());
    return weak("factor of " + q.owner());
}

Finding arithmetic(const Question& q) {
    if (normalises_input(q, other_operand(q))) return none("normalises the input in " + q.owner());
    return weak("operand of " + q.owner());
}

struct NamedRule {
    std::string_view op_type;
    Rule rule;
};

constexpr std::array<NamedRule, 25> kRules = {
    {{"Add", addition},
     {"BatchNormalization", batch_normalization},
     {"Conv", convolution},
     {"ConvTranspose", convolution},
     {"Div", arithmetic},
     {"Einsum", einsum},
     {"GRU", recurrent},
     {"Gather", gather},
     {"Gemm", gemm},
     {"GroupNormalization", normalization},
     {"InstanceNormalization", normalization},
     {"LSTM", recurrent},
     {"LayerNormalization", normalization},
     {"MatMul", matmul},
     {"Mul", multiplication},
     {"PRelu", prelu},
     {"RMSNormalization", normalization},
     {"RNN", recurrent},
     {"SimplifiedLayerNormalization", normalization},
     {"SkipLayerNormalization", normalization},
     {"Sub", arithmetic},
     {"Sum", addition},
     {"Concat", [](const Question& q) { return weak("joined by " + q.owner()); }},
     {"Expand", [](const Question& q) { return weak("expanded by " + q.owner()); }},
     {"Where", [](const Question& q) { return weak("chosen by " + q.owner()); }}}};

/// Operators whose constant operands are settings: bounds, exponents, fill values, scales of a resize.
constexpr std::array<std::string_view, 22> kSettings = {"Clip",
                                                        "Pow",
                                                        "Max",
                                                        "Min",
                                                        "Pad",
                                                        "Resize",
                                                        "Upsample",
                                                        "Range",
                                                        "OneHot",
                                                        "Mod",
                                                        "Dropout",
                                                        "Equal",
                                                        "Less",
                                                        "Greater",
                                                        "LessOrEqual",
                                                        "GreaterOrEqual",
                                                        "QuantizeLinear",
                                                        "DequantizeLinear",
                                                        "TopK",
                                                        "ConstantOfShape",
                                                        "NonMaxSuppression",
                                                        "CumSum"};

/// What the branches of an If or Loop do with a tensor that they take from around them.
Finding captured(const Question& q) {
    Finding best = weak("input of " + q.owner());
    for (const auto& [name, attribute] : q.node.attributes.all()) {
        const auto* branch = std::get_if<std::shared_ptr<const Graph>>(&attribute);
        if (branch == nullptr) continue;
        Graph inner = **branch;
        const ValueId id = inner.find(q.value.name);
        if (id == kNoValue || inner.value(id).data) continue;
        inner.value(id).shape = q.value.shape;
        inner.value(id).data = q.value.data;
        Finding finding = strongest_finding(ThetaTrace(inner), id);
        if (finding.evidence > best.evidence) best = std::move(finding);
    }
    return best;
}

}  // namespace

Finding finding_of(const ThetaTrace& trace, ValueId id, const Use& use) {
    const Question question{trace, trace.graph().value(id), trace.graph().nodes[static_cast<std::size_t>(use.node)],
                            use};
    const std::string& op = question.node.op_type;
    if (std::find(kSettings.begin(), kSettings.end(), op) != kSettings.end())
        return none("setting of " + question.owner());
    if (use.input == kCaptured) return captured(question);
    const auto found =
        std::find_if(kRules.begin(), kRules.end(), [&](const NamedRule& entry) { return entry.op_type == op; });
    Finding finding = found == kRules.end() ? weak("input of " + question.owner()) : found->rule(question);
    if (!use.computed || finding.evidence == Evidence::none) return finding;
    // Arithmetic lies in between: the tensor is part of a weight computed in the graph, not the weight itself.
    finding.text += ", through arithmetic on parameters";
    const bool matrix = wide_dimensions(*question.value.shape) > 1;
    if (finding.evidence != Evidence::weight || !matrix) {
        finding.evidence = Evidence::weak;
        finding.role = Role::other;
        finding.packed_gates = false;
        finding.widened = false;
        finding.always_1d = false;
        finding.norm = false;
        finding.batch_norm = false;
    }
    return finding;
}

Finding strongest_finding(const ThetaTrace& trace, ValueId id) {
    Finding best = none("nothing reads it");
    bool first = true;
    for (const Use& use : trace.uses_of(id)) {
        Finding finding = finding_of(trace, id, use);
        if (!first && finding.evidence <= best.evidence) continue;
        best = std::move(finding);
        first = false;
    }
    return best;
}

}  // namespace lossmap
