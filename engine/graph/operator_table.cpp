#include "graph/operator_table.hpp"

#include <algorithm>
#include <tuple>

#include "core/error.hpp"
#include "graph/operator_families.hpp"
#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap {

const TensorType& InferenceContext::input(std::size_t index) const {
    if (!node.has_input(index)) throw InputError("input {} is missing", index);
    return inputs.at(index);
}

std::vector<std::int64_t> InferenceContext::constant_ints(std::size_t index) const {
    if (!node.has_input(index)) throw InputError("input {} is missing", index);
    if (constants.at(index) == nullptr) {
        throw UnsupportedError("input {} must be known before running, but depends on data or parameters", index);
    }
    return ops::read_ints(constants[index]->view());
}

namespace {

auto key_of(const OperatorInfo& info) { return std::pair(info.domain, info.name); }

std::vector<OperatorInfo> join_families() {
    std::vector<OperatorInfo> table;
    for (const OperatorFamily& family : operator_families())
        std::ranges::move(family.operators(), std::back_inserter(table));
    std::ranges::sort(table, {}, key_of);
    return table;
}

std::string count_problem(const char* what, std::size_t count, int least, int most) {
    if (static_cast<int>(count) < least) return fmt::format("it has {} {}, at least {} are needed", count, what, least);
    if (most >= 0 && static_cast<int>(count) > most)
        return fmt::format("it has {} {}, at most {} are supported", count, what, most);
    return "";
}

std::string arity_problem(const Node& node, const OperatorInfo& info) {
    std::size_t inputs = node.inputs.size();
    while (inputs > 0 && node.inputs[inputs - 1] == kNoValue)
        --inputs;  // omitted ones at the end do not count
    if (auto problem = count_problem("inputs", inputs, info.min_inputs, info.max_inputs); !problem.empty())
        return problem;
    std::size_t outputs = node.outputs.size();
    while (outputs > 0 && node.outputs[outputs - 1] == kNoValue)
        --outputs;
    return count_problem("outputs", outputs, 0, info.max_outputs);
}

void collect_problems(const Graph& graph, std::vector<std::string>& problems) {
    for (const Node& node : graph.nodes) {
        if (const std::string why = why_unsupported(node); !why.empty())
            problems.push_back(node.describe() + ": " + why);
        for (const auto& [name, attribute] : node.attributes.all()) {
            const auto* branch = std::get_if<std::shared_ptr<const Graph>>(&attribute);
            if (branch != nullptr && *branch) collect_problems(**branch, problems);
        }
    }
}

}  // namespace

std::span<const OperatorFamily> operator_families() {
    static constexpr OperatorFamily kFamilies[] = {
        {"elementwise, one input", ops::unary_operators},
        {"activations", ops::activation_operators},
        {"softmax", ops::softmax_operators},
        {"elementwise, several inputs", ops::binary_operators},
        {"convolution", ops::convolution_operators},
        {"pooling", ops::pooling_operators},
        {"normalisation", ops::normalization_operators},
        {"matrix products", ops::matrix_operators},
        {"einsum", ops::einsum_operators},
        {"reductions", ops::reduction_operators},
        {"attention", ops::attention_operators},
        {"recurrent", ops::recurrent_operators},
        {"shapes and types", ops::shape_operators},
        {"constants", ops::constant_operators},
        {"layout", ops::layout_operators},
        {"indexing", ops::indexing_operators},
        {"blocks", ops::block_operators},
        {"ordering", ops::ordering_operators},
        {"resizing", ops::resize_operators},
        {"quantisation", ops::quantization_operators},
        {"control flow and sequences", ops::rewritten_operators},
    };
    return kFamilies;
}

std::span<const OperatorInfo> operator_table() {
    static const std::vector<OperatorInfo> table = join_families();
    return table;
}

const OperatorInfo* find_operator(std::string_view domain, std::string_view name) {
    const auto table = operator_table();
    const std::pair wanted(domain, name);
    const auto found = std::ranges::lower_bound(table, wanted, {}, key_of);
    return found != table.end() && key_of(*found) == wanted ? &*found : nullptr;
}

std::string why_unsupported(const Node& node) {
    const std::string_view domain = node.domain == "ai.onnx" ? std::string_view{} : std::string_view(node.domain);
    const OperatorInfo* info = find_operator(domain, node.op_type);
    if (info == nullptr) {
        return fmt::format("operator '{}' of domain '{}' is not supported; see docs/operators.md", node.op_type,
                           domain.empty() ? "ai.onnx" : domain);
    }
    if (node.opset < info->min_opset || node.opset > info->max_opset) {
        return fmt::format("operator '{}' is supported in operator sets {} to {}, the model uses {}", node.op_type,
                           info->min_opset, info->max_opset, node.opset);
    }
    if (auto problem = arity_problem(node, *info); !problem.empty()) return problem;
    if (info->check == nullptr) return "";
    try {
        return info->check(node);
    } catch (const InputError& error) {  // an attribute of the wrong type
        return error.what();
    }
}

void require_supported(const Graph& graph) {
    std::vector<std::string> problems;
    collect_problems(graph, problems);
    if (problems.empty()) return;
    std::string message = problems.size() == 1 ? "" : fmt::format("{} nodes are not supported: ", problems.size());
    for (std::size_t index = 0; index < problems.size(); ++index)
        message += (index == 0 ? "" : "; ") + problems[index];
    throw UnsupportedError(message);
}

}  // namespace lossmap
