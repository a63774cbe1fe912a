#pragma once

#include <memory>
#include <vector>

#include "cli/config/config.hpp"
#include "data/dataset.hpp"
#include "graph/graph.hpp"

namespace lossmap {

/// Opens the configured splits, in their order, checked against what the model and the loss expect: input shapes,
/// element types, and labels against the number of classes that the network's output has. Throws InputError.
/// @param bytes  whether chunks may hold bytes; they do where those of all splits, and of statistics, do alike
[[nodiscard]] std::vector<std::unique_ptr<Dataset>> open_data(const Config& config, const Graph& graph, bool bytes);

/// The samples that batch-norm statistics are estimated from: config.statistics() of the split, whose subset does not
/// matter; without targets. `inputs` are those of the other data, which they must equal; as bytes where those are.
/// Throws InputError.
[[nodiscard]] std::shared_ptr<const Dataset> open_statistics(const Config& config,
                                                             const std::vector<FieldInfo>& inputs);

/// The inputs that the data have to feed, as the file declares them; extents of -1 are open. Throws InputError when the
/// model declares no shape.
[[nodiscard]] std::vector<FieldInfo> declared_inputs(const Graph& graph);

}  // namespace lossmap
