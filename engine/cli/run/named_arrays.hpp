#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "params/parameter_space.hpp"

namespace lossmap {

/// Arrays of a file by name, read when asked for.
struct NamedArrays {
    std::vector<std::string> names;
    std::function<Tensor(const std::string& name)> load;  ///< f32
};

/// The arrays of a .npz or .safetensors file, or the parameters of an ONNX model. Throws InputError naming the file.
[[nodiscard]] NamedArrays open_named_arrays(const std::filesystem::path& file, const ParameterRules& rules);

}  // namespace lossmap
