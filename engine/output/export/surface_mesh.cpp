#include "output/export/surface_mesh.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace lossmap {

SurfaceMesh::SurfaceMesh(ScalarGrid grid, GapCounts gaps) : grid_(std::move(grid)), gaps_(gaps) {
    quads_.assign(columns() * rows(), 0);
    for (std::size_t iy = 0; iy < rows(); ++iy) {
        for (std::size_t ix = 0; ix < columns(); ++ix) {
            const bool whole = !std::isnan(grid_.at(ix, iy)) && !std::isnan(grid_.at(ix + 1, iy)) &&
                               !std::isnan(grid_.at(ix + 1, iy + 1)) && !std::isnan(grid_.at(ix, iy + 1));
            quads_[iy * columns() + ix] = whole ? 1 : 0;
            quad_count_ += whole ? 1 : 0;
        }
    }
}

void SurfaceMesh::remove_quad(std::size_t ix, std::size_t iy) {
    quads_[iy * columns() + ix] = 0;
    --quad_count_;
}

void SurfaceMesh::part_at_single_points() {
    // Points inside the grid that may have to be looked at; a quad left out can make new cases at its own corners.
    std::vector<std::array<std::size_t, 2>> points;
    for (std::size_t iy = rows(); iy-- > 1;) {
        for (std::size_t ix = columns(); ix-- > 1;) {
            points.push_back({ix, iy});
            while (!points.empty()) {
                const auto [px, py] = points.back();
                points.pop_back();
                if (px == 0 || py == 0 || px >= columns() || py >= rows()) continue;
                const bool lower_left = has_quad(px - 1, py - 1);
                const bool lower_right = has_quad(px, py - 1);
                if (lower_left == lower_right || has_quad(px, py) != lower_left ||
                    has_quad(px - 1, py) != lower_right) {
                    continue;
                }
                const std::size_t qx = lower_left ? px - 1 : px;
                remove_quad(qx, py - 1);
                points.insert(points.end(), {{qx, py - 1}, {qx + 1, py - 1}, {qx, py}, {qx + 1, py}});
            }
        }
    }
}

void SurfaceMesh::number_vertices() {
    if (quad_count_ == 0) {
        throw InputError("no four neighbouring points of the plane have a value{}: a mesh would be empty",
                         gaps_.any() ? fmt::format(" ({})", gaps_.text()) : "");
    }
    vertex_of_point_.assign(grid_.z.size(), kNoVertex);
    for_each_quad(*this, [&](std::size_t ix, std::size_t iy) {
        const std::size_t first = iy * grid_.x.size() + ix;
        for (const std::size_t point : {first, first + 1, first + grid_.x.size(), first + grid_.x.size() + 1})
            vertex_of_point_[point] = 0;
    });
    vertices_.clear();
    for (std::size_t point = 0; point < grid_.z.size(); ++point) {
        if (vertex_of_point_[point] == kNoVertex) continue;
        if (vertices_.size() >= kNoVertex)
            throw InputError("a mesh of more than {} points cannot be written", kNoVertex);
        vertex_of_point_[point] = static_cast<std::uint32_t>(vertices_.size());
        const double value = grid_.z[point];
        low_ = vertices_.empty() ? value : std::min(low_, value);
        high_ = vertices_.empty() ? value : std::max(high_, value);
        vertices_.push_back(point);
    }
    if (!std::isfinite(high_ - low_)) {
        throw InputError("the values from {} to {} are too far apart for a mesh; zmax limits them", low_, high_);
    }
}

std::array<std::uint32_t, 4> SurfaceMesh::corners(std::size_t ix, std::size_t iy) const {
    const std::size_t first = iy * grid_.x.size() + ix;
    const std::size_t above = first + grid_.x.size();
    return {vertex_of_point_[first], vertex_of_point_[first + 1], vertex_of_point_[above + 1], vertex_of_point_[above]};
}

std::string SurfaceMesh::note() const {
    const std::size_t all = columns() * rows();
    std::string note = gaps_.interpolation_text();
    if (quad_count_ == all) return note;
    if (!note.empty()) note += "; ";
    return note + fmt::format("{}; {} of {} quads left out", gaps_.text(), all - quad_count_, all);
}

SurfaceMesh surface_mesh(const Surface& surface, const SplitSurface& split, const ZScale& scale) {
    PlaneValues values = plane_values(surface, split, false);
    if (surface.x.size() < 2 || surface.y.size() < 2) {
        throw InputError("a mesh needs at least two points along each axis; this surface has {} x {}", surface.x.size(),
                         surface.y.size());
    }
    GapCounts gaps;
    for (std::size_t point = 0; point < values.grid.z.size(); ++point)
        values.grid.z[point] = z_value(split, point, scale, gaps);
    return {std::move(values.grid), gaps};
}

}  // namespace lossmap
