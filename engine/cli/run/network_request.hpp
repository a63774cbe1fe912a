#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/run/model_sequence.hpp"
#include "cli/run/model_source.hpp"
#include "cli/run/prepared_run.hpp"

namespace lossmap {

/// What a backend needs to run `model` over the run's axes and data. Holds pointers into `model` and `run`.
[[nodiscard]] ExecutableRequest make_request(const LoadedModel& model, const PreparedRun& run, int threads);

/// Throws InputError naming `file` when the backend cannot run it.
void require_runnable(const Backend& backend, const ExecutableRequest& request, const std::string& file);

/// Throws InputError where splits, which share one executable, have samples of different shapes.
void require_alike(const PreparedRun& run);

/// Looks at every model before the first one is computed, opening the run's data for the first one where that has not
/// been done. Returns the hash of their contents and of their parameters.
std::pair<std::string, std::string> check_models(PreparedRun& run, const std::vector<ModelConfig>& configs, int threads,
                                                 RunLog& log);

/// The models themselves, without directions; one is held at a time.
[[nodiscard]] std::unique_ptr<ModelSequence> make_sequence(const PreparedRun& run,
                                                           const std::vector<ModelConfig>& models, int threads);

}  // namespace lossmap
