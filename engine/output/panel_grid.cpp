#include "output/panel_grid.hpp"

#include <algorithm>
#include <cmath>

namespace lossmap {

namespace {

constexpr double kWidthOfAllPanels = 1000.0;
constexpr double kWidestPanel = 380.0;
constexpr double kOnlyColumn = 580.0;  // wide enough for a key of four curves in one row
constexpr double kNarrowestPanel = 130.0;
constexpr double kLeftMargin = 88.0;
constexpr double kBottomMargin = 108.0;
constexpr double kTitleMargin = 50.0;

/// A picture somewhat wider than high, without a nearly empty last row where that can be had.
std::size_t chosen_columns(std::size_t count) {
    if (count <= 3) return count;
    const auto least = static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(count))));
    const std::size_t most = least + least / 2;
    std::size_t best = least;
    const auto empty = [&](std::size_t columns) { return (columns - count % columns) % columns; };
    for (std::size_t columns = least; columns <= most; ++columns) {
        if (empty(columns) < empty(best)) best = columns;
    }
    return best;
}

}  // namespace

PanelGrid::PanelGrid(const PanelLayout& layout)
    : layout_(layout),
      columns_(layout.columns > 0 ? std::min(layout.columns, layout.count) : chosen_columns(layout.count)),
      panel_width_(columns_ == 1 ? kOnlyColumn
                                 : std::floor(std::clamp(kWidthOfAllPanels / static_cast<double>(columns_),
                                                         kNarrowestPanel, kWidestPanel))) {}

bool PanelGrid::is_last_of_row(std::size_t index) const {
    return index + 1 == layout_.count || (index + 1) % columns_ == 0;
}

Canvas PanelGrid::whole() const {
    Canvas canvas;
    canvas.left = kLeftMargin;
    canvas.right =
        kLeftMargin + static_cast<double>(columns_) * (panel_width_ + layout_.column_gap) - layout_.column_gap;
    canvas.bottom = kBottomMargin;
    canvas.top = kBottomMargin + panel_height() + static_cast<double>(rows() - 1) * row_pitch();
    canvas.width = canvas.right + layout_.right_margin;
    canvas.height = std::ceil(canvas.top + title_height_ + layout_.key_height + kTitleMargin);
    return canvas;
}

Canvas PanelGrid::panel(std::size_t index) const {
    Canvas canvas = whole();
    const std::size_t column = index % columns_, row = index / columns_;
    canvas.left += static_cast<double>(column) * (panel_width_ + layout_.column_gap);
    canvas.right = canvas.left + panel_width_;
    canvas.top -= static_cast<double>(row) * row_pitch();
    canvas.bottom = canvas.top - panel_height();
    return canvas;
}

}  // namespace lossmap
