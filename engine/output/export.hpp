#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "landscape/surface.hpp"
#include "landscape/trajectory_file.hpp"

namespace lossmap {

enum class ExportFormat : std::uint8_t { vtp, obj, stl, gltf, csv, npz };
/// "vtp", "obj", .. as on the command line.
[[nodiscard]] const char* name_of(ExportFormat format);
/// Throws InputError that lists the formats.
[[nodiscard]] ExportFormat parse_export_format(const std::string& name);

struct ExportOptions {
    ExportFormat format = ExportFormat::vtp;
    std::optional<double> zmax;  ///< values above it are drawn at it; finite
    bool log = false;            ///< ln(value + 0.1), after the clamping, as the reference implementation does
    std::string split;           ///< "": the first one of a mesh; all of csv and npz
};

/// Writes a surface in another tool's format, in one step (AtomicFile); the same surface gives the same bytes.
///
/// A point's z value is its loss, clamped to zmax, then ln(loss + 0.1) with `log`. A gap is a point that is not
/// computed, not finite, or has no logarithm.
///
/// Meshes (planes of at least 2 x 2 points, one split). A quad that touches a gap is left out; so is a point without a
/// quad.
/// - vtp: ParaView; ASCII PolyData 1.0, quads, PointData `zvalue`. Coordinates are x, y, z value as they are.
/// - obj: quads, z upwards. Shape of a sensible aspect: x and y are centred and scaled together so that the longer side
///   is 2 units; the z values from the least to the largest become heights from 0 to 1. The comments give the numbers.
/// - gltf: the same shape with y upwards, normals, colours of viridis from the least to the largest z value (linear, as
///   glTF wants them). Binary when the file's name ends in ".glb", else JSON with the buffer inside. `extras` of the
///   mesh give the scale.
/// - stl: binary, a printable solid in millimetres: the longer side is 100, heights from 3 (a flat base lies at 0)
/// to 53.
///   It is closed and each edge belongs to two triangles. Gaps are holes right through, with walls of their own. Where
///   two parts would touch at a single point only, quads are left out until they do not.
///
/// Tables (lines, too). All points in the order of the file, y slowest. A value that is not known (not computed; no
/// standard error) is NaN; NaN and infinite results stay as they are. With zmax or `log` the z values stand beside the
/// loss as `<split>_zvalue`, NaN for a gap.
/// Points that a refined grid leaves to interpolation have a z value, but no `loss`; `_interpolated_loss`,
/// `_interpolated_acc` and `_error_estimate` follow where surface.h5 has them.
/// - csv: x, y (not for a line), and of each split `_loss`, `_accuracy` (where targets are classes), `_done`,
///   `_non_finite`, `_samples`, `_standard_error`, and `_interval_95` where the samples were drawn at random: half the
///   width of the loss's 95 % confidence interval.
/// - npz: arrays with the names, types and shapes of surface.h5. At most 4 GiB.
///
/// Returns what the file lacks as a note for the user ("3 of 51 points not finite; 12 of 40 quads left out"), "" when
/// it is complete. Throws InputError when options and surface do not go together, Error when writing fails.
std::string export_surface(const Surface& surface, const ExportOptions& options, const std::filesystem::path& file);

/// Writes the paths of training runs over the plane as VTK's XML PolyData, beside the mesh of export_surface() with the
/// same options (format vtp). A point a checkpoint at its projection, as high as the plane's loss there (evaluated
/// where the path has it, else between the grid's points), scaled like the mesh; a polyline a run, parted where a
/// checkpoint has no such height. PointData: `zvalue`, `run` and `checkpoint` (from 0), `epoch` and `iteration` where
/// all runs have them, `learning_rate_drop` (0 or 1), `distance` to the plane and `checkpoint_loss`, the checkpoint's
/// own loss, where known. Returns a note as export_surface() does. Throws InputError when no checkpoint has a place.
std::string export_paths(const TrajectoryPlane& plane, const Surface& surface, const ExportOptions& options,
                         const std::filesystem::path& file);

}  // namespace lossmap
