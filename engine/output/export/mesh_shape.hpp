#pragma once

#include <array>
#include <cstddef>

#include "output/export/surface_mesh.hpp"

namespace lossmap {

/// A point in fp32, z upwards.
using Point3 = std::array<float, 3>;

/// Size of the shape that a mesh becomes.
struct ShapeSize {
    double longer_side = 2.0;
    double height = 1.0;  ///< from the least to the largest value
    double base = 0.0;    ///< height of the least value
};

/// Places a mesh: x and y centred and scaled together, values stretched to the height (a flat mesh lies at the base).
class MeshShape {
public:
    /// Throws InputError when neighbouring coordinates would fall together in fp32, or an axis is too long for fp64.
    MeshShape(const SurfaceMesh& mesh, const ShapeSize& size);

    /// Place of grid point iy * nx + ix.
    [[nodiscard]] Point3 place(std::size_t point) const;

    [[nodiscard]] double x_centre() const { return x_centre_; }
    [[nodiscard]] double y_centre() const { return y_centre_; }
    [[nodiscard]] double plane_scale() const { return size_.longer_side / longer_side_; }  ///< of x and y
    [[nodiscard]] double value_range() const { return range_; }

private:
    const SurfaceMesh& mesh_;
    ShapeSize size_;
    double x_centre_;
    double y_centre_;
    double longer_side_;
    double range_;
};

}  // namespace lossmap
