#include "output/export/export_stream.hpp"
#include "output/export/mesh_files.hpp"
#include "output/export/mesh_shape.hpp"

namespace lossmap {

void write_obj(const SurfaceMesh& mesh, const std::filesystem::path& file) {
    const MeshShape shape(mesh, ShapeSize{});
    ExportStream out(file);
    out.print(
        "# loss surface by lossmap, z upwards\n# x = (first coordinate - {}) * {}\n# y = (second coordinate - {}) * "
        "{}\n",
        shape.x_centre(), shape.plane_scale(), shape.y_centre(), shape.plane_scale());
    out.print("# z = (value - {}) / {}\n", mesh.low(), shape.value_range() > 0.0 ? shape.value_range() : 1.0);
    for (const std::size_t point : mesh.vertices())
        out.print("v {}\n", fmt::join(shape.place(point), " "));
    for_each_quad(mesh, [&](std::size_t ix, std::size_t iy) {
        const auto corners = mesh.corners(ix, iy);
        // OBJ counts from 1.
        out.print("f {} {} {} {}\n", corners[0] + std::uint64_t{1}, corners[1] + std::uint64_t{1},
                  corners[2] + std::uint64_t{1}, corners[3] + std::uint64_t{1});
    });
    out.commit();
}

}  // namespace lossmap
