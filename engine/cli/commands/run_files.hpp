#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "landscape/repeated_surface.hpp"
#include "landscape/surface.hpp"
#include "landscape/trajectory_file.hpp"
#include "output/plot.hpp"
#include "output/report.hpp"

namespace lossmap {

/// A surface that was computed before, from a run's folder or a surface .h5 (ours or the reference implementation's).
struct StoredRun {
    std::filesystem::path folder;  ///< where what is made from it goes by default
    bool is_run = false;           ///< a run's folder, not a single file
    std::string title;
    Surface surface;                          ///< of `repeated` its summary and every repetition
    std::optional<RepeatedSurface> repeated;  ///< of a run of experiment `repeat`
    std::optional<TrajectoryPlane> plane;
    std::string resolved_config;  ///< "" when there is none

    /// The pictures that fit.
    [[nodiscard]] std::vector<PlotKind> kinds() const;
};

/// Throws InputError naming what is missing.
[[nodiscard]] StoredRun read_run(const std::filesystem::path& path);

/// What a page shows of a run: that of read_run(), or the table.csv of a run that has no surface.
[[nodiscard]] ReportRun read_report_run(const std::filesystem::path& path);

/// The cells of CSV text (RFC 4180), a row a line. Throws InputError naming the line when a quote is not closed or rows
/// differ in length.
[[nodiscard]] std::vector<std::vector<std::string>> parse_csv(const std::string& text);

}  // namespace lossmap
