#include "output/export/mesh_shape.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/error.hpp"

namespace lossmap {

namespace {

float scaled(double coordinate, double centre, double longer_side, double wanted) {
    return static_cast<float>((coordinate - centre) / longer_side * wanted);
}

double centre_of(const std::vector<double>& axis) { return axis.front() + (axis.back() - axis.front()) / 2.0; }

void check_axis(const std::vector<double>& axis, const char* name, double longer_side, double wanted) {
    const double centre = centre_of(axis);
    const auto together = [&](double a, double b) {
        return !(scaled(a, centre, longer_side, wanted) < scaled(b, centre, longer_side, wanted));
    };
    if (!std::isfinite(longer_side) || std::adjacent_find(axis.begin(), axis.end(), together) != axis.end()) {
        throw InputError("the coordinates of {} do not fit the single precision of this format; vtp takes them", name);
    }
}

}  // namespace

MeshShape::MeshShape(const SurfaceMesh& mesh, const ShapeSize& size)
    : mesh_(mesh),
      size_(size),
      x_centre_(centre_of(mesh.grid().x)),
      y_centre_(centre_of(mesh.grid().y)),
      longer_side_(
          std::max(mesh.grid().x.back() - mesh.grid().x.front(), mesh.grid().y.back() - mesh.grid().y.front())),
      range_(mesh.high() - mesh.low()) {
    check_axis(mesh.grid().x, "x", longer_side_, size.longer_side);
    check_axis(mesh.grid().y, "y", longer_side_, size.longer_side);
}

Point3 MeshShape::place(std::size_t point) const {
    const ScalarGrid& grid = mesh_.grid();
    // Divided first: the range may be so small that a scale would overflow.
    const double share = range_ > 0.0 ? (grid.z[point] - mesh_.low()) / range_ : 0.0;
    return {scaled(grid.x[point % grid.x.size()], x_centre_, longer_side_, size_.longer_side),
            scaled(grid.y[point / grid.x.size()], y_centre_, longer_side_, size_.longer_side),
            static_cast<float>(size_.base + share * size_.height)};
}

}  // namespace lossmap
