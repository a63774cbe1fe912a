#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.hpp"
#include "cuda/backend/device.hpp"

namespace lossmap::cuda {

/// Where plans of libraries are kept from one start of the program to the next, and who is told of it.
struct PlanOptions {
    /// Of the plan cache. Empty: nothing is kept, and nothing is measured, as a choice made anew at every start would
    /// change results from run to run; the favourites of libraries and of the model of passes are taken.
    std::filesystem::path folder;
    std::function<void(const std::string&)> notice;
    /// Of the program, as far as speed depends on it.
    std::string version{};
};

/// The CUDA backend over devices that somebody made: GPUs (cuda/device) or an emulation. Networks run on all of them,
/// which share the points of a call; directions and linear algebra are the first one's.
/// @param devices  at least one
[[nodiscard]] std::unique_ptr<Backend> make_cuda_backend(std::vector<std::shared_ptr<Device>> devices,
                                                         const PlanOptions& plans = {});

/// Names of the operators of ai.onnx that the GPU computes; others are refused, unless they are gone when shapes are
/// fixed.
[[nodiscard]] std::set<std::string_view> cuda_operators();

}  // namespace lossmap::cuda
