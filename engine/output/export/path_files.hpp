#pragma once

#include <filesystem>
#include <string>

#include "landscape/trajectory_file.hpp"
#include "output/export/z_value.hpp"

namespace lossmap {

/// Paths as VTK's XML PolyData; export.hpp says what it holds. Returns what is left out as a note, "" when nothing is.
/// Throws InputError when no checkpoint has a place.
[[nodiscard]] std::string write_path_vtp(const TrajectoryPlane& plane, const Surface& surface,
                                         const SplitSurface& split, const ZScale& scale,
                                         const std::filesystem::path& file);

}  // namespace lossmap
