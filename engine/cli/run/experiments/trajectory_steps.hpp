#pragma once

#include "cli/run/experiments/landscape_steps.hpp"

namespace lossmap {

/// The path of a training run over a plane, with the true loss at each checkpoint.
class TrajectorySteps final : public LandscapeSteps {
public:
    void prepare(PreparedRun& run, int threads, RunLog& log) const override;
    Files write_numbers(const PreparedRun& run, const RunDirectory& directory) const override;
};

}  // namespace lossmap
