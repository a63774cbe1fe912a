#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "landscape/direction.hpp"
#include "landscape/surface.hpp"
#include "params/parameter_space.hpp"

namespace lossmap {

/// Writes surface.h5 in the reference implementation's layout with the additions of interface.md (done, non_finite,
/// samples, standard_error; [ny, nx]; no `_acc` where targets are no classes; interpolated_loss, interpolated_acc,
/// error_estimate where a refined grid is not complete). Attributes of the root:
/// `lossmap_split_names`, `lossmap_provenance` (surface.provenance as it is) and one `lossmap_<key>` for each of its
/// top-level keys. Written to a temporary file and renamed: a reader never sees half of it. The same surface gives the
/// same bytes.
void write_surface(const std::filesystem::path& file, const Surface& surface);

/// Reads ours and the reference implementation's (no mask: -1 exactly is "not computed", NaN and everything else is
/// done; a non-square file with shape [nx, ny] is read as written, flat k <-> x[k mod nx]). Throws InputError.
[[nodiscard]] Surface read_surface(const std::filesystem::path& file);

/// What a direction file holds beside the axes.
struct DirectionFileNotes {
    std::optional<double> cosine;  ///< of the two axes
    std::optional<double> expected_cosine;
    std::string provenance;  ///< JSON object, or ""
    /// PCA only: all of them, largest first; written in the reference implementation's names (those of the axes) and as
    /// all_singular_values, all_explained_variance_ratio.
    std::vector<double> singular_values;
    std::vector<double> explained_variance;
    std::vector<double> explained_variance_ratio;
    std::vector<int> components;  ///< those that are axes, from 1; empty: the leading ones
};

/// Writes direction.h5: groups xdirection, ydirection with datasets "0".."n-1" in parameter shape, fp32, one a weight
/// in parameter order. Axes with states carry them in groups xstates, ystates. Each dataset has its parameter's name as
/// attribute `parameter`; the root has `lossmap_cosine`, `lossmap_expected_absolute_cosine`, `lossmap_provenance`.
/// Replaced whole, the same bytes for the same axes.
void write_directions(const std::filesystem::path& file, const std::vector<Direction>& axes,
                      const ParameterSpace& space, const DirectionFileNotes& notes);

/// Reads one or two axes. Accepts ours, the reference implementation's `weights` files (one dataset a weight) and
/// `states` files (one a state-dict entry in order weight, bias, running_mean, running_var, [num_batches_tracked]; the
/// last one is left out). Throws InputError naming the first dataset whose count or shape does not fit the parameters.
[[nodiscard]] std::vector<Direction> read_directions(const std::filesystem::path& file, const ParameterSpace& space);

/// Reads the axes that write_directions wrote without knowing their parameters: what it was given, to the bit. Throws
/// InputError where the groups are others.
[[nodiscard]] std::vector<Direction> read_stored_axes(const std::filesystem::path& file);

}  // namespace lossmap
