#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "landscape/surface.hpp"
#include "landscape/trajectory_file.hpp"
#include "output/plot.hpp"

namespace lossmap {

/// A surface that was computed before, from a run's folder or a surface .h5 (ours or the reference implementation's).
struct StoredRun {
    std::filesystem::path folder;  ///< where what is made from it goes by default
    bool is_run = false;           ///< a run's folder, not a single file
    std::string title;
    Surface surface;
    std::optional<TrajectoryPlane> plane;
    std::string resolved_config;  ///< "" when there is none

    /// The pictures that fit.
    [[nodiscard]] std::vector<PlotKind> kinds() const;
};

/// Throws InputError naming what is missing.
[[nodiscard]] StoredRun read_run(const std::filesystem::path& path);

}  // namespace lossmap
