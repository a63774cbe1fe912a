#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "landscape/surface.hpp"

namespace lossmap {

/// The same line or plane over several random directions.
struct RepeatedSurface {
    std::vector<std::int64_t> seeds;  ///< of the repetitions' directions
    std::vector<Surface> repeats;     ///< one a seed, all over the same coordinates and splits

    /// Copies the results of a line of all points, one repetition after the other, into the repetitions.
    void take(const Surface& all_points);
};

/// `count` empty repetitions of `surface`, whose seeds are first_seed, first_seed + 1, ..
[[nodiscard]] RepeatedSurface make_repeated(const Surface& surface, std::int64_t first_seed, std::int64_t count);

/// What the repetitions say of one number at each point of the grid. Repetitions that are not computed or not finite
/// take no part; how many do is in `counted`.
struct Spread {
    std::vector<double> mean;       ///< NaN where counted is 0
    std::vector<double> deviation;  ///< sample standard deviation (n - 1); NaN where counted is below 2
    std::vector<double> least;      ///< NaN where counted is 0
    std::vector<double> greatest;
    std::vector<std::int64_t> counted;
};

enum class RepeatedValue : std::uint8_t { loss, error };

/// Of the split at `index`; the error is 100 - accuracy, in percent.
[[nodiscard]] Spread spread_of(const RepeatedSurface& surface, std::size_t index, RepeatedValue value);

/// Half the width of a 95 % confidence interval of the mean loss over the repetitions at each point, of the split at
/// `index`: the mean of theirs (confidence_half_width). They are computed from the same samples, so their errors do not
/// average out, and the true interval is no wider than this. NaN where no repetition has one.
[[nodiscard]] std::vector<double> mean_half_width(const RepeatedSurface& surface, std::size_t index);

/// What stands for all repetitions where one surface is wanted: of each split `<split>_mean`, `<split>_std` and
/// `<split>_range` (greatest - least) of loss and accuracy, as spread_of() tells them; `samples` and `non_finite` are
/// sums over the repetitions. A point is done where any repetition is. With `repetitions` each of them follows as
/// `<split>_seed_<number>`.
[[nodiscard]] Surface summary_surface(const RepeatedSurface& surface, bool repetitions);

/// Writes surface.h5 with the number of repetitions in front of every shape ([count, nx], [count, ny, nx]) and `seeds`
/// [count] beside the coordinates; else as write_surface().
void write_repeated_surface(const std::filesystem::path& file, const RepeatedSurface& surface);

/// Whether read_repeated_surface() is for it. Throws InputError when it is no HDF5 file.
[[nodiscard]] bool holds_repetitions(const std::filesystem::path& file);

/// Throws InputError naming the dataset that does not fit.
[[nodiscard]] RepeatedSurface read_repeated_surface(const std::filesystem::path& file);

}  // namespace lossmap
