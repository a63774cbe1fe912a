#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "backend/backend.hpp"
#include "data/dataset_factory.hpp"
#include "landscape/direction.hpp"
#include "params/parameter_space.hpp"
#include "plan/loss_spec.hpp"

namespace lossmap {

enum class Experiment : std::uint8_t { surface, evaluate };
[[nodiscard]] const char* name_of(Experiment experiment);
[[nodiscard]] const char* name_of(DataFormat format);

/// A network: its graph and, where they are not the graph's own, its values.
struct ModelConfig {
    std::filesystem::path path;                       ///< absolute, or relative to the working directory
    std::optional<std::filesystem::path> checkpoint;  ///< .onnx, .safetensors or .npz put into the graph by name
    std::string label;                                ///< the path as the configuration has it
};

struct DataConfig {
    DataFormat format = DataFormat::synthetic;
    std::map<std::string, DataSpec> splits;  ///< "train", "test": those that the configuration describes
    std::optional<std::int64_t> chunk;       ///< samples a unit of work; chosen when absent
};

struct RandomDirection {
    std::uint64_t seed = 0;
    Normalization normalization = Normalization::filter;
    IgnoreSet ignore{.one_dimensional = true};
};

struct FileDirection {
    std::filesystem::path path;  ///< direction .h5, or .npz / .safetensors with one array a parameter
    std::string prefix;          ///< in front of the parameters' names (npz and safetensors)
};

struct DifferenceDirection {
    std::vector<ModelConfig> models;  ///< one an axis: from the origin to it
    bool move_states = false;
};

using DirectionConfig = std::variant<RandomDirection, FileDirection, DifferenceDirection>;

/// One entry serves all axes, or each axis has its own.
struct DirectionsConfig {
    bool by_axis = false;
    std::vector<DirectionConfig> entries;  ///< one; with `by_axis` one an axis of the grid
};

struct GridAxis {
    double min = 0.0;
    double max = 0.0;
    std::int64_t points = 0;
};

/// What a configuration file says, every default filled in; nothing in it is looked at again as JSON.
struct Config {
    std::filesystem::path file;
    std::string name;
    Experiment experiment = Experiment::surface;
    std::vector<ModelConfig> models;  ///< surface: one, the origin
    ParameterRules rules;
    DataConfig data;
    std::vector<std::string> splits;
    LossSpec loss;
    DirectionsConfig directions;  ///< surface
    std::optional<GridAxis> x;    ///< surface
    std::optional<GridAxis> y;    ///< absent: a line
    std::string device = "auto";
    Precision precision = Precision::fp32;

    [[nodiscard]] std::int64_t axis_count() const { return (x ? 1 : 0) + (y ? 1 : 0); }
};

}  // namespace lossmap
