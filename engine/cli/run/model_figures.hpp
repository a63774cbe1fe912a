#pragma once

#include <vector>

#include "cli/run/model_results.hpp"
#include "output/curves.hpp"

namespace lossmap {

/// Loss (left) and error (right) along one training run, or a figure of each for several, against epoch and against
/// iteration where these are known, else against the checkpoint's number; train solid, test dashed. None when the
/// models are no training run (ModelSeries::in_order).
[[nodiscard]] std::vector<CurvesFigure> training_figures(const ModelResults& results);

/// Norms along each training run over the same axes; those of the filters for one run only.
[[nodiscard]] std::vector<CurvesFigure> norm_figures(const ModelResults& results);

}  // namespace lossmap
