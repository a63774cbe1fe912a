#include <filesystem>
#include <ostream>

#include <nlohmann/json.hpp>

#include "cli/bench/bench_comparison.hpp"
#include "cli/bench/bench_history.hpp"
#include "cli/bench/bench_programs.hpp"
#include "cli/commands/commands.hpp"
#include "cli/run/run_log.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

constexpr int kSlower = 3;

std::pair<BenchRecord, BenchRecord> records_of(const CompareArguments& arguments) {
    if (arguments.binaries) {
        if (arguments.suite.empty())
            throw InputError("compare: --binaries needs --suite: the benchmarks that both programs run");
        ProgramRounds rounds;
        rounds.suite = arguments.suite;
        rounds.repeat = arguments.repeat;
        rounds.flags = {"--device", arguments.device, "--threads", std::to_string(arguments.threads)};
        return run_in_turn(arguments.base, arguments.changed, rounds);
    }
    if (!arguments.suite.empty()) throw InputError("compare: --suite is for --binaries");
    if (!arguments.history.empty())
        return {load_from_history(arguments.history, arguments.base),
                load_from_history(arguments.history, arguments.changed)};
    return {load_record(arguments.base), load_record(arguments.changed)};
}

}  // namespace

int compare_command(const CompareArguments& arguments, std::ostream& out) {
    const auto [base, changed] = records_of(arguments);
    const BenchComparison comparison = compare_records(base, changed, arguments.threshold);
    RunLog log("warning");
    for (const std::string& warning : comparison.warnings)
        log.warning(warning);
    comparison.print(out);
    return comparison.has_slower() ? kSlower : 0;
}

}  // namespace lossmap
