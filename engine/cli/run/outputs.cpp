#include "cli/run/outputs.hpp"

#include "core/error.hpp"
#include "io/atomic_file.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

bool draws_each_split(PlotKind kind) { return kind != PlotKind::line; }

}  // namespace

std::vector<fs::path> write_tables(const RunDirectory& directory, const Table& exact, const Table& brief) {
    write_file_atomically(directory / "table.csv", csv_text(exact));
    write_file_atomically(directory / "table.md", markdown_text(brief));
    write_file_atomically(directory / "table.tex", latex_text(brief));
    return {directory / "table.csv", directory / "table.md", directory / "table.tex"};
}

std::vector<fs::path> draw_figures(const std::vector<CurvesFigure>& figures, PlotFormat format, const fs::path& folder,
                                   const std::string& prefix, const std::function<void()>& check) {
    std::vector<fs::path> files;
    if (figures.empty()) return files;
    if (!folder.empty()) fs::create_directories(folder);
    for (const CurvesFigure& figure : figures) {
        check();
        files.push_back(folder / fmt::format("{}{}.{}", prefix, figure.name, name_of(format)));
        draw_curves(figure, format, files.back());
    }
    return files;
}

std::vector<fs::path> draw_pictures(const Surface& surface, const std::vector<PlotKind>& kinds,
                                    const PlotOptions& options, const fs::path& folder, const std::string& prefix,
                                    RunLog& log, const std::function<void()>& check) {
    std::vector<fs::path> files;
    for (const PlotKind kind : kinds) {
        std::vector<std::string> splits;
        for (const SplitSurface& split : surface.splits)
            splits.push_back(split.name);
        if (!draws_each_split(kind)) splits.resize(1);
        for (const std::string& split : splits) {
            check();
            PlotOptions one = options;
            one.kind = kind;
            one.split = draws_each_split(kind) ? split : "";
            const fs::path file = folder / (prefix + picture_name(split, name_of(kind), name_of(options.format)));
            try {
                draw_plot(surface, one, file);
                files.push_back(file);
            } catch (const InputError& error) {
                log.warning(fmt::format("no picture {}: {}", file.filename().string(), error.what()));
            }
        }
    }
    return files;
}

}  // namespace lossmap
