#pragma once

#include <limits>
#include <string>
#include <vector>

#include "landscape/surface.hpp"

namespace lossmap {

inline constexpr const char* kLossColour = "#1f4fd8";
inline constexpr const char* kAccuracyColour = "#d62728";

/// Loss, and accuracy where targets are classes, of all splits along a line, as data and plot elements.
class LineCurves {
public:
    /// Throws InputError when there is no split or the vectors do not fit the axis.
    LineCurves(const Surface& surface, bool log);

    /// Data blocks `$loss_0`, `$accuracy_0`, ..
    [[nodiscard]] const std::string& blocks() const { return blocks_; }
    /// Plot elements, with titles for a key; accuracy on the second axis. Bands of confidence intervals lie below.
    [[nodiscard]] std::vector<std::string> elements() const;
    /// The same keys without data.
    [[nodiscard]] std::vector<std::string> key_entries() const;
    /// A sentence a split that has gaps, "train loss: 3 of 51 points not finite", and one a split that was drawn at
    /// random.
    [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
    [[nodiscard]] bool has_accuracy() const { return has_accuracy_; }
    /// Least and largest loss drawn; NaN when there is none.
    [[nodiscard]] double low() const { return low_; }
    [[nodiscard]] double high() const { return high_; }

private:
    struct Curve {
        std::string block;
        std::string title;
        const char* colour;
        const char* dash;
        bool second_axis;
        bool has_lone_points = false;
    };

    void add_split(const SplitSurface& split, std::size_t index);
    void add_band(const SplitSurface& split, std::size_t index, const std::vector<double>& loss);
    void add_curve(const std::vector<double>& values, Curve curve);

    const Surface& surface_;
    bool log_;
    std::string blocks_;
    std::vector<Curve> curves_;
    std::vector<std::string> notes_;
    std::vector<std::string> bands_;  ///< names of blocks
    double low_ = std::numeric_limits<double>::quiet_NaN();
    double high_ = std::numeric_limits<double>::quiet_NaN();
    bool has_accuracy_ = false;
};

/// Range and ticks of the loss axis for losses from low to high (NaN: nothing to draw), with numbers or without.
[[nodiscard]] std::string loss_axis(double low, double high, bool log, bool labelled = true);

}  // namespace lossmap
