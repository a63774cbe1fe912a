#include "cli/commands/run_files.hpp"

#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "cli/commands/companion_path.hpp"
#include "cli/run/repeat_outputs.hpp"
#include "core/error.hpp"
#include "landscape/surface_file.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

/// The run's own name, or else the folder's.
std::string title_of(const std::string& config, const fs::path& fallback) {
    const nlohmann::json parsed = nlohmann::json::parse(config, nullptr, false);
    if (parsed.is_object() && parsed.contains("name") && parsed["name"].is_string())
        return parsed["name"].get<std::string>();
    return fallback.filename().string();
}

void read_surfaces(const fs::path& file, StoredRun& run) {
    if (!holds_repetitions(file)) {
        run.surface = read_surface(file);
        return;
    }
    run.repeated = read_repeated_surface(file);
    run.surface = summary_surface(*run.repeated, true);
}

/// table.csv of a run that has no surface.
void read_models(const fs::path& file, StoredRun& run) {
    run.models = with_context(file.string(), [&] { return read_model_results(parse_csv(read_text(file)), run.title); });
}

}  // namespace

std::string read_text(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw InputError("{}: cannot be opened", file.string());
    return {std::istreambuf_iterator<char>(stream), {}};
}

StoredRun read_run(const fs::path& path) {
    StoredRun run;
    if (!fs::exists(path)) throw InputError("{}: no such file or folder", path.string());
    if (!fs::is_directory(path)) {
        run.folder = path.parent_path();
        read_surfaces(path, run);
        run.plane = companion_path(path, run.surface);
        run.title = title_of(run.surface.provenance, path.stem());
        run.resolved_config = run.surface.provenance;
        return run;
    }
    run.folder = path;
    run.is_run = true;
    const bool has_surface = fs::exists(path / "surface.h5");
    if (!has_surface && fs::exists(path / "sweep.json"))
        throw InputError("{}: is a sweep, name one of the runs in it", path.string());
    if (!has_surface && !fs::exists(path / "table.csv"))
        throw InputError("{}: holds neither surface.h5 nor table.csv", path.string());
    if (fs::exists(path / "config.resolved.json")) run.resolved_config = read_text(path / "config.resolved.json");
    const fs::path absolute = fs::absolute(path).lexically_normal();
    run.title = title_of(run.resolved_config, absolute.has_filename() ? absolute : absolute.parent_path());
    if (!has_surface) {
        read_models(path / "table.csv", run);
        return run;
    }
    read_surfaces(path / "surface.h5", run);
    if (fs::exists(path / "trajectory.h5")) run.plane = read_trajectory(path / "trajectory.h5");
    return run;
}

ReportRun page_of(const StoredRun& run) {
    if (run.models) return model_page(*run.models, run.resolved_config);
    if (run.repeated) return repeat_report(*run.repeated, run.title, run.resolved_config);
    return {run.title, run.surface, run.resolved_config, run.plane};
}

std::vector<PlotKind> StoredRun::kinds() const {
    if (models) return {PlotKind::line};
    if (repeated) return repeat_kinds(*repeated);
    std::vector<PlotKind> kinds = default_kinds(surface);
    if (plane) kinds.insert(kinds.begin(), PlotKind::trajectory);
    return kinds;
}

}  // namespace lossmap
