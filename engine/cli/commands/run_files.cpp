#include "cli/commands/run_files.hpp"

#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "landscape/surface_file.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw InputError("{}: cannot be opened", file.string());
    return {std::istreambuf_iterator<char>(stream), {}};
}

/// The run's own name, or else the folder's.
std::string title_of(const std::string& config, const fs::path& fallback) {
    const nlohmann::json parsed = nlohmann::json::parse(config, nullptr, false);
    if (parsed.is_object() && parsed.contains("name") && parsed["name"].is_string())
        return parsed["name"].get<std::string>();
    return fallback.filename().string();
}

}  // namespace

StoredRun read_run(const fs::path& path) {
    StoredRun run;
    if (!fs::exists(path)) throw InputError("{}: no such file or folder", path.string());
    if (!fs::is_directory(path)) {
        run.folder = path.parent_path();
        run.surface = read_surface(path);
        run.title = title_of(run.surface.provenance, path.stem());
        run.resolved_config = run.surface.provenance;
        return run;
    }
    run.folder = path;
    run.is_run = true;
    if (!fs::exists(path / "surface.h5")) {
        if (fs::exists(path / "table.csv")) {
            throw InputError("{}: is a run of experiment 'evaluate', whose result is {}; there is no surface",
                             path.string(), (path / "table.csv").string());
        }
        throw InputError("{}: holds no surface.h5", path.string());
    }
    run.surface = read_surface(path / "surface.h5");
    if (fs::exists(path / "trajectory.h5")) run.plane = read_trajectory(path / "trajectory.h5");
    if (fs::exists(path / "config.resolved.json")) run.resolved_config = read_text(path / "config.resolved.json");
    const fs::path absolute = fs::absolute(path).lexically_normal();
    run.title = title_of(run.resolved_config, absolute.has_filename() ? absolute : absolute.parent_path());
    return run;
}

std::vector<PlotKind> StoredRun::kinds() const {
    std::vector<PlotKind> kinds = default_kinds(surface);
    if (plane) kinds.insert(kinds.begin(), PlotKind::trajectory);
    return kinds;
}

}  // namespace lossmap
