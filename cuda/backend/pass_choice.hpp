#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "cuda/backend/device.hpp"
#include "cuda/backend/pass_sizing.hpp"
#include "cuda/backend/program.hpp"

namespace lossmap::cuda {

/// Points and samples of a pass for each program of a request.
struct PassChoice {
    BuildOptions inference;
    std::vector<BuildOptions> training;  ///< one a size of statistics batch
};

/// Who measures sizes of passes, or why nobody does, and what others have of the device's memory.
struct Sizing {
    PassSizer* sizer = nullptr;
    std::string why_not = "without a plan cache nothing is measured";
    std::int64_t taken_bytes = 0;  ///< since the device said how much is free
};

/// The same network in plain fp32: what evaluates again where another precision does not hold a number.
[[nodiscard]] ExecutableRequest plain_request(const ExecutableRequest& request);

/// Checks the request and chooses: of the inference's pass what was recorded, else what is measured, else the model's
/// favourite; of statistics, which are few, what was recorded or the model's favourite. All fits the device's memory,
/// and where a program is not exact the plain one beside it. The one place that says whether a request can be run.
/// Throws what bind_request, bind_batch and build_program throw, and InputError where the memory does not suffice.
[[nodiscard]] PassChoice choose_passes(const ExecutableRequest& request, Planner& planner, const Sizing& sizing);

/// What fits all devices: the smallest of their choices, so that they compute with one plan. Throws as above.
[[nodiscard]] PassChoice choose_passes(const ExecutableRequest& request,
                                       std::span<const std::shared_ptr<Planner>> planners, const Sizing& sizing);

/// The program for options that `choose_passes` gave.
[[nodiscard]] std::unique_ptr<Program> build_chosen(const ExecutableRequest& request, Planner& planner,
                                                    const BuildOptions& options);

}  // namespace lossmap::cuda
