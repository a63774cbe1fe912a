#include "cli/run/sweep/execute_sweep.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "cli/run/execute_run.hpp"
#include "cli/run/experiments/experiment_steps.hpp"
#include "cli/run/prepare_on_ranks.hpp"
#include "cli/run/sweep/kept_preparations.hpp"
#include "cli/run/sweep/origin_run.hpp"
#include "cli/run/sweep/sweep_files.hpp"
#include "cli/run/sweep/sweep_results.hpp"
#include "core/error.hpp"
#include "io/atomic_file.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

/// Each point is computed, or interpolated over a refined grid.
bool is_complete(const Surface& surface) {
    return std::all_of(surface.splits.begin(), surface.splits.end(), [](const SplitSurface& split) {
        return !split.error_estimate.empty() || std::find(split.done.begin(), split.done.end(), 0) == split.done.end();
    });
}

class SweepExecution {
public:
    SweepExecution(const Sweep& sweep, const SweepOptions& options, ProgressDisplay& progress,
                   const InterruptGuard& interrupt)
        : sweep_(sweep),
          options_(options),
          progress_(progress),
          interrupt_(interrupt),
          log_(options.log_level),
          results_(sweep) {}

    std::vector<fs::path> execute() {
        in_step(options_.ranks, [this] {
            if (!has_folder(options_.ranks)) return;
            require_usable_folder();
            each([this](std::size_t k) {
                interrupt_.check();
                check(k);
            });
            write_list();
        });
        each([this](std::size_t k) {
            in_step(options_.ranks, [this] { interrupt_.check(); });
            compute(k);
        });
        const std::string failure = is_share() ? std::string() : attempt([this] { show_all(); });
        if (!has_folder(options_.ranks)) return {};
        if (!failures_.empty()) {
            throw Error("{} of {} combinations failed, the first: {}", failures_.size(), sweep_.combinations.size(),
                        failures_.front());
        }
        if (!failure.empty()) throw Error("all combinations are computed and saved, but {}", failure);
        return files_;
    }

private:
    [[nodiscard]] bool is_share() const { return sweep_.combinations.front().config.shard.has_value(); }

    [[nodiscard]] fs::path folder(std::size_t k) const { return options_.out / sweep_.combinations[k].folder; }

    template <typename Body>
    void each(const Body& body) {
        for (std::size_t k = 0; k < sweep_.combinations.size(); ++k) {
            with_context(sweep_.describe(k), [&] { body(k); });
        }
    }

    /// Somebody else's files and a single run are left alone.
    void require_usable_folder() const {
        const fs::path& out = options_.out;
        if (!fs::exists(out)) return;
        if (!fs::is_directory(out)) throw InputError("'{}' is no folder: choose another --out", out.string());
        if (options_.fresh || fs::is_empty(out) || fs::exists(out / kSweepFile)) return;
        throw InputError(
            "'{}' is not empty and holds no sweep of lossmap: choose another --out, or --fresh to write into it",
            out.string());
    }

    /// Whether everything is there that the combination needs, and its folder free for it.
    void check(std::size_t k) {
        const Config& config = sweep_.combinations[k].config;
        Preparation preparation = prepare(config, folder(k), sweep_.describe(k), options_.ranks);
        RunDirectory(folder(k)).require_usable(preparation.run.identity, options_.fresh);
        kept_.offer(folder(k), std::move(preparation));
        if (const auto origin = origin_config(config, k)) {
            const fs::path place = folder(k) / kOriginFolder;
            Preparation evaluation = prepare(*origin, place, "", nullptr);
            RunDirectory(place).require_usable(evaluation.run.identity, options_.fresh);
            kept_.offer(place, std::move(evaluation));
        }
    }

    /// What is to be said is said when it is computed.
    [[nodiscard]] Preparation prepare(const Config& config, const fs::path& place, const std::string& heading,
                                      RunRanks* ranks) const {
        auto log = std::make_unique<RunLog>("off");
        if (!heading.empty()) log->info(heading);
        const RunDirectory directory(place);
        PreparedRun run = ranks != nullptr ? prepare_on_rank(config, directory, options_.fresh, options_.threads,
                                                             *ranks, interrupt_, *log, "")
                                           : prepare_run(config, options_.threads, *log, &interrupt_.flag(),
                                                         earlier_plan(directory, options_.fresh, config.grow_from));
        return {std::move(run), std::move(log)};
    }

    /// For computing: what was kept, or prepared now; on the ranks that have not, after rank 0's plan.
    [[nodiscard]] Preparation take_or_prepare(std::size_t k) {
        const Config& config = sweep_.combinations[k].config;
        std::optional<Preparation> own;
        in_step(options_.ranks, [&] {
            if (!has_folder(options_.ranks)) return;
            own = kept_.take(folder(k));
            if (!own) own = prepare(config, folder(k), sweep_.describe(k), options_.ranks);
        });
        if (options_.ranks == nullptr) return std::move(*own);
        std::unique_ptr<RunLog> log = own ? std::move(own->log) : std::make_unique<RunLog>("off");
        PreparedRun run = prepare_others(own ? std::optional(std::move(own->run)) : std::nullopt, config,
                                         RunDirectory(folder(k)), options_.threads, *options_.ranks, interrupt_, *log);
        return {std::move(run), std::move(log)};
    }

    void compute(std::size_t k) {
        progress_.set_run(k + 1, sweep_.combinations.size());
        Preparation preparation = take_or_prepare(k);
        preparation.log->show(options_.log_level);
        PreparedRun& run = preparation.run;
        const std::string failure = attempt([&] {
            static_cast<void>(execute_run(run, RunDirectory(folder(k)), options_.fresh, progress_, interrupt_,
                                          *preparation.log, options_.ranks));
        });
        if (!failure.empty()) failures_.push_back(sweep_.describe(k) + ": " + failure);
        in_step(options_.ranks, [&] {
            if (has_folder(options_.ranks)) take_computed(k, run, failure);
        });
    }

    void take_computed(std::size_t k, const PreparedRun& run, const std::string& failure) {
        if (is_share()) {
            if (failure.empty()) files_.push_back(folder(k));
            static_cast<void>(origin_results(k, run));
            return;
        }
        if (!is_complete(run.computed())) return;  // the failure came before the numbers were
        files_.push_back(folder(k));
        take_results(k, run);
    }

    void take_results(std::size_t k, const PreparedRun& run) {
        const Config& config = sweep_.combinations[k].config;
        CombinationResult result;
        result.combination = k;
        if (std::optional<ReportRun> page = steps_of(config.experiment).report(run)) result.page = std::move(*page);
        if (is_landscape(config.experiment)) {
            result.origin = origin_results(k, run);
            if (run.repeated && run.repeated->repeats.front().is_line()) result.repeats = run.repeated;
        } else {
            result.models = model_results(run);
        }
        results_.add(std::move(result));
    }

    /// What the grid tells, and what it does not from an evaluation of its own.
    std::vector<OriginResult> origin_results(std::size_t k, const PreparedRun& run) {
        // At the origin all repetitions are the same network.
        std::vector<OriginResult> results = origin_on_grid(run.repeated ? run.repeated->repeats.front() : run.surface);
        const std::optional<Config> config = origin_config(sweep_.combinations[k].config, k);
        if (!config) return results;
        const fs::path place = folder(k) / kOriginFolder;
        std::optional<Preparation> kept = kept_.take(place);
        Preparation origin = kept ? std::move(*kept) : prepare(*config, place, "", nullptr);
        origin.log->show(options_.log_level == "info" ? "warning" : options_.log_level);
        static_cast<void>(
            execute_run(origin.run, RunDirectory(place), options_.fresh, progress_, interrupt_, *origin.log));
        for (OriginResult& result : results_at(origin.run.surface, 0)) {
            const auto known = std::find_if(results.begin(), results.end(),
                                            [&](const OriginResult& one) { return one.split == result.split; });
            if (known == results.end()) results.push_back(std::move(result));
        }
        return results;
    }

    /// What is where, for people and scripts.
    void write_list() const {
        std::error_code error;
        fs::create_directories(options_.out, error);
        if (error) throw InputError("cannot make the folder '{}': {}", options_.out.string(), error.message());
        nlohmann::ordered_json axes = nlohmann::ordered_json::array();
        for (const SweepAxis& axis : sweep_.axes) {
            nlohmann::ordered_json pointer = axis.pointers;
            if (axis.pointers.size() == 1) pointer = axis.pointers.front();
            axes.push_back({{"pointer", pointer}, {"name", axis.name}, {"labels", axis.labels}});
        }
        nlohmann::ordered_json combinations = nlohmann::ordered_json::array();
        for (const Combination& one : sweep_.combinations)
            combinations.push_back({{"folder", one.folder}, {"labels", one.labels}});
        const nlohmann::ordered_json list{{"name", sweep_.name}, {"axes", axes}, {"combinations", combinations}};
        write_file_atomically(options_.out / kSweepFile, list.dump(2) + "\n");
    }

    /// What stands over all combinations.
    void show_all() {
        in_step(options_.ranks, [this] {
            if (!has_folder(options_.ranks)) return;
            const std::vector<fs::path> files =
                write_sweep_files(results_, options_.out, log_, [this] { interrupt_.check(); });
            files_.insert(files_.end(), files.begin(), files.end());
        });
    }

    /// Message of a failure that leaves other combinations as they are. A stop signal may have caused it.
    template <typename Body>
    std::string attempt(const Body& body) {
        try {
            body();
        } catch (const Interrupted&) {
            throw;
        } catch (const InputError&) {
            throw;
        } catch (const Error& error) {
            in_step(options_.ranks, [this] { interrupt_.check(); });
            return error.what();
        }
        return {};
    }

    const Sweep& sweep_;
    const SweepOptions& options_;
    ProgressDisplay& progress_;
    const InterruptGuard& interrupt_;
    RunLog log_;
    KeptPreparations kept_;
    SweepResults results_;
    std::vector<std::string> failures_;
    std::vector<fs::path> files_;
};

}  // namespace

std::vector<fs::path> execute_sweep(const Sweep& sweep, const SweepOptions& options, ProgressDisplay& progress,
                                    const InterruptGuard& interrupt) {
    return SweepExecution(sweep, options, progress, interrupt).execute();
}

}  // namespace lossmap
