#include <algorithm>
#include <ostream>

#include <nlohmann/json.hpp>

#include "cli/commands/commands.hpp"
#include "cli/commands/model_summary.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

using Json = nlohmann::ordered_json;

std::string in_columns(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t k = 0; k < row.size(); ++k)
            widths[k] = std::max(widths[k], row[k].size());
    }
    std::string text;
    for (const auto& row : rows) {
        text += " ";
        for (std::size_t k = 0; k < row.size(); ++k)
            text += k + 1 < row.size() ? fmt::format(" {:<{}} ", row[k], widths[k]) : " " + row[k];
        text += "\n";
    }
    return text;
}

std::string filter_axis_text(const Parameter& parameter) {
    return parameter.filter_axis < 0 ? "-" : std::to_string(parameter.filter_axis);
}

void print_parameters(const ModelSummary& summary, std::ostream& out) {
    if (!summary.why_no_parameters.empty()) {
        out << fmt::format("\nParameters: none found, {}\n", summary.why_no_parameters);
        return;
    }
    const ParameterSpace& space = summary.space;
    out << fmt::format("\nParameters: {} with {} values\n", space.weights.size(), space.weights_size());
    const auto rows_of = [](const std::vector<Parameter>& parameters) {
        std::vector<std::vector<std::string>> rows{{"name", "shape", "role", "filter axis", "why"}};
        for (const Parameter& p : parameters)
            rows.push_back({p.name, to_string(p.shape), name_of(p.role), filter_axis_text(p), p.reason});
        return rows;
    };
    out << in_columns(rows_of(space.weights));
    if (!space.states.empty()) {
        out << fmt::format("\nRunning statistics: {} with {} values\n", space.states.size(), space.states_size());
        out << in_columns(rows_of(space.states));
    }
    if (space.constants.empty()) return;
    out << fmt::format("\nConstants: {}\n", space.constants.size());
    std::vector<std::vector<std::string>> rows{{"name", "shape", "why"}};
    for (const ConstantInfo& constant : space.constants)
        rows.push_back({constant.name, to_string(constant.shape), constant.reason});
    out << in_columns(rows);
}

void print_text(const ModelSummary& summary, std::ostream& out) {
    const Graph& graph = summary.graph;
    out << fmt::format("{}\n  producer    {}\n  opset       {}, IR version {}\n", summary.file.string(),
                       graph.producer.empty() ? "not named" : graph.producer, graph.opset, graph.ir_version);
    for (const ValueId id : graph.inputs)
        out << fmt::format("  input       {}: {}\n", graph.value(id).name, describe_declared(graph.value(id)));
    for (const ValueId id : graph.outputs)
        out << fmt::format("  output      {}: {}\n", graph.value(id).name, describe_declared(graph.value(id)));
    if (summary.macs_per_sample) {
        const auto macs = static_cast<double>(*summary.macs_per_sample);
        out << fmt::format("  work        {} multiply-adds a sample ({:.4g} FLOPs)\n", *summary.macs_per_sample,
                           2.0 * macs);
    } else {
        out << fmt::format("  work        not known: {}\n", summary.why_no_macs);
    }
    for (const std::string& warning : summary.space.warnings)
        out << fmt::format("  warning     {}\n", warning);
    out << fmt::format("\nOperators: {} nodes\n", graph.nodes.size());
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, count] : summary.operators)
        rows.push_back({name, std::to_string(count)});
    out << in_columns(rows);
    out << (summary.unsupported.empty() ? "\nUnsupported: none\n"
                                        : fmt::format("\nUnsupported: {} nodes\n", summary.unsupported.size()));
    for (const std::string& sentence : summary.unsupported)
        out << "  " << sentence << '\n';
    print_parameters(summary, out);
}

Json parameters_json(const std::vector<Parameter>& parameters) {
    Json list = Json::array();
    for (const Parameter& parameter : parameters) {
        Json json{{"name", parameter.name},
                  {"shape", parameter.shape},
                  {"role", name_of(parameter.role)},
                  {"filter_axis", nullptr},
                  {"filters", parameter.filters.count},
                  {"one_dimensional", parameter.one_dimensional},
                  {"batch_norm", parameter.batch_norm},
                  {"norm", parameter.norm},
                  {"reason", parameter.reason}};
        if (parameter.filter_axis >= 0) json["filter_axis"] = parameter.filter_axis;
        list.push_back(std::move(json));
    }
    return list;
}

Json values_json(const Graph& graph, const std::vector<ValueId>& ids) {
    Json list = Json::array();
    for (const ValueId id : ids) {
        const Value& value = graph.value(id);
        Json shape = nullptr;
        if (value.has_declared) {
            shape = Json::array();
            for (const Dimension& dimension : value.declared) {
                if (dimension.extent >= 0)
                    shape.push_back(dimension.extent);
                else if (dimension.symbol.empty())
                    shape.push_back(nullptr);
                else
                    shape.push_back(dimension.symbol);
            }
        }
        list.push_back({{"name", value.name}, {"type", name_of(value.dtype)}, {"shape", std::move(shape)}});
    }
    return list;
}

Json summary_json(const ModelSummary& summary) {
    const Graph& graph = summary.graph;
    Json constants = Json::array();
    for (const ConstantInfo& constant : summary.space.constants)
        constants.push_back({{"name", constant.name}, {"shape", constant.shape}, {"reason", constant.reason}});
    Json json{{"file", summary.file.string()},
              {"producer", graph.producer},
              {"opset", graph.opset},
              {"ir_version", graph.ir_version},
              {"inputs", values_json(graph, graph.inputs)},
              {"outputs", values_json(graph, graph.outputs)},
              {"nodes", graph.nodes.size()},
              {"operators", summary.operators},
              {"supported", summary.unsupported.empty()},
              {"unsupported", summary.unsupported},
              {"parameter_count", summary.space.weights_size()},
              {"parameters", parameters_json(summary.space.weights)},
              {"states", parameters_json(summary.space.states)},
              {"constants", std::move(constants)},
              {"warnings", summary.space.warnings},
              {"macs", nullptr},
              {"flops", nullptr},
              {"macs_by_operator", summary.macs_by_operator}};
    if (summary.macs_per_sample) {
        json["macs"] = *summary.macs_per_sample;
        json["flops"] = 2 * *summary.macs_per_sample;
    } else {
        json["why_no_macs"] = summary.why_no_macs;
    }
    if (!summary.why_no_parameters.empty()) json["why_no_parameters"] = summary.why_no_parameters;
    return json;
}

}  // namespace

int inspect_command(const InspectArguments& arguments, std::ostream& out) {
    const ModelSummary summary = summarize_model(arguments.model);
    if (arguments.json) {
        out << summary_json(summary).dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
    } else {
        print_text(summary, out);
    }
    return 0;
}

}  // namespace lossmap
