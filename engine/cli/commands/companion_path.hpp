#pragma once

#include <filesystem>
#include <optional>

#include "landscape/surface.hpp"
#include "landscape/trajectory_file.hpp"

namespace lossmap {

/// The path that belongs to a surface file of the reference implementation: in `<dir_file>_proj_cos.h5` (or
/// _proj_lstsq) beside the surface, with the shares of variance that the direction file `<dir_file>` beside it has.
/// Nothing when there is none. Folders in `dir_file` are those of the machine that wrote it and are left out.
[[nodiscard]] std::optional<TrajectoryPlane> companion_path(const std::filesystem::path& surface_file,
                                                            const Surface& surface);

}  // namespace lossmap
