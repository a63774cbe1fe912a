#pragma once

#include <cstddef>
#include <string>

#include "landscape/surface.hpp"
#include "output/plot.hpp"

namespace lossmap {

/// The gnuplot script, data included, that draws `options.kind` into kGnuplotOutput. Throws InputError when the kind
/// does not fit the surface, the split is absent or the levels make no sense.
[[nodiscard]] std::string picture_script(const Surface& surface, const PlotOptions& options);

/// Throws InputError when a picture of this kind cannot be drawn of the surface.
void check_kind(const Surface& surface, PlotKind kind);

/// The split of that name, "" is the first one. Throws InputError when there is none.
[[nodiscard]] const SplitSurface& chosen_split(const Surface& surface, const std::string& name);

/// @name One kind each; called by picture_script() after its checks.
/// @{
[[nodiscard]] std::string line_script(const Surface& surface, const PlotOptions& options);
[[nodiscard]] std::string contour_script(const Surface& surface, const SplitSurface& split, const PlotOptions& options);
[[nodiscard]] std::string heatmap_script(const Surface& surface, const SplitSurface& split, const PlotOptions& options);
[[nodiscard]] std::string relief_script(const Surface& surface, const SplitSurface& split, const PlotOptions& options);
/// @}

}  // namespace lossmap
