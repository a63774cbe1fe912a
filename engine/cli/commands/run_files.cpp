#include "cli/commands/run_files.hpp"

#include <fstream>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "cli/commands/companion_path.hpp"
#include "cli/run/repeat_outputs.hpp"
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

void read_surfaces(const fs::path& file, StoredRun& run) {
    if (!holds_repetitions(file)) {
        run.surface = read_surface(file);
        return;
    }
    run.repeated = read_repeated_surface(file);
    run.surface = summary_surface(*run.repeated, true);
}

}  // namespace

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
    if (!fs::exists(path / "surface.h5")) {
        if (fs::exists(path / "table.csv")) {
            throw InputError("{}: is a run of experiment 'evaluate', whose result is {}; there is no surface",
                             path.string(), (path / "table.csv").string());
        }
        throw InputError("{}: holds no surface.h5", path.string());
    }
    read_surfaces(path / "surface.h5", run);
    if (fs::exists(path / "trajectory.h5")) run.plane = read_trajectory(path / "trajectory.h5");
    if (fs::exists(path / "config.resolved.json")) run.resolved_config = read_text(path / "config.resolved.json");
    const fs::path absolute = fs::absolute(path).lexically_normal();
    run.title = title_of(run.resolved_config, absolute.has_filename() ? absolute : absolute.parent_path());
    return run;
}

std::vector<std::vector<std::string>> parse_csv(const std::string& text) {
    std::vector<std::vector<std::string>> rows;
    std::vector<std::string> row;
    std::string cell;
    bool quoted = false;
    const auto end_row = [&] {
        row.push_back(std::exchange(cell, {}));
        if (!rows.empty() && row.size() != rows.front().size()) {
            throw InputError("line {} has {} cells, the first one has {}", rows.size() + 1, row.size(),
                             rows.front().size());
        }
        rows.push_back(std::exchange(row, {}));
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c != '"') {
                cell += c;
            } else if (i + 1 < text.size() && text[i + 1] == '"') {
                cell += text[++i];
            } else {
                quoted = false;
            }
        } else if (c == '"') {
            quoted = true;
        } else if (c == ',') {
            row.push_back(std::exchange(cell, {}));
        } else if (c == '\n') {
            end_row();
        } else if (c != '\r') {
            cell += c;
        }
    }
    if (quoted) throw InputError("a quote is not closed");
    if (!cell.empty() || !row.empty()) end_row();
    return rows;
}

ReportRun read_report_run(const fs::path& path) {
    const fs::path table = path / "table.csv";
    if (!fs::is_directory(path) || fs::exists(path / "surface.h5") || !fs::exists(table)) {
        StoredRun run = read_run(path);
        if (run.repeated) return repeat_report(*run.repeated, run.title, run.resolved_config);
        return {run.title, std::move(run.surface), std::move(run.resolved_config), std::move(run.plane)};
    }
    std::vector<std::vector<std::string>> rows =
        with_context(table.string(), [&] { return parse_csv(read_text(table)); });
    if (rows.empty()) throw InputError("{}: is empty", table.string());
    ReportRun run;
    const fs::path config = path / "config.resolved.json";
    if (fs::exists(config)) run.resolved_config = read_text(config);
    run.title = title_of(run.resolved_config, fs::absolute(path / ".").lexically_normal().parent_path());
    run.tables.push_back({"Results", rows.front(), {rows.begin() + 1, rows.end()}});
    return run;
}

std::vector<PlotKind> StoredRun::kinds() const {
    if (repeated) return repeat_kinds(*repeated);
    std::vector<PlotKind> kinds = default_kinds(surface);
    if (plane) kinds.insert(kinds.begin(), PlotKind::trajectory);
    return kinds;
}

}  // namespace lossmap
