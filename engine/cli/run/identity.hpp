#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/config/config.hpp"
#include "landscape/direction.hpp"
#include "params/parameter_space.hpp"

namespace lossmap {

/// What makes two runs the same: a hash for each of model, parameters, data, loss, directions, grid, precision and
/// chunking. Device, versions, threads, names and outputs are not part of it.
class Identity {
public:
    /// Adds a part; the order of calls is part of the whole.
    void set(const std::string& part, const std::string& hash);

    /// The other parts.
    [[nodiscard]] Identity without(const std::string& part) const;
    /// Hash of all parts.
    [[nodiscard]] std::string whole() const;
    [[nodiscard]] bool has_part(const std::string& name) const;
    [[nodiscard]] std::string part(const std::string& name) const;
    /// JSON object of the parts, to be kept beside results.
    [[nodiscard]] std::string json() const;
    /// What json() wrote, read back; nothing when the text is something else.
    [[nodiscard]] static std::optional<Identity> parse(const std::string& json);
    /// Names of the parts that differ from those in such a text, "model, grid"; "" when it cannot be told.
    [[nodiscard]] std::string differing_parts(const std::string& json) const;

private:
    std::vector<std::pair<std::string, std::string>> parts_;
};

[[nodiscard]] std::string hash_text(const std::string& text);
/// Names, roles, shapes and filters: what directions are laid out by.
[[nodiscard]] std::string hash_parameters(const ParameterSpace& space);
/// Every value of every axis.
[[nodiscard]] std::string hash_directions(const std::vector<Direction>& axes);
/// Experiment, splits and coordinates.
[[nodiscard]] std::string hash_passes(const PassSet& passes);
[[nodiscard]] std::string hash_grid(const Config& config);

}  // namespace lossmap
