#include <algorithm>

#include "core/error.hpp"
#include "graph/ops/op_support.hpp"
#include "graph/specializer.hpp"

// If and Loop whose conditions are constant are replaced by the nodes of their branches. A branch is a Graph of its
// own; values that it neither computes nor stores nor takes as inputs are those of the same name around it.
namespace lossmap {
namespace {

constexpr std::int64_t kMaxIterations = 10000;  // of all loops together: nested ones multiply

std::shared_ptr<const Graph> branch_of(const Node& node, const char* attribute) {
    auto branch = node.attributes.get_graph(attribute);
    if (!branch) throw InputError("attribute '{}' is missing", attribute);
    return branch;
}

}  // namespace

ValueId Specializer::find_captured(const std::string& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
        const auto found = scope->find(name);
        if (found != scope->end()) return found->second;
    }
    return graph_.find(name);
}

std::vector<ValueId> Specializer::inline_branch(const Graph& branch, const std::string& owner,
                                                const std::vector<ValueId>& arguments) {
    ops::require(arguments.size() == branch.inputs.size(), "its branch takes {} inputs, {} are given",
                 branch.inputs.size(), arguments.size());
    if (inlined_ >= kMaxIterations) throw UnsupportedError("loops run more than {} times", kMaxIterations);
    const std::vector<std::int32_t> producers = branch.producers();
    const std::string prefix = fmt::format("{}/{}/", owner, inlined_++);
    std::vector<ValueId> ids(branch.values.size(), kNoValue);
    for (std::size_t k = 0; k < arguments.size(); ++k)
        ids[static_cast<std::size_t>(branch.inputs[k])] = arguments[k];
    for (std::size_t k = 0; k < ids.size(); ++k) {
        const Value& value = branch.values[k];
        if (ids[k] != kNoValue) continue;
        const bool own = producers[k] >= 0 || value.data != nullptr;
        if (!own) {
            ids[k] = find_captured(value.name);
            continue;  // a name that nothing provides is an error only where it is read
        }
        Value copy = value;
        copy.name = prefix + value.name;
        if (value.data)
            copy.shape = value.data->shape();
        else
            copy.shape.reset();
        forwarded_.push_back(kNoValue);
        ids[k] = graph_.add_value(std::move(copy));
    }
    const auto translate = [&](ValueId id) {
        if (id == kNoValue) return kNoValue;
        const ValueId mapped = ids[static_cast<std::size_t>(id)];
        ops::require(mapped != kNoValue, "its branch reads '{}', which nothing provides", branch.value(id).name);
        return mapped;
    };
    auto& scope = scopes_.emplace_back();
    for (std::size_t k = 0; k < ids.size(); ++k) {
        if (ids[k] != kNoValue) scope.emplace(branch.values[k].name, ids[k]);
    }
    for (Node node : branch.nodes) {
        node.name = prefix + node.name;
        for (ValueId& id : node.inputs)
            id = translate(id);
        for (ValueId& id : node.outputs)
            id = translate(id);
        process(std::move(node));
    }
    scopes_.pop_back();
    std::vector<ValueId> results;
    for (const ValueId id : branch.outputs)
        results.push_back(resolve(translate(id)));
    return results;
}

void Specializer::process_if(const Node& node) {
    const auto branch = branch_of(node, truth_value(node.inputs[0]) ? "then_branch" : "else_branch");
    const std::vector<ValueId> results = inline_branch(*branch, node.name, {});
    ops::require(results.size() >= node.outputs.size(), "its branch has {} outputs, {} are read", results.size(),
                 node.outputs.size());
    for (std::size_t k = 0; k < node.outputs.size(); ++k) {
        if (node.has_output(k)) publish(node.outputs[k], results[k]);
    }
}

std::int64_t Specializer::trip_count(const Node& node) const {
    if (!node.has_input(0)) return kMaxIterations + 1;
    const Tensor* count = constant(node.inputs[0]);
    if (count == nullptr) throw UnsupportedError("its trip count is not constant");
    const ops::Ints values = ops::read_ints(count->view());
    ops::require(values.size() == 1, "its trip count is not a scalar");
    return values[0];
}

bool Specializer::truth_value(ValueId id) const {
    const Tensor* condition = constant(id);
    if (condition == nullptr) throw UnsupportedError("its condition is not constant");
    ops::require(condition->dtype() == DType::boolean && condition->count() == 1,
                 "its condition is not a single truth value");
    return condition->as<bool>()[0];
}

void Specializer::publish(ValueId output, ValueId source) {
    const auto found = sequences_.find(source);
    if (found == sequences_.end()) return forward(output, source);
    std::vector<ValueId> tensors = found->second;
    sequences_[output] = std::move(tensors);
}

/// Unrolls a loop: trip count and, in every iteration, the condition must be constant.
void Specializer::process_loop(const Node& node) {
    const auto body = branch_of(node, "body");
    const std::int64_t trips = trip_count(node);
    ValueId condition = node.has_input(1) ? node.inputs[1] : kNoValue;
    const auto first_carried = static_cast<std::ptrdiff_t>(std::min<std::size_t>(2, node.inputs.size()));
    std::vector<ValueId> carried(node.inputs.begin() + first_carried, node.inputs.end());
    ops::require(body->outputs.size() > carried.size(), "its body has {} outputs for {} carried values",
                 body->outputs.size(), carried.size());
    std::vector<std::vector<ValueId>> scanned(body->outputs.size() - 1 - carried.size());
    for (std::int64_t trip = 0; trip < trips; ++trip) {
        if (condition == kNoValue) {
            condition = add_constant(fmt::format("{}/{}/condition", node.name, inlined_), Tensor::scalar(true));
        }
        if (!truth_value(condition)) break;
        const ValueId index = add_constant(fmt::format("{}/{}/trip", node.name, inlined_), Tensor::scalar(trip));
        std::vector<ValueId> arguments{index, condition};
        arguments.insert(arguments.end(), carried.begin(), carried.end());
        const std::vector<ValueId> results = inline_branch(*body, node.name, arguments);
        condition = results[0];
        std::copy_n(results.begin() + 1, carried.size(), carried.begin());
        for (std::size_t k = 0; k < scanned.size(); ++k)
            scanned[k].push_back(results[1 + carried.size() + k]);
    }
    for (std::size_t k = 0; k < node.outputs.size(); ++k) {
        if (!node.has_output(k)) continue;
        if (k < carried.size())
            publish(node.outputs[k], carried[k]);
        else
            stack_scans(node, node.outputs[k], scanned.at(k - carried.size()));
    }
}

/// A scan output: the tensors of all iterations stacked along a new first dimension.
void Specializer::stack_scans(const Node& loop, ValueId output, std::vector<ValueId> tensors) {
    const ValueId list = add_computed(graph_.value(output).name + "/list");
    sequences_[list] = std::move(tensors);
    Node stack;
    stack.name = loop.name + "/stack";
    stack.op_type = "ConcatFromSequence";
    stack.opset = std::max<std::int64_t>(loop.opset, 13);
    stack.attributes.set("axis", std::int64_t{0});
    stack.attributes.set("new_axis", std::int64_t{1});
    stack.inputs = {list};
    stack.outputs = {output};
    process(std::move(stack));
}

}  // namespace lossmap
