#include "cli/commands/stored_sweep.hpp"

#include <algorithm>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/commands/run_files.hpp"
#include "cli/run/sweep/execute_sweep.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// What the grid tells of the origin, and what an evaluation of its own does.
std::vector<OriginResult> read_origin(const StoredRun& run) {
    const Surface& grid = run.repeated ? run.repeated->repeats.front() : run.surface;
    std::vector<OriginResult> results = origin_on_grid(grid);
    const fs::path origin = run.folder / kOriginFolder;
    if (!fs::exists(origin / "table.csv")) return results;
    for (OriginResult& result : results_at(read_run(origin).models.value().surface, 0)) {
        const bool known = std::any_of(results.begin(), results.end(),
                                       [&](const OriginResult& one) { return one.split == result.split; });
        if (!known) results.push_back(std::move(result));
    }
    return results;
}

CombinationResult read_combination(const fs::path& folder, std::size_t index) {
    const StoredRun run = read_run(folder);
    CombinationResult result;
    result.combination = index;
    result.page = page_of(run);
    result.models = run.models;
    if (run.models) return result;
    result.origin = read_origin(run);
    if (run.repeated && run.repeated->repeats.front().is_line()) result.repeats = run.repeated;
    return result;
}

}  // namespace

bool is_sweep(const fs::path& path) { return fs::is_directory(path) && fs::exists(path / kSweepFile); }

Sweep read_sweep_list(const fs::path& folder) {
    const fs::path file = folder / kSweepFile;
    Sweep sweep;
    sweep.file = file;
    try {
        const Json list = Json::parse(read_text(file));
        sweep.name = list.at("name").get<std::string>();
        for (const Json& axis : list.at("axes")) {
            sweep.axes.push_back(
                {{}, axis.at("name").get<std::string>(), axis.at("labels").get<std::vector<std::string>>()});
        }
        for (const Json& one : list.at("combinations")) {
            Combination combination;
            combination.labels = one.at("labels").get<std::vector<std::string>>();
            combination.folder = one.at("folder").get<std::string>();
            combination.title = fmt::format("{}", fmt::join(combination.labels, ", "));
            sweep.combinations.push_back(std::move(combination));
        }
    } catch (const Json::exception&) {
        throw InputError("{}: is no list of a sweep's combinations", file.string());
    }
    const auto fits = [&](const Combination& one) {
        const fs::path name(one.folder);
        return one.labels.size() == sweep.axes.size() && !one.folder.empty() && name == name.filename() &&
               one.folder != "..";
    };
    if (sweep.axes.empty() || !std::all_of(sweep.combinations.begin(), sweep.combinations.end(), fits))
        throw InputError("{}: is no list of a sweep's combinations", file.string());
    return sweep;
}

StoredSweep read_sweep(const fs::path& folder, RunLog& log) {
    auto sweep = std::make_unique<const Sweep>(read_sweep_list(folder));
    SweepResults results(*sweep);
    for (std::size_t k = 0; k < sweep->combinations.size(); ++k) {
        const fs::path run = folder / sweep->combinations[k].folder;
        if (fs::exists(run / "surface.h5") || fs::exists(run / "table.csv")) {
            results.add(read_combination(run, k));
        } else {
            log.warning(fmt::format("{}: no results yet", run.string()));
        }
    }
    if (results.empty()) throw InputError("{}: no combination of this sweep has results", folder.string());
    return {std::move(sweep), std::move(results)};
}

}  // namespace lossmap
