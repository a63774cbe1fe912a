#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "params/exporter_facts.hpp"
#include "params/parameter_space.hpp"
#include "params/parameter_warnings.hpp"
#include "params/role_rules.hpp"
#include "params/tensor_content.hpp"

namespace lossmap {
namespace {

/// What is decided about one stored tensor.
struct Decision {
    enum class Kind : std::uint8_t { constant, weight, state } kind = Kind::constant;
    Finding finding;
    std::string reason;
};

bool is_candidate(const Value& value) {
    return value.kind == ValueKind::constant && value.data != nullptr && value.data->dtype() == DType::f32;
}

/// An exporter that finds equal tensors stores one and puts Identity in front of the other uses: each of those becomes
/// a stored tensor of its own. A lone Identity is only a renaming and stays. Returns whether there was a shared one.
bool split_shared_initializers(Graph& graph) {
    const auto consumers = graph.consumers();
    bool split = false;
    std::vector<Node> kept;
    for (Node& node : graph.nodes) {
        const bool identity =
            node.op_type == "Identity" && node.domain.empty() && node.has_input(0) && node.has_output(0);
        const ValueId source = identity ? node.inputs[0] : kNoValue;
        if (!identity || !graph.value(source).is_initializer || !is_candidate(graph.value(source)) ||
            consumers[static_cast<std::size_t>(source)].size() < 2) {
            kept.push_back(std::move(node));
            continue;
        }
        Value& copy = graph.value(node.outputs[0]);
        const Value& original = graph.value(source);
        copy.kind = ValueKind::constant;
        copy.dtype = original.dtype;
        copy.shape = original.shape;
        copy.data = original.data;
        copy.is_initializer = true;
        graph.initializers.push_back(node.outputs[0]);
        split = true;
    }
    graph.nodes = std::move(kept);
    return split;
}

bool matches_any(const std::vector<std::string>& globs, const std::string& name) {
    return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) { return glob_match(glob, name); });
}

/// Decides about all stored tensors of one graph.
class Identifier {
public:
    Identifier(const Graph& graph, const ExporterFacts& facts, const ParameterRules& rules)
        : graph_(graph), facts_(facts), rules_(rules), trace_(graph) {
        if (facts.listed()) listed_.insert(facts.listed()->begin(), facts.listed()->end());
    }

    [[nodiscard]] Decision decide(ValueId id) const {
        const Value& value = graph_.value(id);
        Decision decision;
        decision.finding = strongest_finding(trace_, id);
        if (matches_any(rules_.exclude, value.name)) {
            decision.reason = "excluded by the configuration";
        } else if (matches_any(rules_.include, value.name)) {
            set_weight(decision, "included by the configuration: " + decision.finding.text);
        } else if (decision.finding.evidence == Evidence::statistic) {
            decision.kind = Decision::Kind::state;
            decision.reason = decision.finding.text;
        } else if (facts_.listed()) {
            decide_by_list(value, decision);
        } else {
            decide_by_origin(id, decision);
        }
        return decision;
    }

private:
    static void set_weight(Decision& decision, std::string reason) {
        decision.kind = Decision::Kind::weight;
        decision.reason = std::move(reason);
    }
    static void set_constant(Decision& decision, const char* why) {
        decision.reason = fmt::format("{} ({})", why, decision.finding.text);
    }

    void decide_by_list(const Value& value, Decision& decision) const {
        if (listed_.contains(value.name)) return set_weight(decision, decision.finding.text);
        set_constant(decision, "not in the file's list of parameters");
    }

    void decide_by_origin(ValueId id, Decision& decision) const {
        const Value& value = graph_.value(id);
        if (decision.finding.text == "nothing reads it") {
            decision.reason = decision.finding.text;
            return;
        }
        switch (facts_.origin_of(value)) {
            case Origin::trained: return set_weight(decision, decision.finding.text);
            case Origin::relaid:
                if (inspect_content(*value.data).zero) break;  // of a layer without bias: judged by use and name
                if (is_folded_lookup(value, decision.finding)) read_as_table(*value.data, decision.finding);
                return set_weight(decision, fmt::format("{}; exported from {}", decision.finding.text,
                                                        fmt::join(facts_.sources_of(value), ", ")));
            case Origin::computed:
                return set_constant(decision, "computed from parameters when the model was exported");
            case Origin::buffer: return set_constant(decision, "a buffer of the network, not trained");
            case Origin::exporter:
                // Other tools rename weights and keep the signature: what is used as a weight counts as one.
                if (decision.finding.evidence >= Evidence::table) break;
                return set_constant(decision, "made by the exporter, no parameter of the network");
            case Origin::unknown: break;
        }
        decide_by_use(id, decision);
    }

    /// An embedding table whose rows at constant positions the exporter looked up: in PyTorch no module but Embedding
    /// has a `weight` of two dimensions that is merely added or joined.
    [[nodiscard]] bool is_folded_lookup(const Value& value, const Finding& finding) const {
        if (finding.evidence != Evidence::weak || wide_dimensions(value.data->shape()) < 2) return false;
        const std::vector<std::string> sources = facts_.sources_of(value);
        return sources.size() == 1 && sources.front().ends_with(".weight");
    }

    static void read_as_table(const Tensor& rows, Finding& finding) {
        const auto wide =
            std::find_if(rows.shape().begin(), rows.shape().end(), [](auto extent) { return extent > 1; });
        finding.role = Role::filter_weight;
        finding.axis = static_cast<int>(wide - rows.shape().begin());
        finding.text = "rows of an embedding table, " + finding.text;
    }

    /// Nothing but the use, the name and the values tell.
    void decide_by_use(ValueId id, Decision& decision) const {
        const Value& value = graph_.value(id);
        const TensorContent content = inspect_content(*value.data);
        const bool made_up = is_anonymous(value.name) || !value.is_initializer;
        switch (decision.finding.evidence) {
            case Evidence::none: decision.reason = decision.finding.text; return;
            case Evidence::weak:
                if (value.data->count() == 1) return set_constant(decision, "a single number");
                if (content.mask) return set_constant(decision, "a mask");
                if (!value.is_initializer) return set_constant(decision, "a constant of the graph");
                if (made_up && content.uniform)
                    return set_constant(decision, "the same number throughout, without a name of its own");
                break;
            case Evidence::norm:
                if (made_up && content.uniform)
                    return set_constant(decision, "written by the exporter for a normalisation without it");
                break;
            case Evidence::bias:
                if (made_up && content.zero)
                    return set_constant(decision, "zeros written by the exporter for a layer without bias");
                if (is_folded_bias(id))
                    return set_constant(decision, "computed by the exporter when it folded a batch norm");
                break;
            default: break;
        }
        set_weight(decision, decision.finding.text);
    }

    /// A bias that came into being with the folding of a batch norm: "onnx::Conv_90" beside the weight "onnx::Conv_89".
    [[nodiscard]] bool is_folded_bias(ValueId id) const {
        for (const Use& use : trace_.uses_of(id)) {
            const Node& node = graph_.nodes[static_cast<std::size_t>(use.node)];
            if (use.input != 2 || !node.has_input(1)) continue;
            const std::string& weight = graph_.value(node.inputs[1]).name;
            if (graph_.value(id).name == weight + "_bias") return true;
            if (is_legacy_folded(graph_.value(id).name) && is_legacy_folded(weight)) return true;
        }
        return false;
    }

    const Graph& graph_;
    const ExporterFacts& facts_;
    const ParameterRules& rules_;
    ThetaTrace trace_;
    std::set<std::string> listed_;
};

std::int64_t product(Shape::const_iterator first, Shape::const_iterator last) {
    return std::accumulate(first, last, std::int64_t{1}, std::multiplies<>{});
}

FilterLayout filters_along(const Shape& shape, int axis, bool packed_gates) {
    const auto at = shape.begin() + axis;
    if (packed_gates) return {1, product(shape.begin(), shape.end() - 1), shape.back()};
    return {product(shape.begin(), at), *at, product(at + 1, shape.end())};
}

Parameter make_parameter(const Graph& graph, ValueId id, const Decision& decision, bool framework_shape) {
    const Value& value = graph.value(id);
    const Finding& finding = decision.finding;
    Parameter parameter;
    parameter.name = value.name;
    parameter.value = id;
    parameter.shape = value.data->shape();
    parameter.size = value.data->count();
    parameter.role = finding.role;
    parameter.batch_norm = finding.batch_norm;
    parameter.norm = finding.norm;
    parameter.reason = decision.reason;
    parameter.one_dimensional =
        parameter.shape.size() <= 1 || finding.always_1d || (finding.widened && !framework_shape);
    if (parameter.one_dimensional) {
        parameter.filters = {1, 1, parameter.size};
    } else {
        parameter.filter_axis = std::min(finding.axis, static_cast<int>(parameter.shape.size()) - 1);
        parameter.filters = filters_along(parameter.shape, parameter.filter_axis, finding.packed_gates);
    }
    return parameter;
}

/// Rank of each value in the order in which nodes read them first.
std::map<ValueId, std::size_t> order_of_first_use(const Graph& graph) {
    std::map<ValueId, std::size_t> order;
    for (const Node& node : graph.nodes) {
        for (const ValueId id : node.inputs)
            order.emplace(id, order.size());
    }
    return order;
}

/// Rank of each value in the file's list of parameters.
std::map<ValueId, std::size_t> order_of_list(const Graph& graph, const std::vector<std::string>& listed) {
    std::map<std::string, std::size_t> ranks;
    for (const std::string& name : listed)
        ranks.emplace(name, ranks.size());
    std::map<ValueId, std::size_t> order;
    for (std::size_t id = 0; id < graph.values.size(); ++id) {
        const auto found = ranks.find(graph.values[id].name);
        if (found != ranks.end()) order.emplace(static_cast<ValueId>(id), found->second);
    }
    return order;
}

/// Sorts by rank; those without one keep their order behind the others. Then assigns offsets.
void arrange(std::vector<Parameter>& segment, const std::map<ValueId, std::size_t>& order) {
    const auto rank = [&](const Parameter& parameter) {
        const auto found = order.find(parameter.value);
        return found == order.end() ? order.size() : found->second;
    };
    std::stable_sort(segment.begin(), segment.end(),
                     [&](const Parameter& a, const Parameter& b) { return rank(a) < rank(b); });
    std::int64_t offset = 0;
    for (Parameter& parameter : segment) {
        parameter.offset = offset;
        offset += parameter.size;
    }
}

void check_rules(const Graph& graph, const std::vector<ValueId>& candidates, const ParameterRules& rules) {
    for (const auto* globs : {&rules.include, &rules.exclude}) {
        for (const std::string& glob : *globs) {
            const bool matched = std::any_of(candidates.begin(), candidates.end(),
                                             [&](ValueId id) { return glob_match(glob, graph.value(id).name); });
            if (!matched) {
                throw InputError("the parameter {} pattern '{}' matches no initializer",
                                 globs == &rules.include ? "include" : "exclude", glob);
            }
        }
    }
}

/// Initializers in file order, then the tensors of Constant nodes.
std::vector<ValueId> find_candidates(const Graph& graph) {
    std::vector<ValueId> candidates;
    for (const ValueId id : graph.initializers) {
        if (is_candidate(graph.value(id))) candidates.push_back(id);
    }
    for (std::size_t id = 0; id < graph.values.size(); ++id) {
        const Value& value = graph.values[id];
        if (is_candidate(value) && !value.is_initializer) candidates.push_back(static_cast<ValueId>(id));
    }
    return candidates;
}

}  // namespace

ParameterSpace identify_parameters(Graph& graph, const ParameterRules& rules) {
    const bool shared = split_shared_initializers(graph);
    const ExporterFacts facts(graph);
    const std::vector<ValueId> candidates = find_candidates(graph);
    check_rules(graph, candidates, rules);

    ParameterSpace space;
    {
        const Identifier identifier(graph, facts, rules);
        for (const ValueId id : candidates) {
            const Value& value = graph.value(id);
            const Decision decision = identifier.decide(id);
            if (decision.kind == Decision::Kind::constant) {
                space.constants.push_back({value.name, value.data->shape(), decision.reason});
                continue;
            }
            const Origin origin = facts.origin_of(value);
            // A tensor that kept its name kept its shape, unless another framework's converter gave it both.
            const bool by_pytorch = graph.producer.empty() || graph.producer.starts_with("pytorch");
            const bool framework_shape =
                origin == Origin::trained || (origin == Origin::unknown && by_pytorch && !is_anonymous(value.name));
            auto& segment = decision.kind == Decision::Kind::weight ? space.weights : space.states;
            segment.push_back(make_parameter(graph, id, decision, framework_shape));
        }
    }
    if (space.weights.empty()) throw InputError("the model has no parameter that can be trained");

    std::map<ValueId, std::size_t> order;
    if (facts.listed()) {
        order = order_of_list(graph, *facts.listed());
    } else if (shared) {
        order = order_of_first_use(graph);
    }
    arrange(space.weights, order);
    arrange(space.states, order);
    for (const auto* segment : {&space.weights, &space.states}) {
        for (const Parameter& parameter : *segment)
            graph.value(parameter.value).kind = ValueKind::parameter;
    }
    space.warnings = parameter_warnings(graph, facts, space);
    return space;
}

}  // namespace lossmap
