#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "output/export/export_stream.hpp"
#include "output/export/mesh_files.hpp"
#include "output/export/mesh_shape.hpp"

namespace lossmap {

namespace {

constexpr ShapeSize kPrintSize{.longer_side = 100.0, .height = 50.0, .base = 3.0};  // millimetres
constexpr std::size_t kHeaderBytes = 80;
constexpr int kSides = 4;

/// Normal by the right-hand rule; fp64, since a wall can be thinner than fp32 products hold.
Point3 normal_of(const Point3& a, const Point3& b, const Point3& c) {
    double u[3];
    double v[3];
    for (int i = 0; i < 3; ++i) {
        u[i] = static_cast<double>(b[i]) - static_cast<double>(a[i]);
        v[i] = static_cast<double>(c[i]) - static_cast<double>(a[i]);
    }
    const double n[3] = {u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]};
    const double length = std::sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
    return {static_cast<float>(n[0] / length), static_cast<float>(n[1] / length), static_cast<float>(n[2] / length)};
}

void write_triangle(ExportStream& out, const Point3& a, const Point3& b, const Point3& c) {
    out.write_bytes(normal_of(a, b, c));
    out.write_bytes(a);
    out.write_bytes(b);
    out.write_bytes(c);
    out.write_bytes(std::uint16_t{0});
}

Point3 on_ground(const Point3& point) { return {point[0], point[1], 0.0F}; }

/// Whether the quad on each side is there: in the order of the corners, side i leads from corner i to the next.
std::array<bool, kSides> neighbours(const SurfaceMesh& mesh, std::size_t ix, std::size_t iy) {
    return {mesh.has_quad(ix, iy - 1), mesh.has_quad(ix + 1, iy), mesh.has_quad(ix, iy + 1), mesh.has_quad(ix - 1, iy)};
}

std::uint32_t triangle_count(const SurfaceMesh& mesh) {
    std::uint64_t count = 0;
    for_each_quad(mesh, [&](std::size_t ix, std::size_t iy) {
        count += 4;  // top and bottom
        for (const bool neighbour : neighbours(mesh, ix, iy))
            count += neighbour ? 0 : 2;
    });
    if (count > std::numeric_limits<std::uint32_t>::max()) {
        throw InputError("stl holds at most {} triangles; this surface needs {}",
                         std::numeric_limits<std::uint32_t>::max(), count);
    }
    return static_cast<std::uint32_t>(count);
}

}  // namespace

void write_stl(const SurfaceMesh& mesh, const std::filesystem::path& file) {
    const MeshShape shape(mesh, kPrintSize);
    const std::uint32_t count = triangle_count(mesh);
    ExportStream out(file);
    // Not "solid ..", by which readers know the ASCII form.
    std::string header = "loss surface by lossmap, millimetres";
    header.resize(kHeaderBytes, ' ');
    out.write(header);
    out.write_bytes(count);
    for_each_quad(mesh, [&](std::size_t ix, std::size_t iy) {
        const std::array<bool, kSides> inside = neighbours(mesh, ix, iy);
        std::array<Point3, kSides> top;
        std::array<Point3, kSides> bottom;
        const auto corners = mesh.corners(ix, iy);
        for (std::size_t i = 0; i < kSides; ++i) {
            top[i] = shape.place(mesh.vertices()[corners[i]]);
            bottom[i] = on_ground(top[i]);
        }
        write_triangle(out, top[0], top[1], top[2]);
        write_triangle(out, top[0], top[2], top[3]);
        write_triangle(out, bottom[0], bottom[2], bottom[1]);
        write_triangle(out, bottom[0], bottom[3], bottom[2]);
        for (std::size_t i = 0; i < kSides; ++i) {
            if (inside[i]) continue;
            const std::size_t next = (i + 1) % kSides;
            write_triangle(out, bottom[i], bottom[next], top[next]);
            write_triangle(out, bottom[i], top[next], top[i]);
        }
    });
    out.commit();
}

}  // namespace lossmap
