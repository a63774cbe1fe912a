#pragma once

#include <string>
#include <vector>

#include "output/contour_lines.hpp"

namespace lossmap {

/// The contour lines of one level in picture coordinates (pixels of the nominal canvas, y upward, origin at the lower
/// left of the plot area).
struct LevelLines {
    double level = 0.0;
    std::string text;  ///< of the label
    std::vector<Polyline> lines;
};

struct PlacedLabel {
    std::size_t level_index = 0;
    PlanePoint centre;
    double angle = 0.0;  ///< degrees, -90..90
};

struct LabelMetrics {
    double character_width = 7.0;
    double height = 13.0;
};

/// Places labels where a line is fairly straight and neither another line nor another label is in the way, and takes
/// the piece of line under each label out of `levels`. A line without such a place stays unlabelled. `obstacle` (the
/// origin's mark) stays free. width, height: size of the plot area.
[[nodiscard]] std::vector<PlacedLabel> place_labels(std::vector<LevelLines>& levels, double width, double height,
                                                    const LabelMetrics& metrics,
                                                    const std::vector<PlanePoint>& obstacles);

}  // namespace lossmap
