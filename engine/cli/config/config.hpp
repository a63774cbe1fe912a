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
#include "landscape/refinement.hpp"
#include "landscape/shard.hpp"
#include "params/parameter_space.hpp"
#include "plan/loss_spec.hpp"

namespace lossmap {

enum class Experiment : std::uint8_t { surface, interpolation, trajectory, evaluate, weight_norm, repeat };
[[nodiscard]] const char* name_of(Experiment experiment);
/// Whether its result is a loss over directions from an origin (surface.h5, direction.h5).
[[nodiscard]] bool is_landscape(Experiment experiment);
/// Whether it evaluates networks on data; weight_norm reads their weights alone.
[[nodiscard]] bool needs_data(Experiment experiment);
[[nodiscard]] const char* name_of(DataFormat format);

/// A network: its graph and, where they are not the graph's own, its values.
struct ModelConfig {
    std::filesystem::path path;                       ///< absolute, or relative to the working directory
    std::optional<std::filesystem::path> checkpoint;  ///< .onnx, .safetensors or .npz put into the graph by name
    std::string label;                                ///< its own, or the path as the configuration has it
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

/// What moves between two networks.
enum class Move : std::uint8_t {
    weights,     ///< batch norms keep the origin's statistics
    states,      ///< their statistics move along
    reestimate,  ///< their statistics are estimated at each point
};
[[nodiscard]] const char* name_of(Move move);

/// Samples that batch-norm statistics are estimated from: the first `count` of a split in file order, whatever its
/// subset, averaged over batches as PyTorch does with momentum=None.
struct StatisticsConfig {
    std::string split = "train";
    std::int64_t count = 0;
    std::int64_t batch = 0;

    friend bool operator==(const StatisticsConfig&, const StatisticsConfig&) = default;
};

struct DifferenceDirection {
    std::vector<ModelConfig> models;  ///< one an axis: from the origin to it
    Move move = Move::weights;
    std::optional<StatisticsConfig> statistics{};  ///< of Move::reestimate
};

/// Principal components of the path of a training run.
struct PcaDirection {
    std::vector<ModelConfig> checkpoints;  ///< the last one is where differences start; empty: the trajectory's
    std::vector<int> components;           ///< one an axis, from 1
    bool center = true;
    IgnoreSet ignore{.one_dimensional = true};
};

using DirectionConfig = std::variant<RandomDirection, FileDirection, DifferenceDirection, PcaDirection>;

/// One entry serves all axes, or each axis has its own.
struct DirectionsConfig {
    bool by_axis = false;
    std::vector<DirectionConfig> entries;  ///< one; with `by_axis` one an axis of the grid
};

struct GridAxis {
    double min = 0.0;
    double max = 0.0;
    std::int64_t points = 0;
    // trajectory: ends that the path gives, and how much of its extent is added there
    bool auto_min = false;
    bool auto_max = false;
    double margin = 0.2;
};

/// Checkpoints of one training run.
struct PathConfig {
    std::string label;  ///< "" when the configuration has no "runs"
    std::vector<ModelConfig> checkpoints;
    std::vector<std::int64_t> epochs;      ///< one a checkpoint, or none
    std::vector<std::int64_t> iterations;  ///< likewise
    std::vector<std::int64_t> lr_drops;    ///< values of epochs (or iterations, or else indices) of checkpoints
};

/// Models that belong together: the checkpoints of one training run, or just a list.
struct ModelSeries {
    std::string label;      ///< "" where there is only one
    std::size_t first = 0;  ///< in Config::models
    std::size_t count = 0;
    std::vector<std::int64_t> epochs;      ///< one a model, or none
    std::vector<std::int64_t> iterations;  ///< likewise
    bool in_order = false;                 ///< one training run, in order: there are curves to draw
};

/// What a configuration file says, every default filled in; nothing in it is looked at again as JSON.
struct Config {
    std::filesystem::path file;
    std::string name;
    Experiment experiment = Experiment::surface;
    std::vector<ModelConfig> models;  ///< evaluate, weight_norm: all; else one, the origin
    std::vector<ModelSeries> series;  ///< evaluate, weight_norm: what the models are to each other, in their order
    ParameterRules rules;
    DataConfig data;
    std::vector<std::string> splits;
    LossSpec loss;
    DirectionsConfig directions;                     ///< landscapes
    std::optional<GridAxis> x;                       ///< landscapes
    std::optional<GridAxis> y;                       ///< absent: a line
    std::vector<PathConfig> paths;                   ///< trajectory; the last checkpoint of the first one is the origin
    std::int64_t repeats = 0;                        ///< repeat: random directions, a seed each
    std::optional<RefineSpec> refine;                ///< landscapes: coarse to fine
    std::optional<std::filesystem::path> grow_from;  ///< a run's folder or a surface .h5 that points are taken from
    std::string device = "auto";
    std::string plan_cache;      ///< of the command line: a folder, "off", or "" for the usual one
    std::optional<Shard> shard;  ///< of the command line: the points to compute; absent: all
    Precision precision = Precision::fp32;
    PassSet passes;

    /// Checkpoints of all paths, one path after the other.
    [[nodiscard]] std::vector<ModelConfig> path_checkpoints() const;
    [[nodiscard]] std::int64_t axis_count() const { return (x ? 1 : 0) + (y ? 1 : 0); }
    /// nullptr where batch-norm statistics are not estimated.
    [[nodiscard]] const StatisticsConfig* statistics() const;
};

}  // namespace lossmap
