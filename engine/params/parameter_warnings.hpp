#pragma once

#include <string>
#include <vector>

#include "params/exporter_facts.hpp"
#include "params/parameter_space.hpp"

namespace lossmap {

/// What a user should know about the parameters found: batch norms that look folded, parameters that are gone, ties
/// that look lost, tensors stored in another precision.
[[nodiscard]] std::vector<std::string> parameter_warnings(const Graph& graph, const ExporterFacts& facts,
                                                          const ParameterSpace& space);

}  // namespace lossmap
