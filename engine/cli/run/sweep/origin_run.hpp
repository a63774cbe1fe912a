#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/config/config.hpp"
#include "landscape/surface.hpp"

namespace lossmap {

/// What is known of a split at the origin of a landscape, the network itself.
struct OriginResult {
    std::string split;
    double loss = 0.0;
    std::optional<double> error;  ///< percent; where targets are classes
};

/// Results at the grid's point 0 (or 0, 0), of the splits that have computed it; none when the grid has no such point.
[[nodiscard]] std::vector<OriginResult> origin_on_grid(const Surface& surface);

/// Results of the first point: a surface of experiment evaluate.
[[nodiscard]] std::vector<OriginResult> results_at(const Surface& surface, std::size_t point);

/// An experiment `evaluate` of the origin over those splits that the data describe and the grid does not tell at the
/// origin; nothing when there is none, or when the experiment has no origin. Of shares (Config::shard) one has that of
/// a combination.
/// @param combination  index in the sweep
[[nodiscard]] std::optional<Config> origin_config(const Config& config, std::size_t combination);

/// "test error 8.52 %", of the test split where there is one; the loss where there is no error; "" without results.
[[nodiscard]] std::string origin_text(const std::vector<OriginResult>& results);

}  // namespace lossmap
