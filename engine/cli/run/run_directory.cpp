#include "cli/run/run_directory.hpp"

#include <regex>

#include "core/error.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

constexpr const char* kJournal = "journal.sqlite";
constexpr const char* kPartsNote = "identity_parts";
// Everything but the journal and the pictures.
constexpr const char* kResults[] = {
    "config.resolved.json", "direction.h5", "surface.h5", "trajectory.h5", "table.csv", "table.md", "table.tex",
    "report.html",          "log.txt"};

/// Parts of the identity that a journal was written for, "" when it has none.
std::string stored_parts(const fs::path& journal, const std::string& identity) {
    return Journal(journal, identity).note(kPartsNote);
}

}  // namespace

std::optional<RunDirectory::Refusal> RunDirectory::refusal(const Identity& identity) const {
    const fs::path journal = path_ / kJournal;
    if (!fs::exists(journal)) {
        if (fs::is_empty(path_)) return std::nullopt;
        return Refusal{"is not empty and holds no run of lossmap", "write into it"};
    }
    const std::string stored = Journal::identity_of(journal);
    if (stored.empty() || stored == identity.whole()) return std::nullopt;
    const std::string differing = identity.differing_parts(stored_parts(journal, stored));
    return Refusal{"holds another run" + (differing.empty() ? "" : fmt::format(" (it differs in: {})", differing)),
                   "replace it"};
}

void RunDirectory::require_usable(const Identity& identity, bool fresh) const {
    if (!fs::exists(path_)) return;
    if (!fs::is_directory(path_)) throw InputError("'{}' is no folder: choose another --out", path_.string());
    if (fresh) return;
    if (const auto refused = refusal(identity)) {
        throw InputError("'{}' {}: choose another --out, or --fresh to {}", path_.string(), refused->reason,
                         refused->remedy);
    }
}

void RunDirectory::require_mergeable(const Identity& identity) const {
    if (!fs::exists(path_)) return;
    if (!fs::is_directory(path_)) throw InputError("'{}' is no folder: choose another --out", path_.string());
    if (const auto refused = refusal(identity))
        throw InputError("'{}' {}: choose another --out", path_.string(), refused->reason);
}

std::unique_ptr<Journal> RunDirectory::open(const Identity& identity, bool fresh) const {
    std::error_code error;
    fs::create_directories(path_, error);
    if (error) throw InputError("cannot make the folder '{}': {}", path_.string(), error.message());
    // Without a journal the folder holds no run: files of these names may be somebody else's until they are written.
    if (fresh && fs::exists(path_ / kJournal)) remove_results();
    auto journal = std::make_unique<Journal>(path_ / kJournal, identity.whole());
    journal->set_note(kPartsNote, identity.json());
    return journal;
}

std::string RunDirectory::identity() const { return Journal::identity_of(path_ / kJournal); }

std::string RunDirectory::identity_parts() const { return note(kPartsNote); }

std::string RunDirectory::note(const std::string& key) const {
    const fs::path journal = path_ / kJournal;
    const std::string stored = Journal::identity_of(journal);
    return stored.empty() ? "" : Journal(journal, stored).note(key);
}

std::vector<JournalEntry> RunDirectory::journal_entries() const {
    const fs::path journal = path_ / kJournal;
    return Journal(journal, Journal::identity_of(journal)).entries();
}

void RunDirectory::remove_results() const {
    // The journal goes first: it refuses when another process is writing it, and then nothing is removed.
    Journal::remove(path_ / kJournal);
    for (const char* name : kResults) {
        std::error_code error;
        fs::remove(path_ / name, error);
        if (error) throw Error("cannot delete '{}': {}", (path_ / name).string(), error.message());
    }
    remove_pictures();
}

void RunDirectory::remove_pictures() const {
    static const std::regex pattern(
        "(line|(training|training_loss|training_error|weight_norm)_(epoch|iteration|checkpoint)|(train|test)_(contour|"
        "filled|heatmap|surface3d|trajectory|repeats_(line|contour|filled|heatmap|loss|error)|spread))\\.(svg|png|"
        "pdf)");
    const fs::path plots = path_ / "plots";
    if (!fs::is_directory(plots)) return;
    for (const fs::directory_entry& entry : fs::directory_iterator(plots)) {
        if (std::regex_match(entry.path().filename().string(), pattern)) fs::remove(entry.path());
    }
    if (fs::is_empty(plots)) fs::remove(plots);
}

std::string earlier_plan(const RunDirectory& directory, bool fresh, const std::optional<fs::path>& grown_from) {
    const auto plan_of = [](const RunDirectory& place) -> std::string {
        try {
            return place.note(kPlanNote);
        } catch (const Error&) {
            return "";
        }
    };
    std::string plan = fresh ? "" : plan_of(directory);
    if (plan.empty() && grown_from && fs::is_directory(*grown_from)) plan = plan_of(RunDirectory(*grown_from));
    return plan;
}

std::string picture_name(const std::string& split, const std::string& kind, const std::string& format) {
    return kind == "line" ? "line." + format : split + "_" + kind + "." + format;
}

}  // namespace lossmap
