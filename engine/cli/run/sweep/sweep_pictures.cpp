#include "cli/run/sweep/sweep_pictures.hpp"

#include <algorithm>
#include <iterator>

#include "cli/run/run_directory.hpp"
#include "core/error.hpp"
#include "output/multiples.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostNaturalColumns = 8;

std::vector<const ReportRun*> pages_with(const std::vector<const ReportRun*>& pages, bool lines) {
    std::vector<const ReportRun*> result;
    std::copy_if(pages.begin(), pages.end(), std::back_inserter(result), [lines](const ReportRun* page) {
        return !page->surface.x.empty() && page->surface.is_line() == lines;
    });
    return result;
}

/// Kinds that every page allows.
std::vector<PlotKind> kinds_of(const std::vector<const ReportRun*>& pages) {
    const auto all = [&](const auto& holds) { return std::all_of(pages.begin(), pages.end(), holds); };
    if (pages.front()->surface.is_line()) return {PlotKind::line};
    std::vector<PlotKind> kinds;
    if (all([](const ReportRun* page) { return page->surface.x.size() > 1 && page->surface.y.size() > 1; })) {
        if (all([](const ReportRun* page) { return page->plane.has_value(); })) kinds.push_back(PlotKind::trajectory);
        kinds.insert(kinds.end(), {PlotKind::contour, PlotKind::filled});
    }
    kinds.push_back(PlotKind::heatmap);
    return kinds;
}

/// Splits that all pages have; "" where one picture shows all of them.
std::vector<std::string> splits_of(const std::vector<const ReportRun*>& pages, PlotKind kind) {
    if (kind == PlotKind::line) return {""};
    std::vector<std::string> splits;
    for (const SplitSurface& split : pages.front()->surface.splits) {
        const bool everywhere = std::all_of(pages.begin(), pages.end(), [&](const ReportRun* page) {
            return page->surface.find(split.name) != nullptr;
        });
        if (everywhere) splits.push_back(split.name);
    }
    return splits;
}

}  // namespace

std::vector<fs::path> draw_multiples_of(const Sweep& sweep, const std::vector<const ReportRun*>& pages,
                                        const SweepDrawing& drawing, RunLog& log) {
    std::vector<fs::path> files;
    MultiplesOptions options;
    options.plot = drawing.options;
    options.plot.title = sweep.name;
    const std::size_t last = sweep.axes.back().labels.size();
    const bool complete = pages.size() == sweep.combinations.size();
    if (complete && sweep.axes.size() > 1 && last <= kMostNaturalColumns) options.columns = last;
    for (const bool lines : {true, false}) {
        const std::vector<const ReportRun*> shown = pages_with(pages, lines);
        if (shown.empty()) continue;
        if (!drawing.folder.empty()) fs::create_directories(drawing.folder);
        for (const PlotKind kind : drawing.kinds.empty() ? kinds_of(shown) : drawing.kinds) {
            for (const std::string& split : splits_of(shown, kind)) {
                drawing.check();
                std::vector<MultiplesPanel> panels;
                for (const ReportRun* page : shown)
                    panels.push_back({page->title, &page->surface, split, page->plane ? &*page->plane : nullptr});
                options.plot.kind = kind;
                const std::string name = picture_name(split, name_of(kind), name_of(options.plot.format));
                const fs::path file = drawing.folder / (drawing.prefix + name);
                try {
                    draw_multiples(panels, options, file);
                    files.push_back(file);
                } catch (const InputError& error) {
                    log.warning(fmt::format("no picture {}: {}", file.filename().string(), error.what()));
                }
            }
        }
    }
    return files;
}

}  // namespace lossmap
