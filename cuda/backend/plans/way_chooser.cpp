#include "cuda/backend/plans/way_chooser.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/in_parallel.hpp"
#include "cuda/backend/device.hpp"

namespace lossmap::cuda {
namespace {

/// Ways of equal joined work that are measured, and of one family among them: the first families of the heuristics,
/// each with its first variants. A compiled kernel takes half a second to two of one core.
constexpr std::size_t kMostMeasured = 4;
constexpr std::size_t kMostOfFamily = 2;
/// Ways of equal joined work that are tried when nothing is measured.
constexpr std::size_t kMostTried = 2;
/// A way must be faster by this much than one that the library prefers: closer than that, timings are noise.
constexpr double kGain = 0.97;

/// What the store keeps about a problem: a line of JSON, then what the library serialized.
struct KeptWay {
    LibraryWay way;
    std::vector<std::byte> serialized;
};

std::vector<std::byte> encoded(const LibraryWay& way, double seconds, std::span<const std::byte> serialized) {
    const nlohmann::ordered_json json{{"way", way.name},
                                      {"family", way.family},
                                      {"joined", {way.joined.bias, way.joined.residual, way.joined.activation}},
                                      {"seconds", seconds}};
    const std::string line = json.dump() + "\n";
    std::vector<std::byte> bytes(line.size());
    std::memcpy(bytes.data(), line.data(), line.size());
    bytes.insert(bytes.end(), serialized.begin(), serialized.end());
    return bytes;
}

std::optional<KeptWay> decoded(std::span<const std::byte> bytes) {
    const auto newline = std::find(bytes.begin(), bytes.end(), std::byte{'\n'});
    if (newline == bytes.end()) return {};
    const auto length = static_cast<std::size_t>(newline - bytes.begin());
    const std::string line(reinterpret_cast<const char*>(bytes.data()), length);
    const auto json = nlohmann::json::parse(line, nullptr, false);
    try {
        KeptWay kept;
        kept.way.name = json.at("way").get<std::string>();
        kept.way.family = json.at("family").get<std::string>();
        const auto joined = json.at("joined").get<std::array<bool, 3>>();
        kept.way.joined = {joined[0], joined[1], joined[2]};
        const auto rest = bytes.subspan(length + 1);
        kept.serialized = {rest.begin(), rest.end()};
        return kept;
    } catch (const nlohmann::json::exception&) {
        return {};
    }
}

}  // namespace

struct WayChooser::Candidate {
    LibraryWay way;
    std::shared_ptr<LibraryPlan> plan;
    std::string failure;
};

struct WayChooser::Work {
    TriedProblem* problem = nullptr;
    std::string key;
    std::string wanted;  ///< name of the way that stands already; "": none does
    std::optional<KeptWay> kept;
    bool asked = false;
    std::vector<LibraryWay> offers;
    std::string failures;
    double seconds = 0.0;
    ChosenWay chosen;

    void ask() {
        if (asked) return;
        asked = true;
        try {
            offers = problem->offers(failures);
        } catch (const Error& error) {
            failures = error.what();
        }
    }
    void build(Candidate& candidate, std::span<const std::byte> serialized) const {
        try {
            candidate.plan = problem->build(candidate.way, serialized);
        } catch (const Error& error) {
            candidate.failure = error.what();
        }
    }
    void fail(const Candidate& candidate, const std::string& why) {
        failures += (failures.empty() ? "" : "; ") + candidate.way.name + ": " + why;
    }
    /// Whether the plan that was built may be used; notes why not.
    [[nodiscard]] bool accepts(const Candidate& candidate, bool& activations_hide_nan) {
        if (candidate.plan == nullptr) {
            fail(candidate, candidate.failure);
            return false;
        }
        Verdict verdict = Verdict::sound;
        try {
            verdict = problem->verdict_on(*candidate.plan);
        } catch (const OutOfDeviceMemory&) {
            throw;
        } catch (const Error& error) {
            fail(candidate, error.what());
            return false;
        }
        if (verdict == Verdict::unsteady) fail(candidate, "it gives other bits when it runs again");
        if (verdict == Verdict::hides_nan) {
            fail(candidate, "it turns NaN into a number");
            if (candidate.way.joined.activation) activations_hide_nan = true;
        }
        return verdict == Verdict::sound;
    }
    void take(const Candidate& candidate) { chosen = {candidate.way, candidate.plan, ""}; }
};

WayChooser::WayChooser(std::unique_ptr<PlanStore> store, Notice notice, unsigned threads)
    : store_(std::move(store)), notice_(std::move(notice)), threads_(std::max(threads, 1U)) {}

std::vector<WayChooser::Candidate> WayChooser::candidates_of(const Work& work, std::size_t most_each,
                                                             std::size_t most_of_family) const {
    std::vector<Candidate> result;
    for (const LibraryWay& way : work.offers) {
        if (way.joined.activation && activations_hide_nan_) continue;
        std::size_t alike = 0;
        std::size_t of_family = 0;
        for (const Candidate& other : result) {
            if (!(other.way.joined == way.joined)) continue;
            ++alike;
            if (other.way.family == way.family) ++of_family;
        }
        if (alike < most_each && of_family < most_of_family) result.push_back({way, nullptr, ""});
    }
    return result;
}

void WayChooser::look_up(Work& work, const std::string& device, const RecordedWays& recorded) {
    const std::string text = work.problem->text();
    work.key = device + "\n" + text;
    if (const auto found = recorded.find(text); found != recorded.end()) {
        work.wanted = found->second;
    } else if (const auto made = made_.find(work.key); made != made_.end()) {
        work.wanted = made->second;
    }
    if (store_ == nullptr) return;
    if (const auto bytes = store_->find(work.key)) work.kept = decoded(*bytes);
    if (!work.kept) return;
    if (work.wanted.empty()) work.wanted = work.kept->way.name;
    if (work.kept->way.name != work.wanted) work.kept.reset();
}

void WayChooser::rebuild(Work& work) const {
    if (work.kept) {
        Candidate candidate{work.kept->way, nullptr, ""};
        work.build(candidate, work.kept->serialized);
        if (candidate.plan != nullptr) return work.take(candidate);
    }
    work.ask();
    for (const LibraryWay& way : work.offers) {
        if (way.name != work.wanted) continue;
        Candidate candidate{way, nullptr, ""};
        work.build(candidate, {});
        if (candidate.plan != nullptr) return work.take(candidate);
    }
}

void WayChooser::try_in_order(std::span<Work*> works) {
    struct Search {
        Work* work;
        std::vector<Candidate> candidates;
        std::size_t next = 0;
    };
    std::vector<Search> open;
    for (Work* work : works)
        open.push_back({work, candidates_of(*work, kMostTried, kMostTried)});
    const auto advance = [&](Search& search) {
        while (search.next < search.candidates.size() && activations_hide_nan_ &&
               search.candidates[search.next].way.joined.activation)
            ++search.next;
    };
    const auto done = [](const Search& search) {
        return search.work->chosen.plan != nullptr || search.next >= search.candidates.size();
    };
    for (;;) {
        for (Search& search : open)
            advance(search);
        std::erase_if(open, done);
        if (open.empty()) return;
        in_parallel(open.size(), threads_,
                    [&](std::size_t k) { open[k].work->build(open[k].candidates[open[k].next], {}); });
        for (Search& search : open) {
            const Candidate& candidate = search.candidates[search.next++];
            const bool proven = candidate.plan != nullptr && candidate.way.proven;
            if (proven || search.work->accepts(candidate, activations_hide_nan_)) search.work->take(candidate);
            search.work->problem->release();
        }
    }
}

void WayChooser::measure(std::span<Work*> works) {
    std::vector<std::vector<Candidate>> candidates;
    std::vector<std::pair<Work*, Candidate*>> builds;
    for (const Work* work : works)
        candidates.push_back(candidates_of(*work, kMostMeasured, kMostOfFamily));
    for (std::size_t k = 0; k < works.size(); ++k) {
        for (Candidate& candidate : candidates[k])
            builds.emplace_back(works[k], &candidate);
    }
    in_parallel(builds.size(), threads_, [&](std::size_t k) { builds[k].first->build(*builds[k].second, {}); });
    for (std::size_t k = 0; k < works.size(); ++k) {
        take_fastest(*works[k], candidates[k]);
        works[k]->problem->release();
        keep(*works[k]);
    }
}

void WayChooser::take_fastest(Work& work, std::span<const Candidate> candidates) {
    if (candidates.size() == 1 && candidates[0].way.proven && candidates[0].plan != nullptr)
        return work.take(candidates[0]);
    for (const Candidate& candidate : candidates) {
        if (!work.accepts(candidate, activations_hide_nan_)) continue;
        const double seconds = work.problem->seconds_of(*candidate.plan);
        if (work.chosen.plan != nullptr && !(seconds < kGain * work.seconds)) continue;
        work.take(candidate);
        work.seconds = seconds;
    }
}

void WayChooser::keep(Work& work) {
    if (work.chosen.plan == nullptr) return;
    const auto own = encoded(work.chosen.way, work.seconds, work.chosen.plan->serialized());
    const auto standing = store_->keep(work.key, own);
    if (standing == own) return;
    // Another process was first: it may have measured otherwise, and runs on one machine are to agree.
    auto kept = decoded(standing);
    if (!kept || kept->way.name == work.chosen.way.name) return;
    Candidate candidate{kept->way, nullptr, ""};
    work.build(candidate, kept->serialized);
    if (candidate.plan != nullptr) work.take(candidate);
}

std::vector<ChosenWay> WayChooser::choose(std::span<TriedProblem* const> problems, const std::string& device,
                                          const RecordedWays& recorded) {
    const std::lock_guard lock(mutex_);
    std::vector<Work> works(problems.size());
    for (std::size_t k = 0; k < works.size(); ++k) {
        works[k].problem = problems[k];
        look_up(works[k], device, recorded);
    }
    in_parallel(works.size(), threads_, [&](std::size_t k) {
        if (works[k].wanted.empty()) {
            works[k].ask();
        } else {
            rebuild(works[k]);
        }
    });
    std::vector<Work*> open;
    for (Work& work : works) {
        if (work.chosen.plan != nullptr) continue;
        if (!work.wanted.empty()) {
            notice_(fmt::format("{}: the library has no way '{}' any more; another one is chosen", work.problem->text(),
                                work.wanted));
        }
        open.push_back(&work);
    }
    if (store_ != nullptr && store_->works()) {
        measure(open);
    } else {
        try_in_order(open);
    }
    std::vector<ChosenWay> result;
    for (Work& work : works) {
        if (work.chosen.plan != nullptr) {
            made_.try_emplace(work.key, work.chosen.way.name);
        } else {
            work.chosen.why_none = work.failures.empty() ? "the library has no way" : work.failures;
        }
        result.push_back(std::move(work.chosen));
    }
    return result;
}

}  // namespace lossmap::cuda
