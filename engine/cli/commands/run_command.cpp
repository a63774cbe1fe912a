#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/commands/commands.hpp"
#include "cli/commands/configured.hpp"
#include "cli/run/device_check.hpp"
#include "cli/run/device_profile.hpp"
#include "cli/run/execute_run.hpp"
#include "cli/run/prepare_on_ranks.hpp"
#include "cli/run/sweep/execute_sweep.hpp"
#include "core/error.hpp"
#include "dist/mpi_communicator.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

ProgressMode progress_mode(const std::string& name) {
    if (name == "none") return ProgressMode::none;
    if (name == "json") return ProgressMode::json;
    if (name == "plain") return ProgressMode::plain;
    const char* terminal = std::getenv("TERM");
    const bool draws = ::isatty(STDERR_FILENO) == 1 && terminal != nullptr && std::string(terminal) != "dumb";
    return draws ? ProgressMode::bar : ProgressMode::plain;
}

int terminal_columns() {
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

double seconds_now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Shares that are computed side by side do not meet in one folder.
std::string folder_suffix(const std::string& shard) {
    if (shard.empty()) return {};
    const Shard share = parse_shard(shard);
    return fmt::format("-shard-{}-of-{}", share.index, share.count);
}

void print_files(const std::vector<fs::path>& files, bool json, std::ostream& out) {
    if (!json) {
        for (const fs::path& file : files)
            out << file.string() << '\n';
        return;
    }
    nlohmann::ordered_json names = nlohmann::ordered_json::array();
    for (const fs::path& file : files)
        names.push_back(file.string());
    out << nlohmann::ordered_json{{"event", "done"}, {"files", names}}.dump() << '\n';
}

/// The run whose device is looked at by the flag `flag`, which evaluates no surface and writes no file.
PreparedRun prepare_one(const RunArguments& arguments, const char* flag, RunLog& log) {
    if (load_configured_sweep(arguments.config, arguments))
        throw InputError("{}: a sweep is many runs; {} takes one", arguments.config.string(), flag);
    return prepare_run(load_configured(arguments.config, arguments), arguments.threads, log);
}

int check_against(const RunArguments& arguments, std::ostream& out) {
    RunLog log(arguments.log_level);
    PreparedRun run = prepare_one(arguments, "--check-against", log);
    const DeviceCheck check = check_device(run, arguments.check_against, arguments.threads);
    check.print(out);
    out.flush();  // in front of the message, where both go into one file
    const std::string failure = check.failure();
    if (!failure.empty()) throw Error("{}", failure);
    return 0;
}

int profile(const RunArguments& arguments, std::ostream& out) {
    RunLog log(arguments.log_level);
    PreparedRun run = prepare_one(arguments, "--profile", log);
    profile_device(run, arguments.threads).print(out);
    return 0;
}

fs::path folder_of(const RunArguments& arguments, const std::string& name) {
    return arguments.out.empty() ? fs::path("runs") / (name + folder_suffix(arguments.shard)) : arguments.out;
}

/// The one run or the sweep that the command line names, on all ranks.
struct RankTask {
    std::optional<Sweep> sweep;
    Config config;  ///< without a sweep
};

RankTask load_on_ranks(const RunArguments& arguments, RunRanks& ranks) {
    RankTask task;
    ranks.agreement().together([&] {
        task.sweep = load_configured_sweep(arguments.config, arguments);
        if (!task.sweep) task.config = load_configured(arguments.config, arguments);
    });
    // Ranks that took other steps would wait for each other.
    const std::string steps = task.sweep ? fmt::format("{} runs", task.sweep->combinations.size()) : "one run";
    const std::string of_root = ranks.agreement().from_root(steps);
    ranks.agreement().together([&] {
        if (steps != of_root) throw InputError("sees a configuration of {}, rank 0 one of {}", steps, of_root);
    });
    return task;
}

void run_on_ranks(const RunArguments& arguments, RunRanks& ranks, const InterruptGuard& interrupt, std::ostream& out) {
    const ProgressMode mode = ranks.is_root() ? progress_mode(arguments.progress) : ProgressMode::none;
    ProgressDisplay progress(mode, mode == ProgressMode::json ? out : std::cerr, seconds_now, terminal_columns());
    const std::string level = ranks.is_root() ? arguments.log_level : "off";
    RunLog log(level);
    log.info(ranks.describe());
    const RankTask task = load_on_ranks(arguments, ranks);
    std::vector<fs::path> files;
    if (task.sweep) {
        const SweepOptions options{folder_of(arguments, task.sweep->name), arguments.threads, arguments.fresh, level,
                                   &ranks};
        files = execute_sweep(*task.sweep, options, progress, interrupt);
    } else {
        const RunDirectory directory(folder_of(arguments, task.config.name));
        std::optional<PreparedRun> root;
        ranks.agreement().together([&] {
            if (ranks.is_root())
                root = prepare_on_rank(task.config, directory, arguments.fresh, arguments.threads, ranks, interrupt,
                                       log, "");
        });
        PreparedRun run =
            prepare_others(std::move(root), task.config, directory, arguments.threads, ranks, interrupt, log);
        files = execute_run(run, directory, arguments.fresh, progress, interrupt, log, &ranks);
    }
    if (ranks.is_root()) print_files(files, mode == ProgressMode::json, out);
}

int run_with_mpi(const RunArguments& arguments, const InterruptGuard& interrupt, std::ostream& out) {
    const std::unique_ptr<Communicator> communicator = make_mpi_communicator();
    RunRanks ranks(*communicator, &interrupt.flag());
    try {
        run_on_ranks(arguments, ranks, interrupt, out);
    } catch (const std::exception& error) {
        // What all ranks know is said by rank 0.
        if (ranks.is_root() || !ranks.agreement().has_failed()) throw;
        return exit_status_of(error);
    }
    return 0;
}

}  // namespace

int run_command(const RunArguments& arguments, std::ostream& out) {
    if (arguments.dry_run) return validate_command({{arguments.config}, arguments}, out);
    if (!arguments.check_against.empty()) return check_against(arguments, out);
    if (arguments.profile) return profile(arguments, out);
    const InterruptGuard interrupt;
    if (arguments.mpi) return run_with_mpi(arguments, interrupt, out);
    const ProgressMode mode = progress_mode(arguments.progress);
    ProgressDisplay progress(mode, mode == ProgressMode::json ? out : std::cerr, seconds_now, terminal_columns());
    if (const std::optional<Sweep> sweep = load_configured_sweep(arguments.config, arguments)) {
        const SweepOptions options{folder_of(arguments, sweep->name), arguments.threads, arguments.fresh,
                                   arguments.log_level};
        print_files(execute_sweep(*sweep, options, progress, interrupt), mode == ProgressMode::json, out);
        return 0;
    }
    RunLog log(arguments.log_level);
    const Config config = load_configured(arguments.config, arguments);
    const RunDirectory directory(folder_of(arguments, config.name));
    PreparedRun run = prepare_run(config, arguments.threads, log, &interrupt.flag(),
                                  earlier_plan(directory, arguments.fresh, config.grow_from));
    directory.require_usable(run.identity, arguments.fresh);
    interrupt.check();
    print_files(execute_run(run, directory, arguments.fresh, progress, interrupt, log), mode == ProgressMode::json,
                out);
    return 0;
}

}  // namespace lossmap
