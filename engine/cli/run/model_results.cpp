#include "cli/run/model_results.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>

#include "cli/run/model_figures.hpp"
#include "cli/run/model_tables.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr int kEveryDigit = 17;
constexpr int kDigitsForPeople = 5;
constexpr std::string_view kLossEnding = "_loss";

/// The columns of a table.csv by name; cells as numbers.
class CsvColumns {
public:
    explicit CsvColumns(const Rows& rows) : rows_(rows) {}

    [[nodiscard]] std::size_t count() const { return rows_.size() - 1; }
    [[nodiscard]] const std::vector<std::string>& head() const { return rows_.front(); }
    [[nodiscard]] bool has(const std::string& name) const { return place_of(name) < head().size(); }

    [[nodiscard]] const std::string& text(const std::string& name, std::size_t row) const {
        const std::size_t place = place_of(name);
        if (place == head().size()) throw InputError("has no column '{}'", name);
        return rows_[row + 1][place];
    }

    template <typename Number>
    [[nodiscard]] Number number(const std::string& name, std::size_t row) const {
        const std::string& cell = text(name, row);
        Number value{};
        const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
        if (error != std::errc() || end != cell.data() + cell.size())
            throw InputError("line {}, column '{}': '{}' is no number", row + 2, name, cell);
        return value;
    }

private:
    [[nodiscard]] std::size_t place_of(const std::string& name) const {
        return static_cast<std::size_t>(std::find(head().begin(), head().end(), name) - head().begin());
    }

    const Rows& rows_;
};

/// Rows of one run follow each other. Without runs, epochs and iterations a list of evaluated models is just a list.
std::vector<ModelSeries> read_series(const CsvColumns& columns) {
    std::vector<ModelSeries> series;
    for (std::size_t row = 0; row < columns.count(); ++row) {
        const std::string label = columns.has("run") ? columns.text("run", row) : "";
        if (series.empty() || series.back().label != label) {
            const bool in_order =
                columns.has("run") || columns.has("epoch") || columns.has("iteration") || columns.has("weight_norm");
            series.push_back({label, row, 0, {}, {}, in_order});
        }
        ++series.back().count;
        const auto add = [&](const char* name, std::vector<std::int64_t>& numbers) {
            if (columns.has(name)) numbers.push_back(columns.number<std::int64_t>(name, row));
        };
        add("epoch", series.back().epochs);
        add("iteration", series.back().iterations);
    }
    return series;
}

/// A row without a loss was not computed.
void read_split(const CsvColumns& columns, SplitSurface& split) {
    split.has_accuracy = columns.has(split.name + "_error");
    for (std::size_t row = 0; row < columns.count(); ++row) {
        if (columns.text(split.name + "_loss", row).empty()) continue;
        split.done[row] = 1;
        split.loss[row] = columns.number<double>(split.name + "_loss", row);
        if (split.has_accuracy) split.accuracy[row] = 100.0 - columns.number<double>(split.name + "_error", row);
        split.standard_error[row] = columns.number<double>(split.name + "_standard_error", row);
        split.samples[row] = columns.number<std::int64_t>(split.name + "_samples", row);
        split.non_finite[row] = columns.number<std::int64_t>(split.name + "_non_finite", row);
    }
}

Surface line_of_models(std::size_t count, const std::vector<std::string>& splits) {
    std::vector<double> numbers(count);
    for (std::size_t k = 0; k < count; ++k)
        numbers[k] = static_cast<double>(k);
    return make_surface(std::move(numbers), {}, splits, true);
}

/// Splits that all parts have.
std::vector<std::string> common_splits(const std::vector<std::pair<std::string, ModelResults>>& parts) {
    std::vector<std::string> names;
    for (const SplitSurface& split : parts.front().second.surface.splits) {
        const bool everywhere = std::all_of(parts.begin(), parts.end(), [&](const auto& part) {
            return part.second.surface.find(split.name) != nullptr;
        });
        if (everywhere) names.push_back(split.name);
    }
    return names;
}

void append_split(const SplitSurface& from, std::size_t offset, SplitSurface& to) {
    const auto append = [offset](const auto& source, auto& target) {
        std::copy(source.begin(), source.end(), target.begin() + static_cast<std::ptrdiff_t>(offset));
    };
    to.has_accuracy = to.has_accuracy && from.has_accuracy;
    append(from.loss, to.loss);
    append(from.accuracy, to.accuracy);
    append(from.standard_error, to.standard_error);
    append(from.done, to.done);
    append(from.samples, to.samples);
    append(from.non_finite, to.non_finite);
}

}  // namespace

ModelResults model_results(const PreparedRun& run) {
    ModelResults results{run.config.name, {}, run.config.series, run.surface, run.norms};
    for (const ModelConfig& model : run.config.models)
        results.labels.push_back(model.label);
    return results;
}

ModelResults read_model_results(const Rows& rows, std::string name) {
    if (rows.size() < 2) throw InputError("holds no model");
    const CsvColumns columns(rows);
    ModelResults results;
    results.name = std::move(name);
    results.series = read_series(columns);
    std::vector<std::string> splits;
    for (const std::string& head : columns.head()) {
        if (head.ends_with(kLossEnding)) splits.push_back(head.substr(0, head.size() - kLossEnding.size()));
    }
    for (std::size_t row = 0; row < columns.count(); ++row) {
        results.labels.push_back(columns.text("model", row));
        if (columns.has("weight_norm")) {
            results.norms.push_back(
                {columns.number<double>("weight_norm", row), columns.number<double>("filter_norm", row)});
        }
    }
    if (splits.empty() && results.norms.empty()) throw InputError("has neither losses nor norms of models");
    if (splits.empty()) return results;
    results.surface = line_of_models(columns.count(), splits);
    for (SplitSurface& split : results.surface.splits)
        read_split(columns, split);
    return results;
}

std::optional<ModelResults> joined_results(const std::vector<std::pair<std::string, ModelResults>>& parts,
                                           std::string name) {
    std::vector<std::pair<std::string, ModelResults>> runs;
    bool all_have_epochs = true;
    bool all_have_iterations = true;
    std::size_t models = 0;
    for (const auto& part : parts) {
        if (!part.second.series.front().in_order) continue;
        runs.push_back(part);
        models += part.second.labels.size();
        all_have_epochs = all_have_epochs && !part.second.series.front().epochs.empty();
        all_have_iterations = all_have_iterations && !part.second.series.front().iterations.empty();
    }
    if (runs.size() < 2) return std::nullopt;
    ModelResults joined;
    joined.name = std::move(name);
    if (runs.front().second.norms.empty()) joined.surface = line_of_models(models, common_splits(runs));
    for (const auto& [label, part] : runs) {
        const std::size_t offset = joined.labels.size();
        for (ModelSeries series : part.series) {
            series.label = series.label.empty() ? label : fmt::format("{}, {}", label, series.label);
            series.first += offset;
            if (!all_have_epochs) series.epochs.clear();
            if (!all_have_iterations) series.iterations.clear();
            joined.series.push_back(std::move(series));
        }
        for (SplitSurface& split : joined.surface.splits)
            append_split(*part.surface.find(split.name), offset, split);
        joined.labels.insert(joined.labels.end(), part.labels.begin(), part.labels.end());
        joined.norms.insert(joined.norms.end(), part.norms.begin(), part.norms.end());
    }
    return joined;
}

Table exact_table(const ModelResults& results) {
    return results.norms.empty() ? exact_loss_table(results) : norm_table(results, kEveryDigit);
}

Table brief_table(const ModelResults& results) {
    return results.norms.empty() ? brief_loss_table(results) : norm_table(results, kDigitsForPeople);
}

std::vector<CurvesFigure> figures_of(const ModelResults& results) {
    return results.norms.empty() ? training_figures(results) : norm_figures(results);
}

ReportRun model_page(const ModelResults& results, const std::string& resolved_config) {
    ReportRun page{results.name, {}, resolved_config};
    page.curves = figures_of(results);
    const Table table = brief_table(results);
    page.tables.push_back({"Results", table.head, table.rows});
    return page;
}

}  // namespace lossmap
