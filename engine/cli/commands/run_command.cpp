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
#include "cli/run/sweep/execute_sweep.hpp"
#include "core/error.hpp"

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

}  // namespace

int run_command(const RunArguments& arguments, std::ostream& out) {
    if (arguments.dry_run) return validate_command({{arguments.config}, arguments}, out);
    if (!arguments.check_against.empty()) return check_against(arguments, out);
    if (arguments.profile) return profile(arguments, out);
    const InterruptGuard interrupt;
    const ProgressMode mode = progress_mode(arguments.progress);
    ProgressDisplay progress(mode, mode == ProgressMode::json ? out : std::cerr, seconds_now, terminal_columns());
    const auto folder = [&](const std::string& name) {
        return arguments.out.empty() ? fs::path("runs") / name : arguments.out;
    };
    if (const std::optional<Sweep> sweep = load_configured_sweep(arguments.config, arguments)) {
        const SweepOptions options{folder(sweep->name), arguments.threads, arguments.fresh, arguments.log_level};
        print_files(execute_sweep(*sweep, options, progress, interrupt), mode == ProgressMode::json, out);
        return 0;
    }
    RunLog log(arguments.log_level);
    const Config config = load_configured(arguments.config, arguments);
    const RunDirectory directory(folder(config.name));
    PreparedRun run = prepare_run(config, arguments.threads, log, &interrupt.flag(),
                                  earlier_plan(directory, arguments.fresh, config.grow_from));
    directory.require_usable(run.identity, arguments.fresh);
    interrupt.check();
    print_files(execute_run(run, directory, arguments.fresh, progress, interrupt, log), mode == ProgressMode::json,
                out);
    return 0;
}

}  // namespace lossmap
