#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/commands/commands.hpp"
#include "cli/commands/configured.hpp"
#include "cli/run/backends.hpp"
#include "cli/run/device_check.hpp"
#include "cli/run/device_profile.hpp"
#include "cli/run/execute_run.hpp"
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

/// What ranks have to agree on before they compute together.
PreparedRun prepare_on_rank(const RunArguments& arguments, RunRanks& ranks, const InterruptGuard& interrupt,
                            RunLog& log, const std::string& root_plan) {
    Config config = load_configured(arguments.config, arguments);
    config.device = device_of_rank(config.device, ranks.local_rank(), visible_gpus());
    const RunDirectory directory(folder_of(arguments, config.name));
    PreparedRun run =
        prepare_run(config, arguments.threads, log, &interrupt.flag(),
                    ranks.is_root() ? earlier_plan(directory, arguments.fresh, config.grow_from) : root_plan);
    if (!run.executable)
        throw InputError("{}: experiment {} evaluates no network: there is nothing for ranks to share",
                         arguments.config.string(), name_of(config.experiment));
    if (ranks.is_root()) directory.require_usable(run.identity, arguments.fresh);
    return run;
}

/// Rank 0 chooses how the network is computed, the others follow it. One after the other where they read the journal of
/// an earlier run, which is one process's at a time.
PreparedRun prepare_together(const RunArguments& arguments, RunRanks& ranks, const InterruptGuard& interrupt,
                             RunLog& log) {
    std::optional<PreparedRun> run;
    RankAgreement& agreement = ranks.agreement();
    agreement.together([&] {
        if (!ranks.is_root()) return;
        if (load_configured_sweep(arguments.config, arguments))
            throw InputError("{}: a sweep is many runs; --mpi takes one", arguments.config.string());
        run = prepare_on_rank(arguments, ranks, interrupt, log, "");
    });
    const std::string plan = agreement.from_root(run ? run->executable->plan_json() : "");
    const std::string identity = agreement.from_root(run ? run->identity.json() : "");
    const std::string shard = agreement.from_root(arguments.shard);
    const bool in_turn = !agreement.from_root(run && run->config.grow_from ? "in turn" : "").empty();
    for (int turn = 1; turn < (in_turn ? ranks.size() : 2); ++turn) {
        agreement.together([&] {
            if (ranks.is_root() || (in_turn && agreement.rank() != turn)) return;
            run = prepare_on_rank(arguments, ranks, interrupt, log, plan);
            const std::string differing = run->identity.differing_parts(identity);
            if (run->identity.json() != identity)
                throw InputError("sees another run than rank 0 does (it differs in: {})", differing);
            if (arguments.shard != shard)
                throw InputError("has another --shard than rank 0: all ranks compute one share together");
        });
    }
    return std::move(*run);
}

void run_on_ranks(const RunArguments& arguments, RunRanks& ranks, const InterruptGuard& interrupt, std::ostream& out) {
    const ProgressMode mode = ranks.is_root() ? progress_mode(arguments.progress) : ProgressMode::none;
    ProgressDisplay progress(mode, mode == ProgressMode::json ? out : std::cerr, seconds_now, terminal_columns());
    RunLog log(ranks.is_root() ? arguments.log_level : "off");
    log.info(ranks.describe());
    PreparedRun run = prepare_together(arguments, ranks, interrupt, log);
    const RunDirectory directory(folder_of(arguments, run.config.name));
    const std::vector<fs::path> files = execute_run(run, directory, arguments.fresh, progress, interrupt, log, &ranks);
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
