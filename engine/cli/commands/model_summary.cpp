#include "cli/commands/model_summary.hpp"

#include "cli/commands/multiply_adds.hpp"
#include "core/error.hpp"
#include "graph/operator_table.hpp"
#include "graph/specialize.hpp"
#include "onnx_import/importer.hpp"

namespace lossmap {
namespace {

void collect_operators(const Graph& graph, ModelSummary& summary) {
    for (const Node& node : graph.nodes) {
        ++summary.operators[node.domain.empty() ? node.op_type : node.domain + "." + node.op_type];
        if (const std::string reason = why_unsupported(node); !reason.empty()) {
            summary.unsupported.push_back(fmt::format("{}: {}", node.describe(), reason));
        }
        for (const auto& [name, attribute] : node.attributes.all()) {
            const auto* branch = std::get_if<std::shared_ptr<const Graph>>(&attribute);
            if (branch != nullptr && *branch) collect_operators(**branch, summary);
        }
    }
}

/// Fixes the batch to what the model declares, or to 1; other extents must be declared.
std::map<std::string, Shape> concrete_inputs(const Graph& graph, std::int64_t batch) {
    std::map<std::string, Shape> shapes;
    for (const ValueId id : graph.inputs) {
        const Value& value = graph.value(id);
        if (!value.has_declared) throw InputError("the model declares no shape for its input '{}'", value.name);
        Shape shape;
        for (std::size_t k = 0; k < value.declared.size(); ++k) {
            const std::int64_t extent = k == 0 ? batch : value.declared[k].extent;
            if (extent < 0) throw InputError("dimension {} of input '{}' is open; the data decide it", k, value.name);
            shape.push_back(extent);
        }
        shapes[value.name] = std::move(shape);
    }
    return shapes;
}

void count_work(ModelSummary& summary) {
    try {
        const std::int64_t declared = declared_batch(summary.graph);
        const std::int64_t batch = declared > 0 ? declared : 1;
        summary.macs_by_operator =
            count_multiply_adds(specialize(summary.graph, concrete_inputs(summary.graph, batch)));
        std::int64_t total = 0;
        for (auto& [name, count] : summary.macs_by_operator) {
            count /= batch;
            total += count;
        }
        summary.macs_per_sample = total;
    } catch (const InputError& error) {
        summary.why_no_macs = error.what();
    }
}

}  // namespace

ModelSummary summarize_model(const std::filesystem::path& file) {
    ModelSummary summary;
    summary.file = file;
    summary.graph = import_onnx(file);
    collect_operators(summary.graph, summary);
    try {
        summary.space = identify_parameters(summary.graph);
    } catch (const InputError& error) {
        summary.why_no_parameters = error.what();
    }
    count_work(summary);
    return summary;
}

std::string describe_declared(const Value& value) {
    std::string text(name_of(value.dtype));
    if (!value.has_declared) return text + " of undeclared shape";
    text += " [";
    for (std::size_t k = 0; k < value.declared.size(); ++k) {
        const Dimension& dimension = value.declared[k];
        if (k > 0) text += ", ";
        if (dimension.extent >= 0)
            text += std::to_string(dimension.extent);
        else
            text += dimension.symbol.empty() ? "?" : dimension.symbol;
    }
    return text + "]";
}

}  // namespace lossmap
