#include "output/export.hpp"

#include <array>
#include <cmath>

#include "core/error.hpp"
#include "output/export/mesh_files.hpp"
#include "output/export/path_files.hpp"
#include "output/export/surface_mesh.hpp"
#include "output/export/table_files.hpp"
#include "output/export/z_value.hpp"

namespace lossmap {

namespace {

constexpr std::array kFormats{ExportFormat::vtp,  ExportFormat::obj, ExportFormat::stl,
                              ExportFormat::gltf, ExportFormat::csv, ExportFormat::npz};

void check_options(const ExportOptions& options) {
    if (!options.zmax) return;
    if (!std::isfinite(*options.zmax)) throw InputError("zmax is {}; expected a finite number", *options.zmax);
    if (options.log && !(*options.zmax + kLogOffset > 0.0)) {
        throw InputError("zmax is {}; with a logarithm it must be greater than {}", *options.zmax, -kLogOffset);
    }
}

/// The splits to write: the named one, or all.
std::vector<const SplitSurface*> chosen_splits(const Surface& surface, const std::string& name) {
    std::vector<const SplitSurface*> chosen;
    std::vector<std::string> known;
    for (const SplitSurface& split : surface.splits) {
        if (name.empty() || split.name == name) chosen.push_back(&split);
        known.push_back(split.name);
    }
    if (surface.splits.empty()) throw InputError("the surface holds no split to export");
    if (chosen.empty()) throw InputError("the surface has no split '{}'; it has {}", name, fmt::join(known, ", "));
    return chosen;
}

void check_complete(const SplitSurface& split, std::size_t points) {
    const bool complete = split.loss.size() == points && split.accuracy.size() == points &&
                          split.standard_error.size() == points && split.done.size() == points &&
                          split.non_finite.size() == points && split.samples.size() == points;
    if (!complete) throw InputError("split '{}' does not cover the {} points of its surface", split.name, points);
}

std::string write_mesh(const Surface& surface, const SplitSurface& split, const ExportOptions& options,
                       const std::filesystem::path& file) {
    SurfaceMesh mesh = surface_mesh(surface, split, {options.zmax, options.log});
    if (options.format == ExportFormat::stl) mesh.part_at_single_points();
    mesh.number_vertices();
    switch (options.format) {
        case ExportFormat::vtp: write_vtp(mesh, file); break;
        case ExportFormat::obj: write_obj(mesh, file); break;
        case ExportFormat::stl: write_stl(mesh, file); break;
        case ExportFormat::gltf: write_gltf(mesh, valid_mesh_name(split.name), file); break;
        default: throw InternalError("{} is no mesh", name_of(options.format));
    }
    return mesh.note();
}

}  // namespace

const char* name_of(ExportFormat format) {
    switch (format) {
        case ExportFormat::vtp: return "vtp";
        case ExportFormat::obj: return "obj";
        case ExportFormat::stl: return "stl";
        case ExportFormat::gltf: return "gltf";
        case ExportFormat::csv: return "csv";
        case ExportFormat::npz: return "npz";
    }
    throw InternalError("unknown export format {}", static_cast<int>(format));
}

ExportFormat parse_export_format(const std::string& name) {
    std::vector<const char*> known;
    for (const ExportFormat format : kFormats) {
        if (name == name_of(format)) return format;
        known.push_back(name_of(format));
    }
    throw InputError("there is no export format '{}'; expected one of {}", name, fmt::join(known, ", "));
}

std::string export_surface(const Surface& surface, const ExportOptions& options, const std::filesystem::path& file) {
    check_options(options);
    const std::vector<const SplitSurface*> splits = chosen_splits(surface, options.split);
    for (const SplitSurface* split : splits)
        check_complete(*split, surface.point_count());
    const ZScale scale{options.zmax, options.log};
    if (options.format == ExportFormat::csv) return write_csv(surface, splits, scale, file);
    if (options.format == ExportFormat::npz) return write_npz_table(surface, splits, scale, file);
    if (surface.is_line()) {
        throw InputError("{} needs a plane; this surface is a line, which csv and npz take", name_of(options.format));
    }
    return write_mesh(surface, *splits.front(), options, file);
}

std::string export_paths(const TrajectoryPlane& plane, const Surface& surface, const ExportOptions& options,
                         const std::filesystem::path& file) {
    check_options(options);
    if (options.format != ExportFormat::vtp)
        throw InputError("paths are written as vtp, not {}", name_of(options.format));
    const SplitSurface& split = *chosen_splits(surface, options.split).front();
    check_complete(split, surface.point_count());
    return write_path_vtp(plane, surface, split, {options.zmax, options.log}, file);
}

}  // namespace lossmap
