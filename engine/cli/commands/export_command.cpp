#include <cstdio>
#include <ostream>

#include "cli/commands/commands.hpp"
#include "cli/commands/run_files.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

/// RUN/surface.FORMAT, or FILE.FORMAT beside FILE.h5.
fs::path default_file(const StoredRun& run, const ExportArguments& arguments) {
    const std::string stem = run.is_run ? "surface" : arguments.input.stem().string();
    return run.folder / (stem + "." + name_of(arguments.options.format));
}

/// A mesh holds one split; of repetitions it must not pass for one of them.
std::string repeat_note(const StoredRun& run, const ExportOptions& options) {
    const bool table = options.format == ExportFormat::csv || options.format == ExportFormat::npz;
    if (!run.repeated || table || !options.split.empty()) return {};
    std::vector<std::string> others;
    for (std::size_t k = 1; k < run.surface.splits.size(); ++k)
        others.push_back(run.surface.splits[k].name);
    return fmt::format("{}, of {} repetitions; --split takes {}", run.surface.splits.front().name,
                       run.repeated->seeds.size(), fmt::join(others, ", "));
}

/// Beside the mesh, as FILE_path.vtp.
void write_paths(const StoredRun& run, const ExportArguments& arguments, const fs::path& mesh, std::ostream& out) {
    const fs::path file = mesh.parent_path() / (mesh.stem().string() + "_path" + mesh.extension().string());
    const std::string note = with_context(
        arguments.input.string(), [&] { return export_paths(*run.plane, run.surface, arguments.options, file); });
    if (!note.empty()) std::fprintf(stderr, "lossmap: %s: %s\n", file.string().c_str(), note.c_str());
    out << file.string() << '\n';
}

}  // namespace

int export_command(const ExportArguments& arguments, std::ostream& out) {
    const StoredRun run = read_run(arguments.input);
    if (run.models) {
        throw InputError("{}: is a run of models, whose result is {}; there is no surface to export",
                         arguments.input.string(), (run.folder / "table.csv").string());
    }
    const fs::path file = arguments.out.empty() ? default_file(run, arguments) : arguments.out;
    if (file.has_parent_path()) fs::create_directories(file.parent_path());
    const std::string note =
        with_context(arguments.input.string(), [&] { return export_surface(run.surface, arguments.options, file); });
    if (!note.empty()) std::fprintf(stderr, "lossmap: %s: %s\n", file.string().c_str(), note.c_str());
    const std::string which = repeat_note(run, arguments.options);
    if (!which.empty()) std::fprintf(stderr, "lossmap: %s: %s\n", file.string().c_str(), which.c_str());
    out << file.string() << '\n';
    if (run.plane && arguments.options.format == ExportFormat::vtp) write_paths(run, arguments, file, out);
    return 0;
}

}  // namespace lossmap
