#pragma once

#include <cstdint>

#include "core/host_device.hpp"

namespace lossmap::kernels {

/// Axes that a point may have coordinates in.
inline constexpr int kMaxAxes = 8;

/// One fp32 array that depends on theta: base[i] + (c_0 axis_0[i] + c_1 axis_1[i] + ..). The offset is rounded to fp32
/// before it is added, products and sums one by one (no fused multiply-add), from the pristine base: the CPU backend's
/// bits.
struct ThetaArray {
    const float* base = nullptr;         ///< null: the array is absent
    std::int64_t base_point_stride = 0;  ///< 0: theta itself; else a value that was computed from theta a point
    const float* axes[kMaxAxes] = {};    ///< null: this axis does not move the array
};

/// fp32 coordinates [points, axes] on the device.
struct Coordinates {
    const float* values = nullptr;
    int axes = 0;
};

/// Element `index` of `array` at a point.
LOSSMAP_HD inline float theta_at(const ThetaArray& array, const Coordinates& coordinates, std::int64_t point,
                                 std::int64_t index) {
    float offset = 0.0F;
    bool moved = false;
    for (int axis = 0; axis < coordinates.axes; ++axis) {
        if (array.axes[axis] == nullptr) continue;
        const float step = array.axes[axis][index] * coordinates.values[point * coordinates.axes + axis];
        offset = moved ? offset + step : step;
        moved = true;
    }
    const float base = array.base[point * array.base_point_stride + index];
    return moved ? base + offset : base;
}

}  // namespace lossmap::kernels
