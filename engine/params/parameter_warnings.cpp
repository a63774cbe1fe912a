#include "params/parameter_warnings.hpp"

#include <algorithm>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lossmap {
namespace {

/// The first few names of a list.
std::string some_of(const std::vector<std::string>& names) {
    constexpr std::size_t kShown = 4;
    const std::vector<std::string> shown(names.begin(),
                                         names.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, names.size())));
    return fmt::format("{}{}", fmt::join(shown, ", "), names.size() > kShown ? ", .." : "");
}

bool is_convolution(const Node& node) { return node.op_type == "Conv" || node.op_type == "ConvTranspose"; }

bool has_normalization(const Graph& graph) {
    return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                       [](const Node& node) { return node.op_type.find("Normalization") != std::string::npos; });
}

/// Convolutions (and dense layers) whose bias an exporter made by folding a batch norm in.
int folded_layers(const Graph& graph) {
    int count = 0;
    for (const Node& node : graph.nodes) {
        if (!node.has_input(2) || (!is_convolution(node) && node.op_type != "Gemm")) continue;
        const std::string& weight = graph.value(node.inputs[1]).name;
        const std::string& bias = graph.value(node.inputs[2]).name;
        if (bias == weight + "_bias" || (is_legacy_folded(weight) && is_legacy_folded(bias))) ++count;
    }
    return count;
}

/// Convolutions with bias and names of no known style, in a network without any normalisation.
bool looks_folded_by_shape(const Graph& graph) {
    if (has_normalization(graph)) return false;
    int convolutions = 0;
    for (const Node& node : graph.nodes) {
        if (!is_convolution(node)) continue;
        if (!node.has_input(2) || graph.value(node.inputs[2]).name.ends_with(".bias")) return false;
        ++convolutions;
    }
    return convolutions >= 3;
}

void warn_folded(const Graph& graph, const ExporterFacts& facts, std::vector<std::string>& warnings) {
    const int folded = std::max(folded_layers(graph), facts.missing_batch_norms());
    const bool by_shape = facts.trained().empty() && !facts.listed() && looks_folded_by_shape(graph);
    if (folded == 0 && !by_shape) return;
    const std::string extent =
        folded > 0 ? fmt::format("batch norms look folded into {} layer{}", folded, folded == 1 ? "" : "s")
                   : "batch norms may be folded into the convolutions (there is none, and all have a bias)";
    warnings.push_back(
        extent + ": a landscape of folded weights is another landscape; export with tools/export_onnx.py to keep them");
}

void warn_gone(const Graph& graph, const ExporterFacts& facts, const ParameterSpace& space,
               std::vector<std::string>& warnings) {
    std::set<std::string> present;
    for (const Parameter& parameter : space.weights)
        present.insert(parameter.name);
    for (const ConstantInfo& constant : space.constants)
        present.insert(constant.name);
    for (const ValueId id : graph.initializers) {
        const Value& value = graph.value(id);
        const std::vector<std::string> sources = facts.sources_of(value);
        if (facts.origin_of(value) == Origin::computed) {
            warnings.push_back(
                fmt::format("'{}' was computed from {} when the model was exported: such parameters cannot move",
                            value.name, some_of(sources)));
        }
        present.insert(sources.begin(), sources.end());
    }
    std::vector<std::string> gone;
    const auto& declared = facts.listed() ? *facts.listed() : facts.trained();
    std::copy_if(declared.begin(), declared.end(), std::back_inserter(gone),
                 [&](const std::string& name) { return !present.contains(name); });
    if (gone.empty()) return;
    warnings.push_back(
        fmt::format("{} of the network's {} parameters {} not in the file (folded, merged or stored once): {}",
                    gone.size(), declared.size(), gone.size() == 1 ? "is" : "are", some_of(gone)));
}

/// Convolution weights without a name beside a bias that kept its own, or without a bias: the legacy exporter names the
/// result of constant folding so, and a folded batch norm leaves a nameless bias, too.
void warn_computed(const Graph& graph, std::vector<std::string>& warnings) {
    std::vector<std::string> computed;
    for (const Node& node : graph.nodes) {
        if (!is_convolution(node)) continue;
        const std::string& weight = graph.value(node.inputs[1]).name;
        const bool nameless_bias = node.has_input(2) && is_legacy_folded(graph.value(node.inputs[2]).name);
        if (is_legacy_folded(weight) && !nameless_bias) computed.push_back(weight);
    }
    if (computed.empty()) return;
    warnings.push_back(fmt::format(
        "{} convolution weight{} lost {} name{}: computed from parameters when the model was exported (weight "
        "normalisation?), they move as one and what they were made of is gone: {}",
        computed.size(), computed.size() == 1 ? "" : "s", computed.size() == 1 ? "its" : "their",
        computed.size() == 1 ? "" : "s", some_of(computed)));
}

bool is_equal_copy(const Tensor& a, const Tensor& b) { return std::ranges::equal(a.as<float>(), b.as<float>()); }

bool is_transposed_copy(const Tensor& a, const Tensor& b) {
    const std::int64_t rows = a.shape()[0];
    const std::int64_t columns = a.shape()[1];
    const auto left = a.as<float>();
    const auto right = b.as<float>();
    for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < columns; ++c) {
            if (left[static_cast<std::size_t>(r * columns + c)] != right[static_cast<std::size_t>(c * rows + r)])
                return false;
        }
    }
    return true;
}

void warn_lost_ties(const Graph& graph, const ParameterSpace& space, std::vector<std::string>& warnings) {
    std::vector<const Parameter*> matrices;
    for (const Parameter& parameter : space.weights) {
        if (parameter.role == Role::filter_weight && parameter.shape.size() == 2 && parameter.size > 1)
            matrices.push_back(&parameter);
    }
    for (std::size_t first = 0; first < matrices.size(); ++first) {
        for (std::size_t second = first + 1; second < matrices.size(); ++second) {
            const Parameter& a = *matrices[first];
            const Parameter& b = *matrices[second];
            const Tensor& left = *graph.value(a.value).data;
            const Tensor& right = *graph.value(b.value).data;
            // Two that kept their names are two parameters, whatever they hold.
            const bool nameless = is_anonymous(a.name) || is_anonymous(b.name);
            const bool equal = nameless && a.shape == b.shape && is_equal_copy(left, right);
            const bool turned = a.shape[0] == b.shape[1] && a.shape[1] == b.shape[0] && is_transposed_copy(left, right);
            if (!equal && !turned) continue;
            warnings.push_back(
                fmt::format("'{}' and '{}' hold the same values{}: if the network ties them, the "
                            "exporter has lost the tie and they move apart",
                            a.name, b.name, equal ? "" : ", once transposed"));
        }
    }
}

}  // namespace

std::vector<std::string> parameter_warnings(const Graph& graph, const ExporterFacts& facts,
                                            const ParameterSpace& space) {
    std::vector<std::string> warnings;
    warn_folded(graph, facts, warnings);
    warn_gone(graph, facts, space, warnings);
    warn_computed(graph, warnings);
    warn_lost_ties(graph, space, warnings);
    const auto converted = graph.metadata.find("lossmap.converted");
    if (converted != graph.metadata.end()) warnings.push_back(converted->second);
    return warnings;
}

}  // namespace lossmap
