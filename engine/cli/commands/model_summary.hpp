#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "params/parameter_space.hpp"

namespace lossmap {

/// What `inspect` says of a model, gathered; nothing in it fails because a part of the model is not supported.
struct ModelSummary {
    std::filesystem::path file;
    Graph graph;
    std::map<std::string, int> operators;  ///< "Conv", "com.microsoft.Gelu": how many, those of branches included
    std::vector<std::string> unsupported;  ///< one sentence a node
    ParameterSpace space;
    std::string why_no_parameters;  ///< "" when `space` is filled in
    std::optional<std::int64_t>
        macs_per_sample;  ///< absent where extents are open or the graph cannot be made concrete
    std::map<std::string, std::int64_t> macs_by_operator;
    std::string why_no_macs;
};

/// Throws InputError when the file is no readable ONNX model.
[[nodiscard]] ModelSummary summarize_model(const std::filesystem::path& file);

/// "f32 [batch, 3, 32, 32]" as the file declares it.
[[nodiscard]] std::string describe_declared(const Value& value);

}  // namespace lossmap
