#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cuda/backend/library_plan.hpp"
#include "cuda/backend/plans/plan_store.hpp"

namespace lossmap::cuda {

/// Names of ways by the text of their problem, as a run's plan records them.
using RecordedWays = std::map<std::string, std::string>;

/// What running a plan on known operands showed.
enum class Verdict : std::uint8_t {
    sound,
    hides_nan,  ///< an activation turned NaN into a number: it would hide that a network has none
    unsteady,   ///< the second run gave other bits than the first one
};

/// A problem, the ways that a library has for it, and how one is tried out.
class TriedProblem {
public:
    virtual ~TriedProblem() = default;
    TriedProblem() = default;
    TriedProblem(const TriedProblem&) = delete;
    TriedProblem& operator=(const TriedProblem&) = delete;

    [[nodiscard]] virtual std::string text() const = 0;
    /// In the library's order; empty, with the reason, when there is none. This and `build` may throw Error, and may be
    /// called by other threads than the caller's, for several problems and ways at once.
    [[nodiscard]] virtual std::vector<LibraryWay> offers(std::string& why_none) = 0;
    [[nodiscard]] virtual std::shared_ptr<LibraryPlan> build(const LibraryWay& way,
                                                             std::span<const std::byte> serialized) = 0;
    [[nodiscard]] virtual Verdict verdict_on(const LibraryPlan& plan) = 0;
    /// Of one run, and of what it leaves to other kernels.
    [[nodiscard]] virtual double seconds_of(const LibraryPlan& plan) = 0;
    /// Gives back what trials needed.
    virtual void release() = 0;
};

/// The way that a problem is solved from now on.
struct ChosenWay {
    LibraryWay way;
    std::shared_ptr<LibraryPlan> plan;  ///< nullptr: there is none
    std::string why_none;
};

/// Chooses ways, once: what the run recorded comes first, then what this process has chosen (for another device of the
/// same kind), then what is in the store. Only without any of them are ways tried: with a store the fastest sound one
/// of the library's first few is taken and kept, without one the library's first sound one, as a choice that is
/// measured anew at every start would change results from run to run. Kernels are compiled by several threads.
/// Thread-safe.
class WayChooser {
public:
    /// @param store    nullptr: nothing is kept, nothing measured
    /// @param threads  that build plans
    WayChooser(std::unique_ptr<PlanStore> store, Notice notice, unsigned threads);

    /// @param device  what choices depend on beside the problem: kind of device, driver, versions of libraries
    [[nodiscard]] std::vector<ChosenWay> choose(std::span<TriedProblem* const> problems, const std::string& device,
                                                const RecordedWays& recorded);

    /// nullptr where nothing is kept. Not thread-safe.
    [[nodiscard]] PlanStore* store() const { return store_.get(); }
    [[nodiscard]] unsigned threads() const { return threads_; }
    void notice(const std::string& sentence) const { notice_(sentence); }

private:
    struct Candidate;
    struct Work;

    void look_up(Work& work, const std::string& device, const RecordedWays& recorded);
    void rebuild(Work& work) const;
    void try_in_order(std::span<Work*> works);
    void measure(std::span<Work*> works);
    void take_fastest(Work& work, std::span<const Candidate> candidates);
    void keep(Work& work);
    [[nodiscard]] std::vector<Candidate> candidates_of(const Work& work, std::size_t most_each,
                                                       std::size_t most_of_family) const;

    std::unique_ptr<PlanStore> store_;
    Notice notice_;
    unsigned threads_;
    bool activations_hide_nan_ = false;  ///< seen once, ways that join one are not built again: each takes its time
    std::map<std::string, std::string> made_;
    std::mutex mutex_;
};

}  // namespace lossmap::cuda
