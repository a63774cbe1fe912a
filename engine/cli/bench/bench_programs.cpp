#include "cli/bench/bench_programs.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/run/interrupt.hpp"
#include "core/error.hpp"
#include "io/private_folder.hpp"

extern char** environ;

namespace lossmap {
namespace {

namespace fs = std::filesystem;

/// Waits until the program has ended; what it prints as results is thrown away, its messages are shown.
void run_program(const fs::path& program, const std::vector<std::string>& arguments, const InterruptGuard& interrupt) {
    std::vector<std::string> texts{program.string()};
    texts.insert(texts.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& text : texts)
        pointers.push_back(text.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) != 0)
        throw Error("cannot prepare a process for '{}'", program.string());
    pid_t process = -1;
    const int failure = posix_spawn(&process, program.c_str(), &actions, nullptr, pointers.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) throw InputError("cannot start '{}': {}", program.string(), std::strerror(failure));
    int status = 0;
    while (waitpid(process, &status, 0) == -1) {
        if (errno != EINTR) throw Error("cannot wait for '{}': {}", program.string(), std::strerror(errno));
    }
    // A signal from the keyboard goes to both.
    interrupt.check();
    if (WIFSIGNALED(status)) throw Error("'{}' was ended by signal {}", program.string(), WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        throw Error("'{} bench' failed with status {}", program.string(), WEXITSTATUS(status));
}

void append(BenchRecord& all, BenchRecord round) {
    if (all.series.empty()) {
        all = std::move(round);
        return;
    }
    for (BenchSeries& series : round.series) {
        for (BenchSeries& own : all.series) {
            if (own.name != series.name) continue;
            own.rates.insert(own.rates.end(), series.rates.begin(), series.rates.end());
            own.at_hand.insert(own.at_hand.end(), series.at_hand.begin(), series.at_hand.end());
        }
    }
}

}  // namespace

std::pair<BenchRecord, BenchRecord> run_in_turn(const fs::path& base, const fs::path& changed,
                                                const ProgramRounds& rounds) {
    const InterruptGuard interrupt;
    const PrivateFolder folder("lossmap-compare");
    const fs::path result = folder.path() / "result.json";
    std::pair<BenchRecord, BenchRecord> records;
    const auto run = [&](const fs::path& program, BenchRecord& record) {
        std::vector<std::string> arguments{"bench", "--suite", rounds.suite.string(), "--repeat",
                                           "1",     "--json",  result.string()};
        arguments.insert(arguments.end(), rounds.flags.begin(), rounds.flags.end());
        run_program(program, arguments, interrupt);
        append(record, load_record(result));
        record.source = program.string();
    };
    for (int round = 0; round < rounds.repeat; ++round) {
        if (round % 2 == 0) run(base, records.first);
        run(changed, records.second);
        if (round % 2 != 0) run(base, records.first);
    }
    return records;
}

}  // namespace lossmap
