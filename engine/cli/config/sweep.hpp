#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/config/config.hpp"

namespace lossmap {

/// One entry of the configuration's `sweep`: a place in it, or several, and what is put there in turn.
struct SweepAxis {
    std::vector<std::string> pointers;  ///< JSON pointers; with several, a value is a list of one a pointer
    std::string name;  ///< last key of the first one, or all of it where another axis ends in the same key
    std::vector<std::string> labels;  ///< one a value
};

/// One run of a sweep.
struct Combination {
    std::vector<std::string> labels;  ///< one an axis
    std::string folder;               ///< "003-resnet20-filter"
    std::string title;                ///< "resnet20, filter"
    Config config;                    ///< named by its title, where a name can have that
};

/// A configuration that describes several runs.
struct Sweep {
    std::filesystem::path file;
    std::string name;
    std::vector<SweepAxis> axes;
    std::vector<Combination> combinations;  ///< every one, the last axis fastest

    /// "combination 3 of 4 (resnet20, filter)": what its messages begin with.
    [[nodiscard]] std::string describe(std::size_t combination) const;
};

inline constexpr std::size_t kMostCombinations = 1000;

/// Reads a configuration that has a `sweep`; nothing when it has none. Every combination is checked as load_config()
/// checks a file that has its values in it. Throws what load_config() throws; a message about a combination names it.
[[nodiscard]] std::optional<Sweep> load_sweep(const std::filesystem::path& file,
                                              const std::vector<std::string>& overrides = {});

}  // namespace lossmap
