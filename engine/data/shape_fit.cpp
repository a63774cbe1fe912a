#include "data/shape_fit.hpp"

#include <algorithm>

namespace lossmap {

std::optional<Shape> fit_shape(const Shape& held, const Shape& expected) {
    Shape fitted = held;
    while (fitted.size() < expected.size())
        fitted.insert(fitted.begin(), 1);
    while (fitted.size() > expected.size()) {
        if (fitted.front() != 1) return std::nullopt;
        fitted.erase(fitted.begin());
    }
    const auto fits = [](std::int64_t extent, std::int64_t wanted) { return wanted == -1 || extent == wanted; };
    if (!std::equal(fitted.begin(), fitted.end(), expected.begin(), fits)) return std::nullopt;
    return fitted;
}

}  // namespace lossmap
