#pragma once

#include <cstddef>
#include <string>

#include "output/canvas.hpp"

namespace lossmap {

/// What decides where the panels of a picture lie.
struct PanelLayout {
    std::size_t count = 1;
    std::size_t columns = 0;      ///< 0: chosen
    double aspect = 1.0;          ///< height of a panel over its width
    double column_gap = 20.0;     ///< pixels between two panels of a row
    double tick_height = 0.0;     ///< pixels under each panel for ticks of its own
    double right_margin = 136.0;  ///< pixels beside the last column, for a colour bar or a second axis
    double key_height = 0.0;      ///< pixels between the picture's title and the panels' titles
};

/// Panels of one size in rows, filled from the left and from the top; smaller the more columns there are.
class PanelGrid {
public:
    static constexpr double kTitleLineHeight = 15.0;
    static constexpr double kRowGap = 10.0;

    explicit PanelGrid(const PanelLayout& layout);

    /// Pixels.
    [[nodiscard]] double panel_width() const { return panel_width_; }
    [[nodiscard]] double panel_height() const { return panel_width_ * layout_.aspect; }
    /// Room for `lines` lines over each panel; before the places below are asked for.
    void set_title_lines(std::size_t lines) { title_height_ = static_cast<double>(lines) * kTitleLineHeight + 8.0; }

    /// The picture; its plot area is the rectangle that all panels fill.
    [[nodiscard]] Canvas whole() const;
    /// The same picture with the panel as its plot area.
    [[nodiscard]] Canvas panel(std::size_t index) const;

    [[nodiscard]] bool is_first_of_row(std::size_t index) const { return index % columns_ == 0; }
    [[nodiscard]] bool is_last_of_row(std::size_t index) const;
    [[nodiscard]] bool is_lowest_of_column(std::size_t index) const { return index + columns_ >= layout_.count; }

private:
    [[nodiscard]] std::size_t rows() const { return (layout_.count + columns_ - 1) / columns_; }
    /// Pixels from the top of one panel to that of the panel under it.
    [[nodiscard]] double row_pitch() const { return panel_height() + layout_.tick_height + kRowGap + title_height_; }

    PanelLayout layout_;
    std::size_t columns_;
    double panel_width_;
    double title_height_ = kTitleLineHeight + 8.0;
};

}  // namespace lossmap
