#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/run/model_results.hpp"
#include "landscape/repeated_surface.hpp"
#include "landscape/surface.hpp"
#include "landscape/trajectory_file.hpp"
#include "output/plot.hpp"
#include "output/report.hpp"

namespace lossmap {

/// Results that were computed before, from a run's folder or a surface .h5 (ours or the reference implementation's).
struct StoredRun {
    std::filesystem::path folder;  ///< where what is made from it goes by default
    bool is_run = false;           ///< a run's folder, not a single file
    std::string title;
    Surface surface;                          ///< no x: the run has none; of `repeated` summary and every repetition
    std::optional<RepeatedSurface> repeated;  ///< of a run of experiment `repeat`
    std::optional<ModelResults> models;       ///< of a run of experiment `evaluate` or `weight_norm`
    std::optional<TrajectoryPlane> plane;
    std::string resolved_config;  ///< "" when there is none

    /// The pictures that fit.
    [[nodiscard]] std::vector<PlotKind> kinds() const;
};

/// Throws InputError naming what is missing; of a sweep's folder that it is one.
[[nodiscard]] StoredRun read_run(const std::filesystem::path& path);

/// What a page shows of it.
[[nodiscard]] ReportRun page_of(const StoredRun& run);

/// Content of a file. Throws InputError when it cannot be opened.
[[nodiscard]] std::string read_text(const std::filesystem::path& file);

}  // namespace lossmap
