#pragma once

#include <functional>
#include <string>
#include <vector>

#include "landscape/surface.hpp"

namespace lossmap::test {

using LossFunction = std::function<double(double x, double y)>;

/// `count` even steps from low to high.
std::vector<double> steps(double low, double high, int count);

/// A computed surface with splits "train" (loss f) and "test" (loss 1.5 f + 0.25), accuracy 100 exp(-loss). Empty y: a
/// line.
Surface surface_of(const std::vector<double>& x, const std::vector<double>& y, const LossFunction& f);

/// Marks a point as not computed, as the file formats do.
void forget(SplitSurface& split, std::size_t point);

}  // namespace lossmap::test
