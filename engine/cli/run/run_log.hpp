#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace lossmap {

/// Messages of a run: to stderr from a level on, and, once a file is open, all of them into it, those of before
/// included.
class RunLog {
public:
    /// @param level  trace, debug, info, warning, error or off: what stderr shows
    explicit RunLog(const std::string& level);
    ~RunLog();
    RunLog(const RunLog&) = delete;
    RunLog& operator=(const RunLog&) = delete;

    /// From now on stderr shows messages from this level on, and at once those of before.
    void show(const std::string& level);

    /// Appends to `file` from now on. Throws Error when it cannot be written.
    void open_file(const std::filesystem::path& file);

    void debug(const std::string& message);
    void info(const std::string& message);
    void warning(const std::string& message);
    /// Into the file alone: the command line prints the error itself.
    void record_error(const std::string& message);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lossmap
