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

}  // namespace

int export_command(const ExportArguments& arguments, std::ostream& out) {
    const StoredRun run = read_run(arguments.input);
    const fs::path file = arguments.out.empty() ? default_file(run, arguments) : arguments.out;
    if (file.has_parent_path()) fs::create_directories(file.parent_path());
    const std::string note =
        with_context(arguments.input.string(), [&] { return export_surface(run.surface, arguments.options, file); });
    if (!note.empty()) std::fprintf(stderr, "lossmap: %s: %s\n", file.string().c_str(), note.c_str());
    out << file.string() << '\n';
    return 0;
}

}  // namespace lossmap
