#include "cli/run/sweep/sweep_table.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace lossmap {
namespace {

/// Columns of a split: whether any row has its error.
struct SplitColumns {
    std::string name;
    bool has_error = false;
};

std::vector<SplitColumns> splits_of(const std::vector<SweepRow>& rows) {
    std::vector<SplitColumns> splits;
    for (const char* name : {"train", "test"}) {
        bool any = false;
        SplitColumns columns{name};
        for (const SweepRow& row : rows) {
            for (const OriginResult& result : row.results) {
                if (result.split != name) continue;
                any = true;
                columns.has_error = columns.has_error || result.error;
            }
        }
        if (any) splits.push_back(columns);
    }
    return splits;
}

const OriginResult* find_split(const SweepRow& row, const std::string& split) {
    const auto found = std::find_if(row.results.begin(), row.results.end(),
                                    [&](const OriginResult& result) { return result.split == split; });
    return found == row.results.end() ? nullptr : &*found;
}

/// The forms of heads and numbers.
struct Form {
    bool exact;

    [[nodiscard]] std::string loss_head(const std::string& split) const { return split + (exact ? "_loss" : " loss"); }
    [[nodiscard]] std::string error_head(const std::string& split) const {
        return split + (exact ? "_error" : " error (%)");
    }
    [[nodiscard]] std::string loss(double value) const {
        return exact ? fmt::format("{}", value) : fmt::format("{:.4g}", value);
    }
    [[nodiscard]] std::string error(double value) const {
        return exact ? fmt::format("{:.10g}", value) : fmt::format("{:.2f}", value);
    }
};

Table table_of(const Sweep& sweep, const std::vector<SweepRow>& rows, const Form& form) {
    const std::vector<SplitColumns> splits = splits_of(rows);
    const bool has_models =
        std::any_of(rows.begin(), rows.end(), [](const SweepRow& row) { return !row.model.empty(); });
    Table table;
    if (form.exact) table.head.emplace_back("folder");
    for (const SweepAxis& axis : sweep.axes)
        table.head.push_back(axis.name);
    if (has_models) table.head.emplace_back("evaluated");
    table.names = table.head.size();
    for (const SplitColumns& split : splits) {
        table.head.push_back(form.loss_head(split.name));
        if (split.has_error) table.head.push_back(form.error_head(split.name));
    }
    for (const SweepRow& row : rows) {
        const Combination& combination = sweep.combinations[row.combination];
        std::vector<std::string> cells;
        if (form.exact) cells.push_back(combination.folder);
        cells.insert(cells.end(), combination.labels.begin(), combination.labels.end());
        if (has_models) cells.push_back(row.model);
        for (const SplitColumns& split : splits) {
            const OriginResult* result = find_split(row, split.name);
            cells.push_back(result != nullptr ? form.loss(result->loss) : "");
            if (split.has_error) cells.push_back(result != nullptr && result->error ? form.error(*result->error) : "");
        }
        table.rows.push_back(std::move(cells));
    }
    return table;
}

}  // namespace

Table exact_sweep_table(const Sweep& sweep, const std::vector<SweepRow>& rows) { return table_of(sweep, rows, {true}); }

Table brief_sweep_table(const Sweep& sweep, const std::vector<SweepRow>& rows) {
    return table_of(sweep, rows, {false});
}

Table joined_sweep_table(const Sweep& sweep, const std::vector<std::pair<std::size_t, Table>>& tables, bool exact) {
    Table joined;
    if (exact) joined.head.emplace_back("folder");
    for (const SweepAxis& axis : sweep.axes)
        joined.head.push_back(axis.name);
    const std::size_t leading = joined.head.size();
    std::vector<std::string> names;  // as the tables have them
    for (const auto& [combination, table] : tables) {
        joined.names = std::max(joined.names, leading + table.names);
        for (const std::string& name : table.head) {
            if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
        }
    }
    for (const std::string& name : names)
        joined.head.push_back(name == "model" ? "checkpoint" : name);
    for (const auto& [combination, table] : tables) {
        for (const std::vector<std::string>& row : table.rows) {
            std::vector<std::string> cells;
            if (exact) cells.push_back(sweep.combinations[combination].folder);
            const std::vector<std::string>& labels = sweep.combinations[combination].labels;
            cells.insert(cells.end(), labels.begin(), labels.end());
            for (const std::string& name : names) {
                const auto place = std::find(table.head.begin(), table.head.end(), name);
                cells.push_back(place == table.head.end() ? ""
                                                          : row[static_cast<std::size_t>(place - table.head.begin())]);
            }
            joined.rows.push_back(std::move(cells));
        }
    }
    return joined;
}

}  // namespace lossmap
