#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cli/run/prepared_run.hpp"
#include "cli/run/run_log.hpp"
#include "landscape/surface.hpp"
#include "output/plot.hpp"

namespace lossmap {

/// loss and error of each model, a row a model: "model,train_loss,train_error,train_standard_error,train_samples,
/// train_non_finite,..". No `_error` where targets are no classes.
[[nodiscard]] std::string table_csv(const std::vector<ModelConfig>& models, const Surface& surface);

/// The same for papers: loss (four digits) and error (percent) of each model as a Markdown and as a LaTeX table. No
/// name can leave its cell.
[[nodiscard]] std::string table_markdown(const std::vector<ModelConfig>& models, const Surface& surface);
[[nodiscard]] std::string table_latex(const std::vector<ModelConfig>& models, const Surface& surface);

/// Draws `kinds` of a surface into `folder`, a file a split and kind; the file's name is `prefix` + picture_name().
/// A picture that the data do not allow is skipped with a warning. `check` is called before each one. Returns the
/// files. Throws Error when gnuplot is missing or fails.
[[nodiscard]] std::vector<std::filesystem::path> draw_pictures(
    const Surface& surface, const std::vector<PlotKind>& kinds, const PlotOptions& options,
    const std::filesystem::path& folder, const std::string& prefix, RunLog& log, const std::function<void()>& check);

}  // namespace lossmap
