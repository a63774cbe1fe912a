#include "cli/run/execute_run.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <utility>

#include "backend/ranked_executable.hpp"
#include "cli/run/experiments/experiment_steps.hpp"
#include "cli/run/point_rounds.hpp"
#include "core/error.hpp"
#include "io/atomic_file.hpp"
#include "output/report.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kSaveInterval{30};

class Execution {
public:
    Execution(PreparedRun& run, const RunDirectory& directory, ProgressDisplay& progress,
              const InterruptGuard& interrupt, RunLog& log, RunRanks* ranks)
        : run_(run),
          steps_(steps_of(run.config.experiment)),
          directory_(directory),
          progress_(progress),
          interrupt_(interrupt),
          log_(log),
          ranks_(ranks) {}

    std::vector<fs::path> execute(bool fresh) {
        std::unique_ptr<Journal> journal;
        try {
            in_step(ranks_, [&] {
                if (!has_folder(ranks_)) return;
                journal = directory_.open(run_.identity, fresh);
                log_.open_file(directory_ / "log.txt");
                start(*journal);
            });
            in_step(ranks_, [&] { compute(journal.get()); });
            in_step(ranks_, [&] {
                if (has_folder(ranks_)) finish();
            });
        } catch (const Error& error) {
            log_.record_error(error.what());
            throw;
        }
        return files_;
    }

private:
    void start(Journal& journal) {
        log_.info(
            fmt::format("lossmap {}, run {} in {}", program_version(), run_.config.name, directory_.path().string()));
        if (run_.executable) note_plan(journal);
        take_over_units(journal);
        write_file_atomically(directory_ / "config.resolved.json", run_.resolved + "\n");
        files_.push_back(directory_ / "config.resolved.json");
        add_files(steps_.write_first(run_, directory_));
    }

    void note_plan(Journal& journal) {
        const std::string plan = run_.executable->plan_json();
        const std::string earlier = journal.note(kPlanNote);
        if (!earlier.empty() && earlier != plan) {
            log_.warning(
                "the earlier part of this run was computed with another plan (other processor, library or "
                "version): points may differ in the last digits");
        }
        journal.set_note(kPlanNote, plan);
    }

    /// Once: afterwards they are the journal's own.
    void take_over_units(Journal& journal) {
        if (run_.taken_units.empty() || !journal.note(kGrownNote).empty()) return;
        journal.append(run_.taken_units);
        journal.set_note(kGrownNote, run_.config.grow_from->string());
    }

    void compute(Journal* journal) {
        if (!run_.executable) {
            save();
            return;
        }
        SchedulerOptions options;
        options.chunk_samples = run_.chunk_samples;
        options.points_per_block = run_.points_per_block;
        options.points_per_group = run_.points_per_group;
        options.shard = run_.config.shard;
        options.stop = &interrupt_.flag();
        std::optional<RankedExecutable> ranked;
        if (ranks_ != nullptr) {
            options.known = ranks_->known_elsewhere(journal);
            ranked.emplace(ranks_->agreement(), *run_.executable);
            options.points_per_block *= ranks_->size();
            options.stop = &ranks_->agreement().stop();
        }
        options.on_progress = [this](const RunProgress& progress) { take_progress(progress); };
        options.on_block = [this](const Surface&) { save_now_and_then(); };
        PointRounds rounds(run_);
        if (run_.config.refine || !run_.checked.empty()) {
            options.next_points = [&](const Surface& results) {
                std::vector<std::size_t> points = rounds.next(results);
                if (rounds.has_coarse_grid() && !points.empty() && latest_.finished_evaluations > 0) preview();
                return points;
            };
        }
        last_saved_ = Clock::now();
        try {
            Surface& results = run_.results ? *run_.results : run_.surface;
            run_schedule(ranked ? *ranked : *run_.executable, run_.points, run_.splits, journal, options, results);
        } catch (const Interrupted&) {
            progress_.finish();
            save();
            throw;
        }
        progress_.finish();
        log_.info(fmt::format("{} evaluations in {}", latest_.finished_evaluations,
                              format_duration(latest_.elapsed_seconds)));
        save();
    }

    void take_progress(const RunProgress& progress) {
        if (!started_ && progress.resumed_units > 0) {
            log_.info(fmt::format("going on: {} of {} units are in the journal", progress.resumed_units,
                                  progress.total_units));
        }
        started_ = true;
        latest_ = progress;
        progress_.update(progress);
    }

    void save_now_and_then() {
        if (Clock::now() - last_saved_ < kSaveInterval) return;
        save();
        last_saved_ = Clock::now();
    }

    void save() {
        if (!has_folder(ranks_)) return;
        run_.collect();
        if (run_.config.refine) interpolate_missing(run_.surface, run_.config.refine->initial);
        number_files_ = steps_.write_numbers(run_, directory_);
    }

    /// The coarse grid with everything else interpolated, as soon as it is there.
    void preview() {
        if (!has_folder(ranks_)) return;
        save();
        last_saved_ = Clock::now();
        std::vector<fs::path> pictures;
        const std::string failure =
            attempt([&] { pictures = steps_.preview(run_, directory_, log_, [this] { interrupt_.check(); }); });
        if (!failure.empty()) log_.warning("no preview: " + failure);
        for (const fs::path& picture : pictures)
            log_.info(fmt::format("preview: {}", picture.string()));
    }

    void add_files(const std::vector<fs::path>& files) { files_.insert(files_.end(), files.begin(), files.end()); }

    /// Pictures and page come from what is in memory, which is what the files hold.
    void finish() {
        add_files(number_files_);
        for (const SplitSurface& split : (run_.repeated ? run_.computed() : run_.surface).splits) {
            const auto bad =
                std::count_if(split.loss.begin(), split.loss.end(), [](double loss) { return !std::isfinite(loss); });
            if (bad > 0)
                log_.warning(
                    fmt::format("{}: the loss of {} of {} points is not finite", split.name, bad, split.loss.size()));
        }
        note_interpolated();
        std::string failure =
            attempt([this] { add_files(steps_.draw(run_, directory_, log_, [this] { interrupt_.check(); })); });
        const std::string report_failure = attempt([this] { write_page(); });
        if (failure.empty()) failure = report_failure;
        if (!failure.empty() && !run_.config.shard) throw Error("all numbers are computed and saved, but {}", failure);
        // Jobs that wait for all shares of an array need the numbers; merging draws where gnuplot is.
        if (!failure.empty()) log_.warning("no pictures of the share: " + failure);
        note_share();
    }

    void note_share() {
        if (!run_.config.shard) return;
        const Shard& shard = *run_.config.shard;
        const std::vector<SplitSurface>& splits = run_.computed().splits;
        std::size_t done = 0;
        for (std::size_t point = 0; point < run_.points.size(); ++point) {
            if (!shard.has(point)) continue;
            done +=
                std::all_of(splits.begin(), splits.end(), [&](const SplitSurface& s) { return s.done[point] != 0; });
        }
        log_.info(fmt::format("share {}: {} of {} points are done; 'lossmap merge RUN... --out DIR' joins the shares",
                              shard.name(), done, run_.own_points()));
    }

    void note_interpolated() {
        if (!run_.config.refine || run_.surface.splits.empty()) return;
        const SplitSurface& split = run_.surface.splits.front();
        const auto computed = std::count(split.done.begin(), split.done.end(), 1);
        if (split.error_estimate.empty()) return;
        log_.info(
            fmt::format("{} of {} points are computed; the others are interpolated, each with an estimated error "
                        "within {:g} of its loss",
                        computed, split.done.size(), run_.config.refine->tolerance));
    }

    void write_page() {
        const std::optional<ReportRun> page = steps_.report(run_);
        if (!page) return;
        write_report(directory_ / "report.html", {*page});
        files_.push_back(directory_ / "report.html");
    }

    /// Message of a failure that leaves the numbers as they are. A stop signal may have reached gnuplot first.
    template <typename Body>
    std::string attempt(const Body& body) {
        try {
            body();
        } catch (const Interrupted&) {
            throw;
        } catch (const Error& error) {
            interrupt_.check();
            return error.what();
        }
        return {};
    }

    PreparedRun& run_;
    const ExperimentSteps& steps_;
    const RunDirectory& directory_;
    ProgressDisplay& progress_;
    const InterruptGuard& interrupt_;
    RunLog& log_;
    RunRanks* ranks_;
    RunProgress latest_;
    bool started_ = false;
    Clock::time_point last_saved_;
    std::vector<fs::path> number_files_;
    std::vector<fs::path> files_;
};

}  // namespace

std::vector<fs::path> execute_run(PreparedRun& run, const RunDirectory& directory, bool fresh,
                                  ProgressDisplay& progress, const InterruptGuard& interrupt, RunLog& log,
                                  RunRanks* ranks) {
    return Execution(run, directory, progress, interrupt, log, ranks).execute(fresh);
}

}  // namespace lossmap
