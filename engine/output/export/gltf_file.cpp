#include <algorithm>
#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "output/colour_map.hpp"
#include "output/export/base64.hpp"
#include "output/export/export_stream.hpp"
#include "output/export/mesh_files.hpp"
#include "output/export/mesh_shape.hpp"
#include "output/text.hpp"

namespace lossmap {

namespace {

using Json = nlohmann::ordered_json;

// Constants of the specification.
constexpr int kFloat = 5126;
constexpr int kUnsignedInt = 5125;
constexpr int kArrayBuffer = 34962;
constexpr int kElementArrayBuffer = 34963;
constexpr int kTriangles = 4;
constexpr std::uint32_t kMagic = 0x46546C67;        // "glTF"
constexpr std::uint32_t kJsonChunk = 0x4E4F534A;    // "JSON"
constexpr std::uint32_t kBinaryChunk = 0x004E4942;  // "BIN"
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kHeadersBytes = 12 + 8 + 8;
constexpr std::size_t kAlignment = 4;

/// What the buffer holds, in this order.
struct Arrays {
    std::vector<Point3> positions;
    std::vector<Point3> normals;
    std::vector<Point3> colours;
    std::vector<std::uint32_t> indices;

    [[nodiscard]] std::size_t vertex_bytes() const { return positions.size() * sizeof(Point3); }
    [[nodiscard]] std::size_t index_bytes() const { return indices.size() * sizeof(std::uint32_t); }
    [[nodiscard]] std::size_t size_bytes() const { return 3 * vertex_bytes() + index_bytes(); }
};

/// sRGB transfer function (IEC 61966-2-1), the other way round: glTF's vertex colours are linear.
float linear(Colour colour, int shift) {
    const double value = static_cast<double>((colour >> shift) & 0xffU) / 255.0;
    return static_cast<float>(value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4));
}

/// glTF has y upwards: (x, y, z) becomes (x, z, -y).
Point3 y_upwards(const Point3& point) { return {point[0], point[2], -point[1] + 0.0F}; }

/// Sum of the normals of the triangles around each vertex, weighted by area, as unit vectors.
std::vector<Point3> normals_of(const std::vector<Point3>& positions, const std::vector<std::uint32_t>& indices) {
    std::vector<std::array<double, 3>> sums(positions.size(), {0.0, 0.0, 0.0});
    for (std::size_t k = 0; k < indices.size(); k += 3) {
        const Point3& a = positions[indices[k]];
        std::array<double, 3> u{};
        std::array<double, 3> v{};
        for (std::size_t i = 0; i < 3; ++i) {
            u[i] = static_cast<double>(positions[indices[k + 1]][i]) - static_cast<double>(a[i]);
            v[i] = static_cast<double>(positions[indices[k + 2]][i]) - static_cast<double>(a[i]);
        }
        for (std::size_t corner = 0; corner < 3; ++corner) {
            for (std::size_t i = 0; i < 3; ++i) {
                const std::size_t j = (i + 1) % 3;
                const std::size_t l = (i + 2) % 3;
                sums[indices[k + corner]][i] += u[j] * v[l] - u[l] * v[j];
            }
        }
    }
    std::vector<Point3> normals;
    normals.reserve(sums.size());
    for (const auto& sum : sums) {
        // Never 0: all triangles look upwards.
        const double length = std::hypot(sum[0], sum[1], sum[2]);
        normals.push_back({static_cast<float>(sum[0] / length), static_cast<float>(sum[1] / length),
                           static_cast<float>(sum[2] / length)});
    }
    return normals;
}

Arrays arrays_of(const SurfaceMesh& mesh, const MeshShape& shape) {
    Arrays arrays;
    for (const std::size_t point : mesh.vertices()) {
        const Point3 place = shape.place(point);
        const Colour colour = viridis(static_cast<double>(place[2]));  // heights go from 0 to 1
        arrays.positions.push_back(y_upwards(place));
        arrays.colours.push_back({linear(colour, 16), linear(colour, 8), linear(colour, 0)});
    }
    for_each_quad(mesh, [&](std::size_t ix, std::size_t iy) {
        const auto c = mesh.corners(ix, iy);
        arrays.indices.insert(arrays.indices.end(), {c[0], c[1], c[2], c[0], c[2], c[3]});
    });
    arrays.normals = normals_of(arrays.positions, arrays.indices);
    return arrays;
}

Json view_of(std::size_t offset, std::size_t size_bytes, int target) {
    return {{"buffer", 0}, {"byteOffset", offset}, {"byteLength", size_bytes}, {"target", target}};
}

/// Accessor of an array of 3 numbers a vertex, with its exact bounds.
Json accessor_of(int view, const std::vector<Point3>& points) {
    Point3 least = points.front();
    Point3 most = points.front();
    for (const Point3& point : points) {
        for (std::size_t i = 0; i < 3; ++i) {
            least[i] = std::min(least[i], point[i]);
            most[i] = std::max(most[i], point[i]);
        }
    }
    return {{"bufferView", view}, {"componentType", kFloat}, {"count", points.size()}, {"type", "VEC3"}, {"min", least},
            {"max", most}};
}

Json index_accessor(const Arrays& arrays) {
    const auto [least, most] = std::minmax_element(arrays.indices.begin(), arrays.indices.end());
    return {{"bufferView", 3},  {"componentType", kUnsignedInt}, {"count", arrays.indices.size()},
            {"type", "SCALAR"}, {"min", Json::array({*least})},  {"max", Json::array({*most})}};
}

Json document(const SurfaceMesh& mesh, const MeshShape& shape, const Arrays& arrays, const std::string& name) {
    const std::size_t bytes = arrays.vertex_bytes();
    Json scale = {{"x_centre", shape.x_centre()},
                  {"y_centre", shape.y_centre()},
                  {"plane_scale", shape.plane_scale()},
                  {"value_low", mesh.low()},
                  {"value_high", mesh.high()}};
    Json primitive = {{"attributes", {{"POSITION", 0}, {"NORMAL", 1}, {"COLOR_0", 2}}},
                      {"indices", 3},
                      {"material", 0},
                      {"mode", kTriangles}};
    Json result;
    result["asset"] = {{"version", "2.0"}, {"generator", "lossmap"}};
    result["scene"] = 0;
    result["scenes"] = Json::array({{{"nodes", Json::array({0})}}});
    result["nodes"] = Json::array({{{"name", name}, {"mesh", 0}}});
    result["meshes"] = Json::array({{{"name", name}, {"primitives", Json::array({primitive})}, {"extras", scale}}});
    result["materials"] = Json::array(
        {{{"pbrMetallicRoughness", {{"metallicFactor", 0.0}, {"roughnessFactor", 0.9}}}, {"doubleSided", true}}});
    result["accessors"] = Json::array({accessor_of(0, arrays.positions), accessor_of(1, arrays.normals),
                                       accessor_of(2, arrays.colours), index_accessor(arrays)});
    result["bufferViews"] = Json::array({view_of(0, bytes, kArrayBuffer), view_of(bytes, bytes, kArrayBuffer),
                                         view_of(2 * bytes, bytes, kArrayBuffer),
                                         view_of(3 * bytes, arrays.index_bytes(), kElementArrayBuffer)});
    result["buffers"] = Json::array({{{"byteLength", arrays.size_bytes()}}});
    return result;
}

/// Calls take(bytes) for the parts of the buffer.
template <typename Take>
void for_each_part(const Arrays& arrays, Take&& take) {
    for (const auto* points : {&arrays.positions, &arrays.normals, &arrays.colours})
        take(std::string_view(reinterpret_cast<const char*>(points->data()), arrays.vertex_bytes()));
    take(std::string_view(reinterpret_cast<const char*>(arrays.indices.data()), arrays.index_bytes()));
}

void write_binary(const Json& json, const Arrays& arrays, const std::filesystem::path& file) {
    std::string text = json.dump();
    text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
    ExportStream out(file);
    out.write_bytes(
        std::array{kMagic, kVersion, static_cast<std::uint32_t>(kHeadersBytes + text.size() + arrays.size_bytes())});
    out.write_bytes(std::array{static_cast<std::uint32_t>(text.size()), kJsonChunk});
    out.write(text);
    out.write_bytes(std::array{static_cast<std::uint32_t>(arrays.size_bytes()), kBinaryChunk});
    for_each_part(arrays, [&](std::string_view bytes) { out.write(bytes); });
    out.commit();
}

void write_text(Json json, const Arrays& arrays, const std::filesystem::path& file) {
    std::string buffer;
    buffer.reserve(arrays.size_bytes());
    for_each_part(arrays, [&](std::string_view bytes) { buffer += bytes; });
    json["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64(buffer);
    ExportStream out(file);
    out.write(json.dump());
    out.write("\n");
    out.commit();
}

}  // namespace

std::string valid_mesh_name(const std::string& split) { return valid_utf8(split); }

void write_gltf(const SurfaceMesh& mesh, const std::string& name, const std::filesystem::path& file) {
    // 3 arrays of 12 bytes a vertex, 24 bytes of indices a quad; a little more for the text.
    constexpr std::size_t kMostBytes = std::numeric_limits<std::uint32_t>::max() - (std::size_t{1} << 20);
    const std::size_t expected = mesh.vertices().size() * 3 * sizeof(Point3) + mesh.quad_count() * 24;
    if (expected > kMostBytes) throw InputError("gltf holds at most 4 GiB; this surface needs {} bytes", expected);
    const MeshShape shape(mesh, ShapeSize{});
    const Arrays arrays = arrays_of(mesh, shape);
    const Json json = document(mesh, shape, arrays, name);
    if (file.extension() == ".glb") {
        write_binary(json, arrays, file);
    } else {
        write_text(json, arrays, file);
    }
}

}  // namespace lossmap
