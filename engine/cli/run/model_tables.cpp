#include "cli/run/model_tables.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace lossmap {
namespace {

/// The columns that tell the models: their names and, where given, run, epoch and iteration.
Table naming_columns(const ModelResults& results) {
    const auto any = [&](const auto& given) {
        return std::any_of(results.series.begin(), results.series.end(), given);
    };
    const bool has_run = any([](const ModelSeries& series) { return !series.label.empty(); });
    const bool has_epoch = any([](const ModelSeries& series) { return !series.epochs.empty(); });
    const bool has_iteration = any([](const ModelSeries& series) { return !series.iterations.empty(); });
    Table table{{"model"}, {}, has_run ? std::size_t{2} : 1};
    if (has_run) table.head.emplace_back("run");
    if (has_epoch) table.head.emplace_back("epoch");
    if (has_iteration) table.head.emplace_back("iteration");
    const auto number = [](const std::vector<std::int64_t>& values, std::size_t k) {
        return values.empty() ? std::string() : std::to_string(values[k]);
    };
    for (const ModelSeries& series : results.series) {
        for (std::size_t k = 0; k < series.count; ++k) {
            std::vector<std::string> row{results.labels[series.first + k]};
            if (has_run) row.push_back(series.label);
            if (has_epoch) row.push_back(number(series.epochs, k));
            if (has_iteration) row.push_back(number(series.iterations, k));
            table.rows.push_back(std::move(row));
        }
    }
    return table;
}

/// One more column; `cell` makes the text of a row.
template <typename Cell>
void add_column(Table& table, std::string name, const Cell& cell) {
    table.head.push_back(std::move(name));
    for (std::size_t row = 0; row < table.rows.size(); ++row)
        table.rows[row].push_back(cell(row));
}

}  // namespace

Table exact_loss_table(const ModelResults& results) {
    Table table = naming_columns(results);
    for (const SplitSurface& split : results.surface.splits) {
        const auto add = [&](const char* name, const auto& value) {
            add_column(table, fmt::format("{}_{}", split.name, name), [&](std::size_t row) {
                // An interrupted run has models that are not computed.
                return split.done[row] == 0 ? std::string() : value(row);
            });
        };
        add("loss", [&](std::size_t row) { return fmt::format("{}", split.loss[row]); });
        if (split.has_accuracy)
            add("error", [&](std::size_t row) { return fmt::format("{:.10g}", 100.0 - split.accuracy[row]); });
        add("standard_error", [&](std::size_t row) { return fmt::format("{}", split.standard_error[row]); });
        add("samples", [&](std::size_t row) { return fmt::format("{}", split.samples[row]); });
        add("non_finite", [&](std::size_t row) { return fmt::format("{}", split.non_finite[row]); });
        if (!split.is_drawn()) continue;
        add("interval_95", [&](std::size_t row) { return fmt::format("{}", confidence_half_width(split, row)); });
    }
    return table;
}

Table brief_loss_table(const ModelResults& results) {
    Table table = naming_columns(results);
    for (const SplitSurface& split : results.surface.splits) {
        add_column(table, split.name + " loss", [&](std::size_t row) {
            return split.done[row] == 0 ? std::string() : fmt::format("{:.4g}", split.loss[row]);
        });
        if (!split.has_accuracy) continue;
        add_column(table, split.name + " error (%)", [&](std::size_t row) {
            return split.done[row] == 0 ? std::string() : fmt::format("{:.2f}", 100.0 - split.accuracy[row]);
        });
    }
    return table;
}

Table norm_table(const ModelResults& results, int digits) {
    Table table = naming_columns(results);
    const auto text = [digits](double value) { return fmt::format("{:.{}g}", value, digits); };
    add_column(table, "weight_norm", [&](std::size_t row) { return text(results.norms.at(row).all); });
    add_column(table, "filter_norm", [&](std::size_t row) { return text(results.norms.at(row).filters); });
    return table;
}

}  // namespace lossmap
