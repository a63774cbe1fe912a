#include "cli/run/experiments/experiment_steps.hpp"

#include "cli/run/experiments/evaluate_steps.hpp"
#include "cli/run/experiments/landscape_steps.hpp"
#include "cli/run/experiments/repeat_steps.hpp"
#include "cli/run/experiments/trajectory_steps.hpp"
#include "cli/run/experiments/weight_norm_steps.hpp"
#include "core/error.hpp"

namespace lossmap {

ExperimentSteps::Files ExperimentSteps::write_first(const PreparedRun&, const RunDirectory&) const { return {}; }

ExperimentSteps::Files ExperimentSteps::draw(const PreparedRun&, const RunDirectory&, RunLog&,
                                             const std::function<void()>&) const {
    return {};
}

ExperimentSteps::Files ExperimentSteps::preview(const PreparedRun&, const RunDirectory&, RunLog&,
                                                const std::function<void()>&) const {
    return {};
}

std::optional<ReportRun> ExperimentSteps::report(const PreparedRun&) const { return std::nullopt; }

const ExperimentSteps& steps_of(Experiment experiment) {
    static const LandscapeSteps landscape;
    static const TrajectorySteps trajectory;
    static const EvaluateSteps evaluate;
    static const WeightNormSteps weight_norm;
    static const RepeatSteps repeat;
    switch (experiment) {
        case Experiment::surface:
        case Experiment::interpolation: return landscape;
        case Experiment::trajectory: return trajectory;
        case Experiment::evaluate: return evaluate;
        case Experiment::weight_norm: return weight_norm;
        case Experiment::repeat: return repeat;
    }
    throw InternalError("unknown experiment {}", static_cast<int>(experiment));
}

}  // namespace lossmap
