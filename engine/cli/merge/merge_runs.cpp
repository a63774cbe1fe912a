#include "cli/merge/merge_runs.hpp"

#include <algorithm>
#include <set>

#include <fmt/ranges.h>

#include "cli/merge/joined_units.hpp"
#include "cli/merge/merged_record.hpp"
#include "cli/merge/merged_run.hpp"
#include "cli/run/experiments/experiment_steps.hpp"
#include "cli/run/run_directory.hpp"
#include "core/error.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5_file.hpp"
#include "landscape/provenance_attributes.hpp"
#include "landscape/surface_file.hpp"
#include "output/report.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDirections = "direction.h5";
constexpr std::size_t kMostNamed = 12;

bool holds_run(const fs::path& folder) { return fs::is_directory(folder) && !RunDirectory(folder).identity().empty(); }

/// Each folder once: `out` first, where it holds a run.
std::vector<fs::path> folders_of(const std::vector<fs::path>& inputs, const fs::path& out) {
    std::vector<fs::path> folders;
    if (holds_run(out)) folders.push_back(out);
    for (const fs::path& input : inputs) {
        if (!fs::exists(input)) throw InputError("'{}': no such folder", input.string());
        const bool known = std::any_of(folders.begin(), folders.end(),
                                       [&](const fs::path& folder) { return fs::equivalent(folder, input); });
        if (!known) folders.push_back(input);
    }
    return folders;
}

void require_one_run(const StoredShare& first, const StoredShare& other) {
    if (first.identity.whole() == other.identity.whole()) return;
    std::string differing = first.identity.differing_parts(other.identity.json());
    if (differing.empty()) differing = other.identity.differing_parts(first.identity.json());
    throw InputError("'{}' and '{}' are different runs{}: they cannot be merged", first.folder.string(),
                     other.folder.string(), differing.empty() ? "" : fmt::format(" (they differ in: {})", differing));
}

/// Copies a file as it is; an earlier one stays when it fails.
void copy_atomically(const fs::path& from, const fs::path& to) {
    AtomicFile file(to);
    std::error_code error;
    fs::copy_file(from, file.temporary(), fs::copy_options::overwrite_existing, error);
    if (error) throw Error("cannot copy '{}' to '{}': {}", from.string(), to.string(), error.message());
    file.commit();
}

class Merge {
public:
    Merge(const std::vector<fs::path>& inputs, const fs::path& out, RunLog& log) : directory_(out), log_(log) {
        const std::vector<fs::path> folders = folders_of(inputs, out);
        goes_on_ = holds_run(out);
        std::vector<StoredShare> others;
        for (std::size_t k = goes_on_ ? 1 : 0; k < folders.size(); ++k) {
            others.push_back(read_share(folders[k]));
            require_one_run(others.front(), others.back());
        }
        if (!others.empty()) directory_.require_mergeable(others.front().identity);
        if (goes_on_) shares_.push_back(read_share(out));
        std::move(others.begin(), others.end(), std::back_inserter(shares_));
    }

    std::vector<fs::path> execute() {
        const RecordedShape shape = common_shape(shares_);
        const nlohmann::ordered_json record = merged_record(shares_);
        const JoinedUnits units = join_units(shares_, goes_on_ ? &shares_.front() : nullptr);
        PreparedRun run = make_merged_run(shares_, shape, units.all, record);
        if (!run.repeated) require_directions();
        const std::unique_ptr<Journal> journal = directory_.open(shares_.front().identity, false);
        log_.open_file(directory_ / "log.txt");
        try {
            describe(run);
            put_units(*journal, units.missing);
            write(run);
        } catch (const Error& error) {
            log_.record_error(error.what());
            throw;
        }
        note_missing(run, record);
        return files_;
    }

private:
    void require_directions() const {
        const StoredShare* holder = holder_of(shares_, kDirections);
        if (holder == nullptr) throw InputError("none of the runs has a {}", kDirections);
        const fs::path file = holder->folder / kDirections;
        require_own(*holder, kDirections, read_provenance(Hdf5File::open(file)));
        if (!holder->identity.has_part("directions") ||
            hash_directions(read_stored_axes(file)) != holder->identity.part("directions"))
            throw InputError("'{}' is damaged: its directions are not those of the run", file.string());
    }

    void describe(const PreparedRun& run) {
        log_.info(fmt::format("lossmap {}, merge of run {} in {}", program_version(), run.config.name,
                              directory_.path().string()));
        for (const StoredShare& share : shares_)
            log_.info(fmt::format("{}: {} units", share.folder.string(), share.units.size()));
        std::set<std::string> plans;
        for (const StoredShare& share : shares_) {
            if (!share.units.empty() && !share.plan.empty()) plans.insert(share.plan);
        }
        if (plans.size() > 1) {
            log_.warning(
                "the runs were computed with different plans (other processor, library or version): points may differ "
                "in the last digits");
        }
    }

    void put_units(Journal& journal, const std::vector<JournalEntry>& missing) {
        // Read before the journal was opened for good.
        const std::size_t known = goes_on_ ? shares_.front().units.size() : 0;
        if (journal.entries().size() != known)
            throw InputError("'{}' has gone on meanwhile: merge again", directory_.path().string());
        journal.append(missing);
        const auto put_note = [&](const char* key, std::string StoredShare::*note) {
            if (!journal.note(key).empty()) return;
            const auto has = std::find_if(shares_.begin(), shares_.end(),
                                          [&](const StoredShare& share) { return !(share.*note).empty(); });
            if (has != shares_.end()) journal.set_note(key, (*has).*note);
        };
        put_note(kPlanNote, &StoredShare::plan);
        put_note(kGrownNote, &StoredShare::grown_from);
    }

    void write(PreparedRun& run) {
        const ExperimentSteps& steps = steps_of(run.config.experiment);
        write_file_atomically(directory_ / "config.resolved.json", run.resolved + "\n");
        files_.push_back(directory_ / "config.resolved.json");
        if (!run.repeated) {
            const fs::path from = holder_of(shares_, kDirections)->folder / kDirections;
            if (!fs::exists(directory_ / kDirections)) copy_atomically(from, directory_ / kDirections);
            files_.push_back(directory_ / kDirections);
        }
        add_files(steps.write_numbers(run, directory_));
        try {
            add_files(steps.draw(run, directory_, log_, [] {}));
            if (const std::optional<ReportRun> page = steps.report(run)) {
                write_report(directory_ / "report.html", {*page});
                files_.push_back(directory_ / "report.html");
            }
        } catch (const Error& error) {
            throw Error("all numbers are merged and saved, but {}", error.what());
        }
    }

    void note_missing(const PreparedRun& run, const nlohmann::ordered_json& record) {
        const std::vector<std::size_t> missing = missing_points(run);
        if (missing.empty()) {
            log_.info(fmt::format("all {} points are done", run.points.size()));
            return;
        }
        log_.warning(
            fmt::format("{} of {} points are missing{}: merge the runs that have them into the same folder, or "
                        "'lossmap run {} --out {}' computes them",
                        missing.size(), run.points.size(), lacking_shares(missing, record),
                        (directory_ / "config.resolved.json").string(), directory_.path().string()));
    }

    /// " (of shares 2/4, 3/4)"; "" where the points were not shared in one way.
    static std::string lacking_shares(const std::vector<std::size_t>& missing, const nlohmann::ordered_json& record) {
        const std::vector<Shard> given = shards_in(record);
        if (given.empty()) return {};
        const auto count = static_cast<std::size_t>(given.front().count);
        std::set<std::size_t> lacking;
        for (const std::size_t point : missing)
            lacking.insert(point % count == 0 ? count : point % count);
        std::vector<std::string> names;
        for (const std::size_t index : lacking) {
            names.push_back(names.size() < kMostNamed ? fmt::format("{}/{}", index, count) : "..");
            if (names.size() > kMostNamed) break;
        }
        return fmt::format(" (of share{} {})", names.size() == 1 ? "" : "s", fmt::join(names, ", "));
    }

    void add_files(const std::vector<fs::path>& files) { files_.insert(files_.end(), files.begin(), files.end()); }

    RunDirectory directory_;
    RunLog& log_;
    std::vector<StoredShare> shares_;
    bool goes_on_ = false;  ///< the first share is what `out` holds already
    std::vector<fs::path> files_;
};

}  // namespace

std::vector<fs::path> merge_runs(const std::vector<fs::path>& inputs, const fs::path& out, RunLog& log) {
    return Merge(inputs, out, log).execute();
}

void copy_evaluation(const fs::path& from, const fs::path& out) {
    constexpr const char* kLast = "table.csv";  // with it all of them are there
    if (fs::exists(out / kLast)) return;
    const StoredShare share = read_share(from);
    RunDirectory directory(out);
    directory.require_mergeable(share.identity);
    const std::unique_ptr<Journal> journal = directory.open(share.identity, false);
    journal->append(share.units);
    journal->set_note(kPlanNote, share.plan);
    for (const char* file : {"config.resolved.json", "table.md", "table.tex", "report.html", kLast}) {
        if (fs::is_regular_file(from / file)) copy_atomically(from / file, directory / file);
    }
}

}  // namespace lossmap
