#pragma once

#include <string>
#include <vector>

#include "cli/config/config.hpp"
#include "graph/graph.hpp"
#include "params/parameter_space.hpp"

namespace lossmap {

/// A network ready to be evaluated: its graph, its parameters and their values.
struct LoadedModel {
    Graph graph;
    ParameterSpace space;
    StateVector origin;              ///< the checkpoint's values where there is one
    std::string content_hash;        ///< of everything that a result depends on: file, external data, checkpoint
    std::vector<std::string> notes;  ///< for the log: parameter warnings, names a checkpoint has beside the network's
};

/// Imports a model, refuses unsupported operators, finds its parameters and puts the checkpoint's values in. Throws
/// InputError / UnsupportedError naming the file.
[[nodiscard]] LoadedModel load_model(const ModelConfig& model, const ParameterRules& rules);

/// Another model's values, laid out as the first one's.
struct MatchedState {
    StateVector state;
    std::vector<std::string> weight_names;  ///< what the other model calls each weight of the first one
};

/// Values of another model laid out as `space`: matched by name where it has every name, else by position. Throws
/// InputError naming the first parameter that does not fit.
[[nodiscard]] MatchedState load_matched(const ModelConfig& model, const ParameterRules& rules,
                                        const ParameterSpace& space);

/// The values alone.
[[nodiscard]] StateVector load_state(const ModelConfig& model, const ParameterRules& rules,
                                     const ParameterSpace& space);

}  // namespace lossmap
