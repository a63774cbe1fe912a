#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.hpp"

namespace lossmap {

/// What is known of one split over a grid; every vector has Surface::point_count() entries, point (ix, iy) at iy * nx +
/// ix.
struct SplitSurface {
    std::string name;                    ///< "train", "test"
    bool has_accuracy = true;            ///< false where targets are no classes: `accuracy` is NaN
    std::vector<double> loss;            ///< mean; -1 where not computed; NaN and infinity are results
    std::vector<double> accuracy;        ///< percent; -1 where not computed
    std::vector<double> standard_error;  ///< of the mean loss; -1 where not computed
    std::vector<std::uint8_t> done;
    std::vector<std::int64_t> non_finite;  ///< samples with a loss that is not finite
    std::vector<std::int64_t> samples;     ///< counted
    /// `drawn` samples of `drawn_from` at random, without replacement: the mean loss has a confidence interval. Both 0
    /// where the samples are no random draw.
    std::int64_t drawn = 0;
    std::int64_t drawn_from = 0;

    [[nodiscard]] bool is_drawn() const { return drawn_from > 0; }

    // Of a grid that was refined and is not complete (interpolate_missing); else empty.
    std::vector<double> interpolated_loss;      ///< the loss where done, interpolated elsewhere; NaN where neither
    std::vector<double> interpolated_accuracy;  ///< likewise; empty without accuracy
    std::vector<double> error_estimate;         ///< of interpolated_loss: 0 where done; infinity where nothing is known

    /// Loss to be shown at a point: NaN where it is neither computed nor interpolated.
    [[nodiscard]] double shown_loss(std::size_t point) const;
    [[nodiscard]] double shown_accuracy(std::size_t point) const;
};

/// A line (y empty) or plane of results.
struct Surface {
    std::vector<double> x;
    std::vector<double> y;
    std::vector<SplitSurface> splits;
    std::string direction_file;  ///< `dir_file` of surface.h5
    std::string provenance;      ///< JSON: resolved configuration, seed, hashes, versions, device, precision

    [[nodiscard]] bool is_line() const { return y.empty(); }
    [[nodiscard]] std::size_t point_count() const { return x.size() * (y.empty() ? 1 : y.size()); }
    /// nullptr when absent.
    [[nodiscard]] const SplitSurface* find(const std::string& split) const;
};

/// All points not computed.
[[nodiscard]] Surface make_surface(std::vector<double> x, std::vector<double> y, const std::vector<std::string>& splits,
                                   bool has_accuracy);

/// Turns the sums of one point into mean loss, accuracy, standard error (sqrt of the weighted sample variance over n; 0
/// for n = 1) and marks it done.
void set_result(SplitSurface& split, std::size_t point, const LossSums& sums);

/// Half the width of the 95 % confidence interval of the mean loss of all that the samples were drawn from: 1.96
/// standard errors times sqrt(1 - n / N), as n of N were drawn without replacement (Cochran 1977, section 2.8). Strata
/// are left out, which makes it a little too wide. NaN where there is none: no random draw, not computed, not finite,
/// fewer than two samples, or more losses than samples (tokens of one sample are not independent).
[[nodiscard]] double confidence_half_width(const SplitSurface& split, std::size_t point);

/// "1000 of 60000 samples, drawn at random"; "" where they are not.
[[nodiscard]] std::string sampling_note(const SplitSurface& split);

/// `points` values from min to max, both included, as numpy.linspace gives them (fp64; the last one exactly max).
[[nodiscard]] std::vector<double> linspace(double min, double max, std::int64_t points);

}  // namespace lossmap
