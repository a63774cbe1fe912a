#pragma once

#include <memory>

#include "backend/backend.hpp"
#include "cli/run/model_source.hpp"
#include "cli/run/prepared_run.hpp"

namespace lossmap {

/// The network of a run and what a backend needs to run it, apart from the run itself: for checks and measurements.
struct RunNetwork {
    LoadedModel model;
    ExecutableRequest request;  ///< points into `model` and into the run
};

/// Takes the run's own executable out, to have its memory. Of several models the first one, of repetitions the first
/// one's directions; statistics of batch norms are those of the model, not estimated. Throws InputError where a run
/// evaluates no network.
[[nodiscard]] std::unique_ptr<RunNetwork> take_network(PreparedRun& run, int threads);

}  // namespace lossmap
