#include "cuda/backend/plans/planner.hpp"

#include "core/error.hpp"
#include "cuda/backend/plans/problem_text.hpp"
#include "cuda/backend/plans/tried_problems.hpp"

namespace lossmap::cuda {

Planner::Planner(std::shared_ptr<Device> device, std::shared_ptr<WayChooser> chooser)
    : device_(std::move(device)), chooser_(std::move(chooser)) {
    const DeviceFacts& facts = device_->facts();
    device_text_ = fmt::format("{}, {}, driver {}", facts.description, facts.architecture, facts.driver);
    for (const std::string& library : facts.library_versions)
        device_text_ += ", " + library;
}

Planner::~Planner() = default;

std::shared_ptr<Planner> Planner::of_favourites() const {
    const auto notice = [chooser = chooser_](const std::string& sentence) { chooser->notice(sentence); };
    return std::make_shared<Planner>(device_, std::make_shared<WayChooser>(nullptr, notice, chooser_->threads()));
}

Planner::Name Planner::name_of(const std::string& text, const RecordedWays& recorded) {
    const auto found = recorded.find(text);
    return {text, found == recorded.end() ? "" : found->second};
}

Queue& Planner::queue() {
    if (queue_ == nullptr) queue_ = device_->make_queue();
    return *queue_;
}

void Planner::prepare(std::span<const ConvolutionProblem> convolutions, std::span<const GemmProblem> products,
                      const RecordedWays& recorded) {
    std::map<Name, std::unique_ptr<TriedProblem>> missing;
    for (const ConvolutionProblem& problem : convolutions) {
        const Name name = name_of(text_of(problem), recorded);
        if (known_.contains(name) || missing.contains(name)) continue;
        missing.emplace(name, std::make_unique<TriedConvolution>(*device_, queue(), problem));
    }
    for (const GemmProblem& problem : products) {
        const Name name = name_of(text_of(problem), recorded);
        if (known_.contains(name) || missing.contains(name)) continue;
        missing.emplace(name, std::make_unique<TriedGemm>(*device_, queue(), problem));
    }
    std::vector<TriedProblem*> tried;
    for (const auto& [name, problem] : missing)
        tried.push_back(problem.get());
    const std::vector<ChosenWay> chosen = chooser_->choose(tried, device_text_, recorded);
    auto way = chosen.begin();
    for (const auto& [name, problem] : missing)
        known_[name] = *way++;
}

Planner::Planned<ConvolutionPlan> Planner::convolution(const ConvolutionProblem& problem,
                                                       const RecordedWays& recorded) {
    prepare(std::span(&problem, 1), {}, recorded);
    const ChosenWay& chosen = known_.at(name_of(text_of(problem), recorded));
    return {std::static_pointer_cast<ConvolutionPlan>(chosen.plan), chosen.way.name, chosen.why_none};
}

Planner::Planned<GemmPlan> Planner::gemm(const GemmProblem& problem, const RecordedWays& recorded) {
    prepare({}, std::span(&problem, 1), recorded);
    const Name name = name_of(text_of(problem), recorded);
    const ChosenWay& chosen = known_.at(name);
    if (chosen.plan == nullptr) throw UnsupportedError("{} cannot be computed: {}", name.first, chosen.why_none);
    return {std::static_pointer_cast<GemmPlan>(chosen.plan), chosen.way.name, ""};
}

std::shared_ptr<GemmPlan> Planner::estimated_gemm(const GemmProblem& problem) {
    std::shared_ptr<GemmPlan>& plan = estimated_[text_of(problem)];
    if (plan == nullptr) plan = device_->build_gemm(problem, device_->gemm_ways(problem).front(), {});
    return plan;
}

}  // namespace lossmap::cuda
