#include <ostream>

#include "cli/commands/commands.hpp"
#include "cli/commands/run_files.hpp"
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

Target target_of(const StoredRun& run, const fs::path& input, const PlotArguments& arguments) {
    const fs::path absolute = fs::absolute(input).lexically_normal();
    const fs::path named = absolute.has_filename() ? absolute : absolute.parent_path();
    const std::string name = run.is_run ? named.filename().string() : named.stem().string();
    if (!arguments.out.empty()) return {arguments.out, name + "_"};
    if (run.is_run) return {run.folder / "plots", ""};
    return {run.folder, name + "_"};
}

/// `--out picture.pdf` names one picture.
bool names_a_file(const PlotArguments& arguments) {
    return arguments.out.extension() == std::string(".") + name_of(arguments.options.format);
}

void draw_one(const StoredRun& run, const std::vector<PlotKind>& kinds, const PlotArguments& arguments,
              std::ostream& out) {
    if (kinds.size() != 1) throw InputError("--out {} names one picture: choose its --kind", arguments.out.string());
    PlotOptions options = arguments.options;
    options.kind = kinds.front();
    options.title = run.title;
    options.plane = run.plane;
    if (arguments.out.has_parent_path()) fs::create_directories(arguments.out.parent_path());
    if (run.repeated) {
        draw_repeat(*run.repeated, 0, options, arguments.out);
    } else {
        draw_plot(run.surface, options, arguments.out);
    }
    out << arguments.out.string() << '\n';
}

}  // namespace

int plot_command(const PlotArguments& arguments, std::ostream& out) {
    if (names_a_file(arguments) && arguments.inputs.size() > 1) {
        throw InputError("--out {} names one picture, {} runs are given", arguments.out.string(),
                         arguments.inputs.size());
    }
    std::vector<StoredRun> runs;
    for (const fs::path& input : arguments.inputs)
        runs.push_back(read_run(input));
    RunLog log("info");
    for (std::size_t k = 0; k < runs.size(); ++k) {
        const StoredRun& run = runs[k];
        const std::vector<PlotKind> kinds = arguments.kinds.empty() ? run.kinds() : arguments.kinds;
        if (names_a_file(arguments)) {
            draw_one(run, kinds, arguments, out);
            continue;
        }
        const Target target = target_of(run, arguments.inputs[k], arguments);
        if (!target.folder.empty()) fs::create_directories(target.folder);
        PlotOptions options = arguments.options;
        options.title = run.title;
        options.plane = run.plane;
        const auto files = run.repeated
                               ? draw_repeats(*run.repeated, kinds, options, target.folder, target.prefix, log, [] {})
                               : draw_pictures(run.surface, kinds, options, target.folder, target.prefix, log, [] {});
        for (const fs::path& file : files)
            out << file.string() << '\n';
        if (files.empty()) throw InputError("{}: there is nothing to draw", arguments.inputs[k].string());
    }
    return 0;
}

}  // namespace lossmap
