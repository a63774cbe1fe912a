#include "cli/run/prepared_run.hpp"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "cli/config/resolved_config.hpp"
#include "cli/run/backends.hpp"
#include "cli/run/experiments/experiment_steps.hpp"
#include "cli/run/path_points.hpp"
#include "cli/run/run_record.hpp"
#include "cli/run/takeover.hpp"
#include "io/hash.hpp"

namespace lossmap {
namespace {

constexpr std::int64_t kDefaultChunk = 1000;
constexpr double kMostChunkBytes = 256.0 * 1024 * 1024;
// About a second of a small machine's work: how long an interrupted run takes to stop, and what a crash can lose.
constexpr double kBlockMacs = 5e10;
constexpr std::int64_t kMostPointsPerBlock = 64;

/// Points a block (and a journal transaction); changes no result.
std::int64_t choose_block(const Executable& executable, std::int64_t chunk_samples) {
    const double macs =
        std::max(1.0, static_cast<double>(executable.macs_per_sample()) * static_cast<double>(chunk_samples));
    const std::int64_t work =
        std::clamp(static_cast<std::int64_t>(kBlockMacs / macs), std::int64_t{1}, kMostPointsPerBlock);
    // Whole passes, of which a device with two sets of weights wants two.
    const std::int64_t pass = executable.points_per_pass();
    return pass == 1 ? work : std::max<std::int64_t>((work + pass - 1) / pass, 2) * pass;
}

/// Splits whose samples were drawn at random have confidence intervals.
void note_draws(PreparedRun& run, RunLog& log) {
    std::vector<Surface*> surfaces{&run.surface};
    if (run.repeated) {
        for (Surface& repeat : run.repeated->repeats)
            surfaces.push_back(&repeat);
    }
    for (std::size_t k = 0; k < run.data.size(); ++k) {
        const auto drawn_from = run.data[k]->drawn_from();
        if (!drawn_from) continue;
        std::string note;
        for (Surface* surface : surfaces) {
            const auto split = std::find_if(surface->splits.begin(), surface->splits.end(),
                                            [&](const SplitSurface& s) { return s.name == run.config.splits[k]; });
            if (split == surface->splits.end()) continue;
            split->drawn = run.data[k]->size();
            split->drawn_from = *drawn_from;
            note = sampling_note(*split);
        }
        if (!note.empty())
            log.info(fmt::format("{}: {}; losses have 95 % confidence intervals", run.config.splits[k], note));
    }
}

/// What fast arithmetic costs is said before hours are spent on it.
void probe(PreparedRun& run, RunLog& log) {
    run.precision_error = probe_precision(*run.executable, run.points, *run.data.front());
    if (run.precision_error.points.empty()) return;
    const PrecisionRemark remark = remark_on(run.precision_error, run.config.precision, run.backend->name());
    if (remark.unexplained)
        log.warning(remark.text);
    else
        log.info(remark.text);
}

}  // namespace

std::int64_t choose_chunk(const Config& config, const std::vector<std::unique_ptr<Dataset>>& data) {
    std::int64_t longest = 1;
    double sample_bytes = 1.0;
    for (const auto& split : data) {
        // Of values, also where chunks hold bytes: a run on another backend has the same chunks.
        double bytes = 0.0;
        for (const FieldInfo& field : split->inputs())
            bytes += static_cast<double>(element_count(field.sample_shape)) * static_cast<double>(size_of(field.dtype));
        sample_bytes = std::max(sample_bytes, bytes);
        longest = std::max(longest, split->size());
    }
    if (config.data.chunk) return std::min(*config.data.chunk, longest);
    const auto fitting = static_cast<std::int64_t>(std::max(1.0, std::floor(kMostChunkBytes / sample_bytes)));
    return std::min({kDefaultChunk, fitting, longest});
}

std::string program_version() { return LOSSMAP_VERSION; }

std::int64_t PreparedRun::samples() const {
    std::int64_t samples = 0;
    for (const auto& split : data)
        samples += split->size();
    return samples;
}

void PreparedRun::collect() {
    if (results && repeated) repeated->take(*results);
    if (results && plane) take_path_results(*this);
}

std::int64_t PreparedRun::own_points() const {
    return static_cast<std::int64_t>(config.shard ? config.shard->size(points.size()) : points.size());
}

std::int64_t PreparedRun::estimations() const {
    if (!statistics) return 0;
    std::int64_t moved = 0;
    for (std::size_t k = 0; k < points.size(); ++k) {
        // A trajectory's checkpoints, points of one coordinate, have statistics of their own.
        if (points[k].coordinates.size() == axes.size() && (!config.shard || config.shard->has(k))) ++moved;
    }
    return moved * statistics->size();
}

PreparedRun prepare_run(const Config& config, int threads, RunLog& log, const std::atomic<bool>* stop,
                        std::string earlier_plan) {
    PreparedRun run;
    run.config = config;
    run.stop = stop;
    run.earlier_plan = std::move(earlier_plan);
    std::string explanation;
    run.backend = choose_backend(
        config.device, plan_cache_folder(config.plan_cache),
        [&log](const std::string& sentence) { log.warning(sentence); }, explanation);
    if (!explanation.empty()) log.info(explanation);
    for (const DeviceInfo& device : run.backend->devices())
        run.device += (run.device.empty() ? "" : "; ") + device.description;
    steps_of(config.experiment).prepare(run, threads, log);
    for (std::size_t k = 0; k < run.data.size(); ++k) {
        run.splits.push_back({config.splits[k], run.data[k].get()});
        log.info(fmt::format("{}: {}", config.splits[k], run.data[k]->describe()));
    }
    note_draws(run, log);
    run.chunk_samples = choose_chunk(config, run.data);
    if (run.executable && run.points_per_block == 0)
        run.points_per_block =
            choose_block(*run.executable, run.chunk_samples + (run.statistics ? run.statistics->size() : 0));
    if (run.executable) probe(run, log);
    Hasher data;
    for (std::size_t k = 0; k < run.data.size(); ++k)
        data.add_text(config.splits[k]).add_text(run.data[k]->content_hash());
    run.identity.set("data", data.hex());
    run.identity.set("loss", hash_text(resolved_loss(config.loss).dump()));
    if (!run.repeated) run.identity.set("directions", hash_directions(run.axes));
    run.identity.set("grid", hash_grid(run.config));
    run.identity.set("precision", hash_text(name_of(config.precision)));
    run.identity.set("chunking", hash_text(std::to_string(run.chunk_samples)));
    // Passes change the last bits of a loss: points of one surface must agree on them.
    run.identity.set("passes", hash_passes(config.passes));
    take_over_earlier(run, log);
    if (config.shard) {
        log.info(fmt::format("share {}: {} of {} points", config.shard->name(), run.own_points(), run.points.size()));
    }
    record(run, threads);
    return run;
}

}  // namespace lossmap
