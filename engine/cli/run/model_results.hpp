#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/config/config.hpp"
#include "cli/run/prepared_run.hpp"
#include "cli/run/table.hpp"
#include "landscape/surface.hpp"
#include "landscape/weight_norms.hpp"
#include "output/curves.hpp"
#include "output/report.hpp"

namespace lossmap {

/// What `evaluate` or `weight_norm` tells of models; tables, curves and pages are made from it.
struct ModelResults {
    std::string name;                 ///< of the run
    std::vector<std::string> labels;  ///< one a model
    std::vector<ModelSeries> series;  ///< what the models are to each other, in their order
    Surface surface;                  ///< evaluate: a line with a point a model
    std::vector<WeightNorms> norms;   ///< weight_norm: one a model, and then no surface
};

[[nodiscard]] ModelResults model_results(const PreparedRun& run);

/// The same from the cells of a table.csv, as exact_table() writes it, head first. Throws InputError naming line and
/// column.
[[nodiscard]] ModelResults read_model_results(const std::vector<std::vector<std::string>>& rows, std::string name);

/// The training runs of several results as one, each labelled by its part: for curves over each other. Splits, epochs
/// and iterations that not all have are left out. Nothing when fewer than two parts are
/// training runs.
[[nodiscard]] std::optional<ModelResults> joined_results(const std::vector<std::pair<std::string, ModelResults>>& parts,
                                                         std::string name);

/// Every digit, and what fits for people.
[[nodiscard]] Table exact_table(const ModelResults& results);
[[nodiscard]] Table brief_table(const ModelResults& results);

/// Training curves or norms; none when the models are no training run.
[[nodiscard]] std::vector<CurvesFigure> figures_of(const ModelResults& results);

/// Curves and table. `resolved_config`: JSON text, "" when there is none.
[[nodiscard]] ReportRun model_page(const ModelResults& results, const std::string& resolved_config);

}  // namespace lossmap
