#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/config/config.hpp"
#include "cli/config/json_reader.hpp"

namespace lossmap {

// One function a part of the configuration; all throw what JsonReader throws.

/// A path, or {"path", "parameters"}. With `rules` an object with include / exclude may stand under "parameters".
[[nodiscard]] ModelConfig parse_model(const JsonReader& reader, ParameterRules* rules = nullptr);
/// A list of models and globs, or one glob; globs are expanded in natural order.
[[nodiscard]] std::vector<ModelConfig> parse_models(const JsonReader& reader);
[[nodiscard]] ParameterRules parse_rules(const JsonReader& reader);
[[nodiscard]] DataConfig parse_data(const JsonReader& reader);
/// `reader` is absent when the configuration names no splits: all that the data describe.
[[nodiscard]] std::vector<std::string> parse_splits(const std::optional<JsonReader>& reader, const DataConfig& data);
[[nodiscard]] LossSpec parse_loss(const JsonReader& reader);
[[nodiscard]] DirectionsConfig parse_directions(const JsonReader& reader, std::int64_t axes);
[[nodiscard]] GridAxis parse_axis(const JsonReader& reader);
[[nodiscard]] std::string parse_device(const JsonReader& reader);
[[nodiscard]] Precision parse_precision(const JsonReader& reader);

}  // namespace lossmap
