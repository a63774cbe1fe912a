#include "tests/output/test_surfaces.hpp"

#include <cmath>

namespace lossmap::test {

std::vector<double> steps(double low, double high, int count) {
    std::vector<double> values;
    for (int i = 0; i < count; ++i)
        values.push_back(count == 1 ? low : low + (high - low) * i / (count - 1));
    return values;
}

Surface surface_of(const std::vector<double>& x, const std::vector<double>& y, const LossFunction& f) {
    Surface surface;
    surface.x = x;
    surface.y = y;
    const std::vector<double> rows = y.empty() ? std::vector<double>{0.0} : y;
    for (const char* name : {"train", "test"}) {
        SplitSurface split;
        split.name = name;
        for (const double b : rows) {
            for (const double a : x) {
                const double loss = split.name == "train" ? f(a, b) : 1.5 * f(a, b) + 0.25;
                split.loss.push_back(loss);
                split.accuracy.push_back(100.0 * std::exp(-loss));
                split.standard_error.push_back(0.01);
                split.done.push_back(1);
                split.non_finite.push_back(0);
                split.samples.push_back(1000);
            }
        }
        surface.splits.push_back(split);
    }
    return surface;
}

void forget(SplitSurface& split, std::size_t point) {
    split.loss[point] = split.accuracy[point] = split.standard_error[point] = -1.0;
    split.done[point] = 0;
    split.samples[point] = 0;
}

}  // namespace lossmap::test
