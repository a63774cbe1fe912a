#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backend/backend.hpp"
#include "cuda/backend/device.hpp"
#include "cuda/backend/program.hpp"

namespace lossmap::cuda {

/// Points and samples of a pass for each program of a request.
struct PassChoice {
    BuildOptions inference;
    std::vector<BuildOptions> training;  ///< one a size of statistics batch
};

/// Checks the request and chooses from the device's memory; the one place that says whether it can be run. Throws what
/// bind_request, bind_batch and build_program throw, and InputError where the memory does not suffice.
[[nodiscard]] PassChoice choose_passes(const ExecutableRequest& request, Planner& planner);

/// What fits all devices: the smallest of their choices, so that they compute with one plan. Throws as above.
[[nodiscard]] PassChoice choose_passes(const ExecutableRequest& request,
                                       std::span<const std::shared_ptr<Planner>> planners);

/// The program for options that `choose_passes` gave.
[[nodiscard]] std::unique_ptr<Program> build_chosen(const ExecutableRequest& request, Planner& planner,
                                                    const BuildOptions& options);

}  // namespace lossmap::cuda
