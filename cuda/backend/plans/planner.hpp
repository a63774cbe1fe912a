#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cuda/backend/device.hpp"
#include "cuda/backend/plans/way_chooser.hpp"

namespace lossmap::cuda {

/// Plans for one device's products and convolutions: asks the chooser, which devices of one kind share, and keeps what
/// it has been given. Used by one thread at a time.
class Planner {
public:
    Planner(std::shared_ptr<Device> device, std::shared_ptr<WayChooser> chooser);
    ~Planner();
    Planner(const Planner&) = delete;
    Planner& operator=(const Planner&) = delete;

    template <typename Plan>
    struct Planned {
        std::shared_ptr<Plan> plan;  ///< nullptr: the library has no way
        std::string way;
        std::string why_none;
    };

    [[nodiscard]] Device& device() const { return *device_; }
    [[nodiscard]] const std::shared_ptr<Device>& shared_device() const { return device_; }
    [[nodiscard]] WayChooser& chooser() const { return *chooser_; }
    /// For the same device, with the ways that libraries prefer: nothing is measured, nor looked up in the cache.
    [[nodiscard]] std::shared_ptr<Planner> of_favourites() const;
    /// What choices depend on beside the problem.
    [[nodiscard]] const std::string& device_text() const { return device_text_; }

    /// Makes plans for all of these at once, where libraries are asked and kernels compiled side by side.
    void prepare(std::span<const ConvolutionProblem> convolutions, std::span<const GemmProblem> products,
                 const RecordedWays& recorded);
    [[nodiscard]] Planned<ConvolutionPlan> convolution(const ConvolutionProblem& problem, const RecordedWays& recorded);
    /// Throws CudaError where the library has no way.
    [[nodiscard]] Planned<GemmPlan> gemm(const GemmProblem& problem, const RecordedWays& recorded);
    /// The library's favourite, to see what memory it takes. The library is asked once a problem: a transformer has the
    /// same few products in every layer, and each answer takes it about as long as a kernel runs.
    [[nodiscard]] std::shared_ptr<GemmPlan> estimated_gemm(const GemmProblem& problem);

private:
    /// Text of a problem and the way that was recorded for it.
    using Name = std::pair<std::string, std::string>;
    [[nodiscard]] static Name name_of(const std::string& text, const RecordedWays& recorded);
    [[nodiscard]] Queue& queue();

    std::shared_ptr<Device> device_;
    std::shared_ptr<WayChooser> chooser_;
    std::string device_text_;
    std::unique_ptr<Queue> queue_;  ///< of trials
    std::map<Name, ChosenWay> known_;
    std::map<std::string, std::shared_ptr<GemmPlan>> estimated_;  ///< by the text of the problem
};

}  // namespace lossmap::cuda
