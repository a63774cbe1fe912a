#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/config/config.hpp"
#include "cli/config/json_reader.hpp"

namespace lossmap {

// One function a part of the configuration; all throw what JsonReader throws.

/// The whole file, which describes one run.
[[nodiscard]] Config parse_config(const JsonReader& document, const std::filesystem::path& file);
/// The run's name, which stands in paths ("runs/NAME"); the file's stem when `reader` is absent.
[[nodiscard]] std::string parse_name(const std::optional<JsonReader>& reader, const std::filesystem::path& file);
[[nodiscard]] Precision parse_precision(const JsonReader& reader);
/// A path, or {"path", "parameters"}. With `rules` an object with include / exclude may stand under "parameters".
[[nodiscard]] ModelConfig parse_model(const JsonReader& reader, ParameterRules* rules = nullptr);
/// A list of models and globs, or one glob; globs are expanded in natural order.
[[nodiscard]] std::vector<ModelConfig> parse_models(const JsonReader& reader);
/// The same for checkpoints of one run. .safetensors and .npz files are put into the graph of `model`, which they need.
[[nodiscard]] std::vector<ModelConfig> parse_checkpoints(const JsonReader& reader,
                                                         const std::optional<ModelConfig>& model);
/// The training runs of a configuration: those under "runs", or the one whose "checkpoints" ("epochs", ..) stand at
/// the top.
[[nodiscard]] std::vector<PathConfig> parse_paths(const JsonReader& root, const std::optional<ModelConfig>& model);
[[nodiscard]] ParameterRules parse_rules(const JsonReader& reader);
[[nodiscard]] DataConfig parse_data(const JsonReader& reader);
/// `reader` is absent when the configuration names no splits: all that the data describe.
[[nodiscard]] std::vector<std::string> parse_splits(const std::optional<JsonReader>& reader, const DataConfig& data);
[[nodiscard]] LossSpec parse_loss(const JsonReader& reader);
/// Origin and paths that directions of kind `pca` may take over.
struct DirectionScope {
    std::int64_t axes = 1;
    std::optional<ModelConfig> model;  ///< its graph takes checkpoints without one
    bool has_path = false;             ///< a trajectory's checkpoints are the default
};
[[nodiscard]] DirectionsConfig parse_directions(const JsonReader& reader, const DirectionScope& scope);
/// `move` and `statistics` of the object that has them.
void parse_move(const JsonReader& reader, DifferenceDirection& difference);
[[nodiscard]] GridAxis parse_axis(const JsonReader& reader);
/// The same, where "auto" may stand for the axis or for its ends.
[[nodiscard]] GridAxis parse_auto_axis(const JsonReader& reader);
/// The part of the configuration that belongs to one experiment.
void parse_surface(const JsonReader& root, Config& config);
void parse_interpolation(const JsonReader& root, Config& config);
void parse_trajectory(const JsonReader& root, Config& config);
void parse_repeat(const JsonReader& root, Config& config);
void parse_evaluate(const JsonReader& root, Config& config);
void parse_weight_norm(const JsonReader& root, Config& config);
/// Name of a run, other than those of the runs before it.
[[nodiscard]] std::string parse_run_label(const JsonReader& reader, const std::vector<std::string>& earlier);
/// Refuses keys that another experiment uses in the same section, so that none is left out silently.
void refuse_keys(const JsonReader& reader, const std::vector<const char*>& keys, Experiment experiment);
/// Epochs or iterations: one ascending number a checkpoint.
[[nodiscard]] std::vector<std::int64_t> parse_checkpoint_numbers(const JsonReader& reader, std::size_t checkpoints);
[[nodiscard]] RefineSpec parse_refine(const JsonReader& reader);
/// Where `grow` takes points from; nothing when it is false or absent.
[[nodiscard]] std::optional<std::filesystem::path> parse_grow(const JsonReader& root);
[[nodiscard]] std::string parse_device(const JsonReader& reader);
[[nodiscard]] Precision parse_precision(const JsonReader& reader);
/// {"NAME": false, ..}: passes of the graph optimiser, on unless they are switched off.
[[nodiscard]] PassSet parse_passes(const JsonReader& reader);

}  // namespace lossmap
