#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "cli/run/identity.hpp"
#include "landscape/journal.hpp"

namespace lossmap {

/// The folder that a run writes into (interface.md, "A run's directory").
class RunDirectory {
public:
    explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)) {}

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::filesystem::path operator/(const char* name) const { return path_ / name; }

    /// Whether a run of this identity can start or go on here; touches nothing. Throws InputError when the folder
    /// belongs to another run (naming what differs), holds somebody else's files, is no folder, or is in use.
    void require_usable(const Identity& identity, bool fresh) const;

    /// Makes the folder and opens its journal. With `fresh` first removes what lossmap writes, and nothing else.
    [[nodiscard]] std::unique_ptr<Journal> open(const Identity& identity, bool fresh) const;

private:
    void remove_results() const;
    void remove_pictures() const;

    std::filesystem::path path_;
};

/// File of a picture: "line.svg", "train_contour.svg".
[[nodiscard]] std::string picture_name(const std::string& split, const std::string& kind, const std::string& format);

}  // namespace lossmap
