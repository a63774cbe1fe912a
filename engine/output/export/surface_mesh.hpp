#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "output/export/z_value.hpp"
#include "output/scalar_grid.hpp"

namespace lossmap {

/// The quads of a plane that touch no gap. Quad (ix, iy) has the corners (ix, iy), (ix + 1, iy), (ix + 1, iy + 1), (ix,
/// iy + 1): counter-clockwise seen from above.
class SurfaceMesh {
public:
    static constexpr std::uint32_t kNoVertex = 0xffffffffU;

    /// Values with NaN for gaps; at least 2 x 2 of them.
    SurfaceMesh(ScalarGrid grid, GapCounts gaps);

    [[nodiscard]] const ScalarGrid& grid() const { return grid_; }
    [[nodiscard]] std::size_t columns() const { return grid_.x.size() - 1; }  ///< of quads
    [[nodiscard]] std::size_t rows() const { return grid_.y.size() - 1; }     ///< of quads
    /// Whether there is this quad; false outside the grid (a column of -1 may be given as SIZE_MAX).
    [[nodiscard]] bool has_quad(std::size_t ix, std::size_t iy) const {
        return ix < columns() && iy < rows() && quads_[iy * columns() + ix] != 0;
    }
    [[nodiscard]] std::size_t quad_count() const { return quad_count_; }

    /// Leaves quads out until no two quads share a corner only: there the wall of a solid would touch itself.
    void part_at_single_points();

    /// Numbers the points that a quad uses, in the grid's order, and finds the range of their values; to be called when
    /// the quads are final. Throws InputError when there is no quad, the range overflows, or there are too many
    /// vertices.
    void number_vertices();
    /// Grid point (iy * nx + ix) of each vertex.
    [[nodiscard]] const std::vector<std::size_t>& vertices() const { return vertices_; }
    /// Vertices of the corners of a quad, in the order above.
    [[nodiscard]] std::array<std::uint32_t, 4> corners(std::size_t ix, std::size_t iy) const;
    [[nodiscard]] double low() const { return low_; }    ///< least value of a vertex
    [[nodiscard]] double high() const { return high_; }  ///< largest one

    /// Gaps and quads left out, in words; "" when there are none.
    [[nodiscard]] std::string note() const;

private:
    void remove_quad(std::size_t ix, std::size_t iy);

    ScalarGrid grid_;
    GapCounts gaps_;
    std::vector<std::uint8_t> quads_;
    std::size_t quad_count_ = 0;
    std::vector<std::uint32_t> vertex_of_point_;
    std::vector<std::size_t> vertices_;
    double low_ = 0.0;
    double high_ = 0.0;
};

/// Calls visit(ix, iy) for each quad, row by row.
template <typename Visit>
void for_each_quad(const SurfaceMesh& mesh, Visit&& visit) {
    for (std::size_t iy = 0; iy < mesh.rows(); ++iy) {
        for (std::size_t ix = 0; ix < mesh.columns(); ++ix) {
            if (mesh.has_quad(ix, iy)) visit(ix, iy);
        }
    }
}

/// The mesh of one split. Throws InputError when an axis has less than two points or does not increase.
[[nodiscard]] SurfaceMesh surface_mesh(const Surface& surface, const SplitSurface& split, const ZScale& scale);

}  // namespace lossmap
