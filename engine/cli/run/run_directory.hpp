#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/run/identity.hpp"
#include "landscape/journal.hpp"

namespace lossmap {

/// Note of a journal: the backend's plan.
inline constexpr const char* kPlanNote = "plan";
/// Note of a journal: the folder that points were taken over from (`grow`), once they are the journal's own.
inline constexpr const char* kGrownNote = "grown_from";

/// The folder that a run writes into (interface.md, "A run's directory").
class RunDirectory {
public:
    explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)) {}

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::filesystem::path operator/(const char* name) const { return path_ / name; }

    /// Whether a run of this identity can start or go on here; touches nothing. Throws InputError when the folder
    /// belongs to another run (naming what differs), holds somebody else's files, is no folder, or is in use.
    void require_usable(const Identity& identity, bool fresh) const;

    /// The same for a merge, which has no `fresh`.
    void require_mergeable(const Identity& identity) const;

    /// Makes the folder and opens its journal. With `fresh` first removes what lossmap writes, and nothing else.
    [[nodiscard]] std::unique_ptr<Journal> open(const Identity& identity, bool fresh) const;

    /// Parts of the identity (Identity::json) of the run that the folder holds; "" when it holds none.
    [[nodiscard]] std::string identity_parts() const;
    /// A note of its journal; "" when there is none.
    [[nodiscard]] std::string note(const std::string& key) const;
    /// Identity::whole of that run; "" likewise.
    [[nodiscard]] std::string identity() const;
    /// Its finished units. Throws InputError when its journal is damaged or in use.
    [[nodiscard]] std::vector<JournalEntry> journal_entries() const;

private:
    /// Why no run of this identity can go on here, and what --fresh would do; nothing when it can.
    struct Refusal {
        std::string reason;
        std::string remedy;
    };
    [[nodiscard]] std::optional<Refusal> refusal(const Identity& identity) const;
    void remove_results() const;
    void remove_pictures() const;

    std::filesystem::path path_;
};

/// The plan of what a run goes on with: of the folder itself unless it starts afresh, else of `grown_from`, where that
/// is a folder. "" when neither holds one; whatever is wrong with them is said when they are opened.
[[nodiscard]] std::string earlier_plan(const RunDirectory& directory, bool fresh,
                                       const std::optional<std::filesystem::path>& grown_from);

/// File of a picture: "line.svg", "train_contour.svg".
[[nodiscard]] std::string picture_name(const std::string& split, const std::string& kind, const std::string& format);

}  // namespace lossmap
