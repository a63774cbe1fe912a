// Writes the files that export_readers_test.py reads: a plane, one with gaps, a line, in each format.
#include <iostream>
#include <limits>

#include "output/export.hpp"
#include "tests/output/test_surfaces.hpp"

namespace {

void write_all(const lossmap::Surface& surface, const std::filesystem::path& folder, const std::string& name) {
    using lossmap::ExportFormat;
    for (const auto& [format, ending] :
         std::initializer_list<std::pair<ExportFormat, const char*>>{{ExportFormat::vtp, "vtp"},
                                                                     {ExportFormat::obj, "obj"},
                                                                     {ExportFormat::stl, "stl"},
                                                                     {ExportFormat::gltf, "gltf"},
                                                                     {ExportFormat::gltf, "glb"},
                                                                     {ExportFormat::csv, "csv"},
                                                                     {ExportFormat::npz, "npz"}}) {
        const bool table = format == ExportFormat::csv || format == ExportFormat::npz;
        if (surface.is_line() && !table) continue;
        lossmap::export_surface(surface, {.format = format, .zmax = {}, .log = false, .split = ""},
                                folder / (name + "." + ending));
        lossmap::export_surface(surface, {.format = format, .zmax = 5.0, .log = true, .split = "test"},
                                folder / (name + "-log." + ending));
    }
}

/// Two runs: one with evaluated losses, of which one is NaN, and the same without, which lies over the grid.
void write_paths(const lossmap::Surface& plane, const std::filesystem::path& folder) {
    using namespace lossmap;
    TrajectoryPath first;
    first.label = "first";
    first.x = {0.9, 0.5, 0.25, -0.125, 0.0};
    first.y = {0.75, 0.5, 0.5, 0.25, 0.0};
    first.distance = {0.5, std::numeric_limits<double>::quiet_NaN(), 0.25, 0.125, 0.0};
    first.epochs = {0, 5, 10, 15, 20};
    first.lr_drops = {2};
    TrajectoryPath second = first;
    second.label = "second";
    second.x[4] = 5.0;  // outside
    second.lr_drops.clear();
    TrajectoryPlane paths{{first, second}, {}, {}, ""};
    const auto file = [&](const char* name) { return folder / name; };
    export_paths(paths, plane, {.format = ExportFormat::vtp, .zmax = {}, .log = false, .split = ""},
                 file("grid_path.vtp"));
    for (TrajectoryPath& path : paths.runs) {
        path.losses = {{"train", {1, 2, 3, 4, 5}, {9, 8, std::numeric_limits<double>::quiet_NaN(), 6, 0.5}}};
        path.losses[0].checkpoint_loss[3] = std::numeric_limits<double>::infinity();
    }
    paths.runs[1].losses[0].plane_loss[1] = -1;
    export_paths(paths, plane, {.format = ExportFormat::vtp, .zmax = 7.0, .log = true, .split = "train"},
                 file("path.vtp"));
}

}  // namespace

int main(int argc, char** argv) {
    using namespace lossmap;
    if (argc != 2) {
        std::cerr << "usage: write_test_exports FOLDER\n";
        return 2;
    }
    try {
        Surface plane = test::surface_of(test::steps(-1, 1, 7), test::steps(0, 1, 5),
                                         [](double x, double y) { return 1 + x + 10 * y * y; });
        write_all(plane, argv[1], "plane");
        write_paths(plane, argv[1]);
        for (SplitSurface& split : plane.splits) {
            split.loss[8] = std::numeric_limits<double>::quiet_NaN();
            split.loss[20] = std::numeric_limits<double>::infinity();
            test::forget(split, 24);
        }
        write_all(plane, argv[1], "gaps");
        const Surface line = test::surface_of(test::steps(-1, 1, 9), {}, [](double x, double) { return x * x; });
        write_all(line, argv[1], "line");
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    return 0;
}
