#pragma once

#include "cli/run/model_results.hpp"
#include "cli/run/table.hpp"

namespace lossmap {

/// Loss and error of each model, a row a model: "model,train_loss,train_error,train_standard_error,train_samples,
/// train_non_finite,..", with every digit; after "model" the columns "run", "epoch" and "iteration" where the
/// configuration has them. No `_error` where targets are no classes, `_interval_95` where samples were drawn
/// at random; empty cells where not computed.
[[nodiscard]] Table exact_loss_table(const ModelResults& results);

/// The same for papers: loss (four digits) and error (percent).
[[nodiscard]] Table brief_loss_table(const ModelResults& results);

/// Norms of each checkpoint, a row a checkpoint: "model,weight_norm,filter_norm", with the same columns between.
/// `digits`: significant ones, 17 for every digit.
[[nodiscard]] Table norm_table(const ModelResults& results, int digits);

}  // namespace lossmap
