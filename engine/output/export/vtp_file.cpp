#include "output/export/export_stream.hpp"
#include "output/export/mesh_files.hpp"

namespace lossmap {

namespace {

constexpr int kQuadCorners = 4;

void write_points(const SurfaceMesh& mesh, ExportStream& out) {
    const ScalarGrid& grid = mesh.grid();
    out.print("        <DataArray type=\"Float64\" Name=\"Points\" NumberOfComponents=\"3\" format=\"ascii\">\n");
    for (const std::size_t point : mesh.vertices())
        out.print("{} {} {}\n", grid.x[point % grid.x.size()], grid.y[point / grid.x.size()], grid.z[point]);
    out.print("        </DataArray>\n");
}

void write_polygons(const SurfaceMesh& mesh, ExportStream& out) {
    out.print("        <DataArray type=\"Int64\" Name=\"connectivity\" format=\"ascii\">\n");
    for_each_quad(mesh,
                  [&](std::size_t ix, std::size_t iy) { out.print("{}\n", fmt::join(mesh.corners(ix, iy), " ")); });
    out.print("        </DataArray>\n        <DataArray type=\"Int64\" Name=\"offsets\" format=\"ascii\">\n");
    for (std::size_t quad = 1; quad <= mesh.quad_count(); ++quad)
        out.print("{}\n", quad * kQuadCorners);
    out.print("        </DataArray>\n");
}

}  // namespace

void write_vtp(const SurfaceMesh& mesh, const std::filesystem::path& file) {
    ExportStream out(file);
    out.print(
        "<?xml version=\"1.0\"?>\n"
        "<VTKFile type=\"PolyData\" version=\"1.0\" byte_order=\"LittleEndian\" header_type=\"UInt64\">\n"
        "  <PolyData>\n"
        "    <Piece NumberOfPoints=\"{}\" NumberOfVerts=\"0\" NumberOfLines=\"0\" NumberOfStrips=\"0\" "
        "NumberOfPolys=\"{}\">\n",
        mesh.vertices().size(), mesh.quad_count());
    out.print(
        "      <PointData Scalars=\"zvalue\">\n"
        "        <DataArray type=\"Float64\" Name=\"zvalue\" NumberOfComponents=\"1\" format=\"ascii\" "
        "RangeMin=\"{}\" RangeMax=\"{}\">\n",
        mesh.low(), mesh.high());
    for (const std::size_t point : mesh.vertices())
        out.print("{}\n", mesh.grid().z[point]);
    out.print("        </DataArray>\n      </PointData>\n      <Points>\n");
    write_points(mesh, out);
    out.print("      </Points>\n      <Polys>\n");
    write_polygons(mesh, out);
    out.print("      </Polys>\n    </Piece>\n  </PolyData>\n</VTKFile>\n");
    out.commit();
}

}  // namespace lossmap
