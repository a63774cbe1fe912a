#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cuda/backend/pass_model.hpp"
#include "cuda/backend/plans/planner.hpp"
#include "cuda/backend/plans/size_chooser.hpp"
#include "cuda/backend/program.hpp"

namespace lossmap::cuda {

/// A size of a pass, and how it came about: JSON for the recorded plan.
struct ChosenSize {
    PassSize size;
    std::string record;
};

/// What the size of an inference's passes is chosen from.
struct SizeQuestion {
    const ExecutableRequest* request = nullptr;
    const Program* program = nullptr;  ///< an estimate
    PassCosts costs;
    PassLimits limits;
};

/// The model's favourite.
/// @param why  it was not measured; "": there was nothing to choose
[[nodiscard]] ChosenSize size_by_model(const SizeQuestion& question, const std::string& why);

/// Measures sizes of passes of whole networks where that is worth it (decision 20): a few that the model holds for good
/// run on the device as they would in the run, with the ways that libraries prefer. What was measured serves jobs of
/// other numbers of points and samples, too.
class PassSizer {
public:
    /// @param chooser  keeps what is measured
    /// @param version  of this program: what it measured before is not trusted after it has changed
    PassSizer(std::unique_ptr<SizeChooser> chooser, std::string version)
        : chooser_(std::move(chooser)), version_(std::move(version)) {}

    [[nodiscard]] ChosenSize choose(const SizeQuestion& question, Planner& planner);

private:
    /// Of the network, whatever the job; and of a job.
    [[nodiscard]] std::string network_of(const SizeQuestion& question, const Planner& planner) const;
    [[nodiscard]] static std::string key_of(const std::string& network, const PassLimits& limits);
    /// By what was measured in jobs of other numbers of points and samples, where that tells of this one.
    [[nodiscard]] std::optional<ChosenSize> adopt(const SizeQuestion& question, const std::string& network);

    std::unique_ptr<SizeChooser> chooser_;
    std::string version_;
};

}  // namespace lossmap::cuda
