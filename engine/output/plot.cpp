#include "output/plot.hpp"

#include "core/error.hpp"
#include "io/atomic_file.hpp"
#include "output/gnuplot.hpp"
#include "output/picture.hpp"

namespace lossmap {

const char* name_of(PlotKind kind) {
    switch (kind) {
        case PlotKind::line: return "line";
        case PlotKind::contour: return "contour";
        case PlotKind::filled: return "filled";
        case PlotKind::heatmap: return "heatmap";
        case PlotKind::surface3d: return "surface3d";
        case PlotKind::trajectory: return "trajectory";
    }
    throw InternalError("unknown plot kind {}", static_cast<int>(kind));
}

const char* name_of(PlotFormat format) {
    switch (format) {
        case PlotFormat::svg: return "svg";
        case PlotFormat::png: return "png";
        case PlotFormat::pdf: return "pdf";
    }
    throw InternalError("unknown plot format {}", static_cast<int>(format));
}

const SplitSurface& chosen_split(const Surface& surface, const std::string& name) {
    if (surface.splits.empty()) throw InputError("the surface holds no split to draw");
    if (name.empty()) return surface.splits.front();
    std::string known;
    for (const SplitSurface& split : surface.splits) {
        if (split.name == name) return split;
        known += (known.empty() ? "" : ", ") + split.name;
    }
    throw InputError("the surface has no split '{}'; it has {}", name, known);
}

void check_kind(const Surface& surface, PlotKind kind) {
    if (kind == PlotKind::line) {
        if (surface.is_line()) return;
        throw InputError("a line picture needs a line; this surface is a plane of {} x {} points", surface.x.size(),
                         surface.y.size());
    }
    if (surface.is_line()) throw InputError("a {} picture needs a plane; this surface is a line", name_of(kind));
    if (kind != PlotKind::heatmap && (surface.x.size() < 2 || surface.y.size() < 2)) {
        throw InputError("a {} picture needs at least two points along each axis; this surface has {} x {}",
                         name_of(kind), surface.x.size(), surface.y.size());
    }
}

std::string picture_script(const Surface& surface, const PlotOptions& options) {
    check_kind(surface, options.kind);
    if (options.kind == PlotKind::line) return line_script(surface, options);
    const SplitSurface& split = chosen_split(surface, options.split);
    if (options.kind == PlotKind::heatmap) return heatmap_script(surface, split, options);
    if (options.kind == PlotKind::trajectory && !options.plane) {
        throw InputError("a trajectory picture needs a path, which a run of experiment 'trajectory' has");
    }
    return options.kind == PlotKind::surface3d ? relief_script(surface, split, options)
                                               : contour_script(surface, split, options);
}

void draw_plot(const Surface& surface, const PlotOptions& options, const std::filesystem::path& file) {
    const std::string script = picture_script(surface, options);
    const std::string picture =
        with_context(fmt::format("cannot draw {}", file.string()), [&] { return run_gnuplot(script); });
    write_file_atomically(file, picture);
}

std::vector<PlotKind> default_kinds(const Surface& surface) {
    if (surface.is_line()) return {PlotKind::line};
    if (surface.x.size() < 2 || surface.y.size() < 2) return {PlotKind::heatmap};
    return {PlotKind::contour, PlotKind::filled, PlotKind::heatmap, PlotKind::surface3d};
}

}  // namespace lossmap
