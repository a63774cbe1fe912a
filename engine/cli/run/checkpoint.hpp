#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "params/parameter_space.hpp"

namespace lossmap {

/// Replaces the values of a network by those of a checkpoint (.onnx, .safetensors, .npz), parameter by parameter of the
/// same name. Returns sentences for the log: arrays that the network has no use for. Throws InputError listing, name by
/// name, what is missing or has another shape.
std::vector<std::string> put_checkpoint(const std::filesystem::path& file, const ParameterRules& rules,
                                        const ParameterSpace& space, StateVector& state);

}  // namespace lossmap
