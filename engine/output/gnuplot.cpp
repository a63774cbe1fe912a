#include "output/gnuplot.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/error.hpp"
#include "io/atomic_file.hpp"
#include "io/private_folder.hpp"
#include "output/text.hpp"
#include "output/whole_file.hpp"

extern char** environ;

namespace lossmap {

namespace fs = std::filesystem;

namespace {

constexpr const char* kInstallHint = "install the Debian package gnuplot-nox";
constexpr const char* kScriptFile = "script.gp";
constexpr const char* kMessageFile = "messages.txt";

bool is_program(const fs::path& file) {
    std::error_code error;
    return fs::is_regular_file(file, error) && access(file.c_str(), X_OK) == 0;
}

/// What a child process starts with: its folder, nothing to read, messages in a file.
class SpawnActions {
public:
    explicit SpawnActions(const fs::path& folder) {
        if (posix_spawn_file_actions_init(&actions_) != 0) throw Error("cannot prepare a process for gnuplot");
        const int failed = posix_spawn_file_actions_addchdir_np(&actions_, folder.c_str()) |
                           posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0) |
                           posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) |
                           posix_spawn_file_actions_addopen(&actions_, STDERR_FILENO, kMessageFile,
                                                            O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (failed != 0) {
            posix_spawn_file_actions_destroy(&actions_);
            throw Error("cannot prepare a process for gnuplot");
        }
    }
    ~SpawnActions() { posix_spawn_file_actions_destroy(&actions_); }
    SpawnActions(const SpawnActions&) = delete;
    SpawnActions& operator=(const SpawnActions&) = delete;
    [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

private:
    posix_spawn_file_actions_t actions_{};
};

/// A running child; killed and reaped when it is still there at the end.
class Child {
public:
    Child(const fs::path& program, const fs::path& folder) {
        const SpawnActions actions(folder);
        std::string name = program.string();
        std::string no_user_files = "-d";  // --default-settings: no gnuplotrc, no ~/.gnuplot
        std::string script = kScriptFile;
        std::array<char*, 4> arguments{name.data(), no_user_files.data(), script.data(), nullptr};
        const int error = posix_spawn(&pid_, name.c_str(), actions.get(), nullptr, arguments.data(), environ);
        if (error != 0) throw Error("cannot start {}: {}", name, std::strerror(error));
        running_ = true;
    }
    ~Child() {
        if (!running_) return;
        kill(pid_, SIGKILL);
        while (waitpid(pid_, nullptr, 0) == -1 && errno == EINTR) {
        }
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// Wait status; throws Error when the time is over.
    int wait(std::chrono::milliseconds timeout) {
        const auto deadline = std::chrono::steady_clock::now() + timeout;
        for (;;) {
            int status = 0;
            const pid_t done = waitpid(pid_, &status, WNOHANG);
            if (done == pid_) {
                running_ = false;
                return status;
            }
            if (done == -1 && errno != EINTR) {
                running_ = false;
                throw Error("cannot wait for gnuplot: {}", std::strerror(errno));
            }
            if (std::chrono::steady_clock::now() >= deadline) {
                throw Error("gnuplot did not finish within {} s", std::chrono::duration<double>(timeout).count());
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(4));
        }
    }

private:
    pid_t pid_ = -1;
    bool running_ = false;
};

std::string last_line(const std::string& text) {
    const std::size_t end = text.find_last_not_of(" \n\r\t");
    if (end == std::string::npos) return "no message";
    const std::size_t newline = text.find_last_of('\n', end);
    const std::size_t start = newline == std::string::npos ? 0 : newline + 1;
    return text.substr(start, end + 1 - start);
}

}  // namespace

fs::path find_gnuplot() {
    if (const char* chosen = std::getenv("LOSSMAP_GNUPLOT"); chosen != nullptr && *chosen != '\0') {
        fs::path program = fs::absolute(chosen);
        if (is_program(program)) return program;
        throw Error("LOSSMAP_GNUPLOT is '{}', which is no program; {} or correct the variable", chosen, kInstallHint);
    }
    const char* variable = std::getenv("PATH");
    const std::string search = variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin";
    std::size_t start = 0;
    while (start <= search.size()) {
        const std::size_t end = std::min(search.find(':', start), search.size());
        const std::string folder = search.substr(start, end - start);
        // An empty or relative entry means the current folder: not a place to take programs from.
        if (!folder.empty() && folder.front() == '/' && is_program(fs::path(folder) / "gnuplot")) {
            return fs::path(folder) / "gnuplot";
        }
        start = end + 1;
    }
    throw Error("gnuplot is not in PATH; {} or set LOSSMAP_GNUPLOT", kInstallHint);
}

std::string run_gnuplot(const std::string& script, std::chrono::milliseconds timeout) {
    const fs::path program = find_gnuplot();
    const PrivateFolder folder("lossmap-plot");
    write_file_atomically(folder / kScriptFile, script);
    Child child(program, folder.path());
    const int status = child.wait(timeout);
    const auto message = [&] { return last_line(read_whole_file(folder / kMessageFile)); };
    if (!WIFEXITED(status)) throw Error("gnuplot was ended by signal {}: {}", WTERMSIG(status), message());
    if (WEXITSTATUS(status) != 0) throw Error("gnuplot failed with status {}: {}", WEXITSTATUS(status), message());
    const fs::path output = folder / kGnuplotOutput;
    std::error_code error;
    if (!fs::exists(output, error) || fs::file_size(output, error) == 0) {
        throw Error("gnuplot wrote no picture: {}", message());
    }
    return read_whole_file(output);
}

std::string gnuplot_string(const std::string& text) {
    // Single quotes: no escapes, no backquotes, no macros; a quote inside is doubled. A line break is a string of its
    // own.
    std::string result = "'";
    for (const char c : valid_utf8(text)) {
        if (c == '\'') {
            result += "''";
        } else if (c == '\n') {
            result += "'.\"\\n\".'";
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            result += ' ';
        } else {
            result += c;
        }
    }
    return result + "'";
}

}  // namespace lossmap
