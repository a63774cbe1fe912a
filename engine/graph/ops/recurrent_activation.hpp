#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace lossmap::ops {

/// An activation of a recurrent layer by its ONNX name, in lower case, with its two parameters.
struct RecurrentActivation {
    std::string name;
    double alpha = 0.0;
    double beta = 0.0;

    [[nodiscard]] double operator()(double x) const;
};

/// Activations of an LSTM, GRU or RNN node, those of one direction after those of the other. Throws InputError for an
/// unknown name.
[[nodiscard]] std::vector<RecurrentActivation> recurrent_activations(const Node& node, std::int64_t directions);

}  // namespace lossmap::ops
