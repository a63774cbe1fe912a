#pragma once

#include <algorithm>
#include <vector>

namespace lossmap {

/// Of at least one number; the mean of both where two are in the middle.
[[nodiscard]] inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

}  // namespace lossmap
