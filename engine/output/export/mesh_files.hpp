#pragma once

#include <filesystem>
#include <string>

#include "output/export/surface_mesh.hpp"

namespace lossmap {

// One writer a format; export.hpp says what each file holds. The vertices of the mesh are numbered.

/// VTK's XML PolyData, as ParaView reads it.
void write_vtp(const SurfaceMesh& mesh, const std::filesystem::path& file);

/// Wavefront OBJ (http://www.martinreddy.net/gfx/3d/OBJ.spec).
void write_obj(const SurfaceMesh& mesh, const std::filesystem::path& file);

/// Binary STL: 80 bytes of text, the number of triangles, 50 bytes a triangle. The mesh is parted at single points.
void write_stl(const SurfaceMesh& mesh, const std::filesystem::path& file);

/// glTF 2.0 (https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html).
void write_gltf(const SurfaceMesh& mesh, const std::string& name, const std::filesystem::path& file);

/// A split's name as JSON can hold it.
[[nodiscard]] std::string valid_mesh_name(const std::string& split);

}  // namespace lossmap
