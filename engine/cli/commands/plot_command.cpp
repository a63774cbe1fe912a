#include <optional>
#include <ostream>

#include "cli/commands/commands.hpp"
#include "cli/commands/run_files.hpp"
#include "cli/commands/stored_sweep.hpp"
#include "cli/run/outputs.hpp"
#include "cli/run/repeat_outputs.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

/// Where the pictures of an input go: folder and a prefix of their names.
struct Target {
    fs::path folder;
    std::string prefix;
};

/// `is_run`: a folder, which has plots/ of its own.
Target target_of(const fs::path& input, bool is_run, const fs::path& folder, const PlotArguments& arguments) {
    const fs::path absolute = fs::absolute(input).lexically_normal();
    const fs::path named = absolute.has_filename() ? absolute : absolute.parent_path();
    const std::string name = is_run ? named.filename().string() : named.stem().string();
    if (!arguments.out.empty()) return {arguments.out, name + "_"};
    if (is_run) return {folder / "plots", ""};
    return {folder, name + "_"};
}

/// `--out picture.pdf` names one picture.
bool names_a_file(const PlotArguments& arguments) {
    return arguments.out.extension() == std::string(".") + name_of(arguments.options.format);
}

/// Curves have one form.
void require_curves(const std::vector<PlotKind>& kinds, const PlotOptions& options) {
    for (const PlotKind kind : kinds) {
        if (kind != PlotKind::line) throw InputError("curves of models are drawn as line, not {}", name_of(kind));
    }
    if (options.log) throw InputError("curves of models are drawn over a linear axis, without --log");
}

std::vector<CurvesFigure> curves_of(const StoredRun& run, const fs::path& input) {
    std::vector<CurvesFigure> figures = figures_of(*run.models);
    if (figures.empty())
        throw InputError("{}: models that are no training run in order have a table and no curves", input.string());
    return figures;
}

void draw_one(const StoredRun& run, const fs::path& input, const std::vector<PlotKind>& kinds,
              const PlotArguments& arguments, std::ostream& out) {
    if (kinds.size() != 1) throw InputError("--out {} names one picture: choose its --kind", arguments.out.string());
    PlotOptions options = arguments.options;
    options.kind = kinds.front();
    options.title = run.title;
    options.plane = run.plane;
    if (arguments.out.has_parent_path()) fs::create_directories(arguments.out.parent_path());
    if (run.models) {
        draw_curves(curves_of(run, input).front(), options.format, arguments.out);
    } else if (run.repeated) {
        draw_repeat(*run.repeated, 0, options, arguments.out);
    } else {
        draw_plot(run.surface, options, arguments.out);
    }
    out << arguments.out.string() << '\n';
}

/// All pictures of a run.
std::vector<fs::path> draw_run(const StoredRun& run, const fs::path& input, const std::vector<PlotKind>& kinds,
                               const PlotArguments& arguments, RunLog& log) {
    const Target target = target_of(input, run.is_run, run.folder, arguments);
    if (!target.folder.empty()) fs::create_directories(target.folder);
    PlotOptions options = arguments.options;
    options.title = run.title;
    options.plane = run.plane;
    if (run.models) return draw_figures(curves_of(run, input), options.format, target.folder, target.prefix, [] {});
    if (run.repeated) return draw_repeats(*run.repeated, kinds, options, target.folder, target.prefix, log, [] {});
    return draw_pictures(run.surface, kinds, options, target.folder, target.prefix, log, [] {});
}

std::vector<fs::path> draw_sweep(const StoredSweep& sweep, const fs::path& input, const PlotArguments& arguments,
                                 RunLog& log) {
    if (names_a_file(arguments)) {
        throw InputError("{}: is a sweep, of which there are several pictures: --out names their folder",
                         input.string());
    }
    const Target target = target_of(input, true, input, arguments);
    const SweepDrawing drawing{arguments.kinds, arguments.options, target.folder, target.prefix, [] {}};
    return sweep.results.draw(drawing, log);
}

}  // namespace

int plot_command(const PlotArguments& arguments, std::ostream& out) {
    if (names_a_file(arguments) && arguments.inputs.size() > 1) {
        throw InputError("--out {} names one picture, {} runs are given", arguments.out.string(),
                         arguments.inputs.size());
    }
    struct Stored {
        std::optional<StoredSweep> sweep;
        std::optional<StoredRun> run;
    };
    RunLog log("info");
    std::vector<Stored> all;  // read before anything is drawn
    for (const fs::path& input : arguments.inputs) {
        Stored& one = all.emplace_back();
        if (is_sweep(input)) {
            one.sweep.emplace(read_sweep(input, log));
        } else {
            one.run = read_run(input);
        }
    }
    for (std::size_t k = 0; k < all.size(); ++k) {
        const fs::path& input = arguments.inputs[k];
        std::vector<fs::path> files;
        if (all[k].sweep) {
            files = draw_sweep(*all[k].sweep, input, arguments, log);
        } else {
            const StoredRun& run = *all[k].run;
            const std::vector<PlotKind> kinds = arguments.kinds.empty() ? run.kinds() : arguments.kinds;
            if (run.models) with_context(input.string(), [&] { require_curves(kinds, arguments.options); });
            if (names_a_file(arguments)) {
                draw_one(run, input, kinds, arguments, out);
                continue;
            }
            files = draw_run(run, input, kinds, arguments, log);
        }
        for (const fs::path& file : files)
            out << file.string() << '\n';
        if (files.empty()) throw InputError("{}: there is nothing to draw", input.string());
    }
    return 0;
}

}  // namespace lossmap
