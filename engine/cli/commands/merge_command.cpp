#include <algorithm>
#include <ostream>

#include <nlohmann/json.hpp>

#include "cli/commands/commands.hpp"
#include "cli/commands/stored_sweep.hpp"
#include "cli/config/json_document.hpp"
#include "cli/merge/merge_runs.hpp"
#include "cli/run/sweep/execute_sweep.hpp"
#include "cli/run/sweep/sweep_files.hpp"
#include "core/error.hpp"
#include "io/atomic_file.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

/// Throws InputError when two folders hold sweeps over other combinations.
void require_one_sweep(const fs::path& first, const fs::path& other) {
    if (read_json(first / kSweepFile) == read_json(other / kSweepFile)) return;
    throw InputError("'{}' and '{}' are sweeps over other combinations: they cannot be merged", first.string(),
                     other.string());
}

/// Only an earlier merge or run of the same sweep is gone on with.
void require_mergeable(const fs::path& out, const fs::path& sweep) {
    if (!fs::exists(out)) return;
    if (!fs::is_directory(out)) throw InputError("'{}' is no folder: choose another --out", out.string());
    if (is_sweep(out)) return require_one_sweep(sweep, out);
    if (!fs::is_empty(out))
        throw InputError("'{}' is not empty and holds no sweep of lossmap: choose another --out", out.string());
}

/// The folders of one combination that have something.
std::vector<fs::path> parts_of(const std::vector<fs::path>& sweeps, const fs::path& combination) {
    std::vector<fs::path> parts;
    for (const fs::path& sweep : sweeps) {
        if (fs::exists(sweep / combination / "journal.sqlite")) parts.push_back(sweep / combination);
    }
    return parts;
}

/// Folder by folder, then what stands over all of them.
std::vector<fs::path> merge_sweeps(const std::vector<fs::path>& sweeps, const fs::path& out) {
    for (const fs::path& sweep : sweeps) {
        if (!is_sweep(sweep))
            throw InputError("'{}' is a sweep, '{}' is none", sweeps.front().string(), sweep.string());
        require_one_sweep(sweeps.front(), sweep);
    }
    require_mergeable(out, sweeps.front());
    const Sweep list = read_sweep_list(sweeps.front());
    std::vector<fs::path> files;
    fs::create_directories(out);
    write_file_atomically(out / kSweepFile, read_json(sweeps.front() / kSweepFile).dump(2) + "\n");
    for (const Combination& one : list.combinations) {
        const std::vector<fs::path> parts = parts_of(sweeps, one.folder);
        if (parts.empty()) continue;  // said below
        RunLog log("info");
        const std::vector<fs::path> merged = merge_runs(parts, out / one.folder, log);
        files.insert(files.end(), merged.begin(), merged.end());
        const std::vector<fs::path> origins = parts_of(sweeps, fs::path(one.folder) / kOriginFolder);
        if (!origins.empty()) copy_evaluation(origins.front(), out / one.folder / kOriginFolder);
    }
    RunLog log("info");
    const StoredSweep stored = read_sweep(out, log);
    const std::vector<fs::path> over_all = write_sweep_files(stored.results, out, log, [] {});
    files.insert(files.end(), over_all.begin(), over_all.end());
    return files;
}

}  // namespace

int merge_command(const MergeArguments& arguments, std::ostream& out) {
    std::vector<fs::path> files;
    if (std::any_of(arguments.runs.begin(), arguments.runs.end(), is_sweep)) {
        const auto first = std::find_if(arguments.runs.begin(), arguments.runs.end(), is_sweep);
        std::vector<fs::path> sweeps{*first};
        std::copy_if(arguments.runs.begin(), arguments.runs.end(), std::back_inserter(sweeps),
                     [&](const fs::path& run) { return run != *first; });
        files = merge_sweeps(sweeps, arguments.out);
    } else {
        RunLog log("info");
        files = merge_runs(arguments.runs, arguments.out, log);
    }
    for (const fs::path& file : files)
        out << file.string() << '\n';
    return 0;
}

}  // namespace lossmap
