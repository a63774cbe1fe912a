#include "cuda/backend/pass_choice.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "cuda/backend/plans/recorded_plan.hpp"
#include "cuda/backend/resident_theta.hpp"

namespace lossmap::cuda {
namespace {

/// Samples of a pass at most: beyond it nothing is won, and a rescue repeats a whole tile.
constexpr std::int64_t kMostTileSamples = 256;
/// Share of the free memory that programs may take.
constexpr double kMemoryShare = 0.9;

/// Bytes of device memory that a program takes.
struct Footprint {
    std::int64_t constants = 0;
    std::int64_t pass = 0;     ///< activations of one point and tile
    std::int64_t weights = 0;  ///< of one point, all sets

    [[nodiscard]] std::int64_t one_point() const { return pass + weights; }
    [[nodiscard]] std::int64_t least() const { return constants + one_point(); }
};

std::int64_t power_of_two_below(std::int64_t value) {
    std::int64_t power = 1;
    while (2 * power <= value)
        power *= 2;
    return power;
}

/// Of a pass over one point; builds the program, so that what cannot be run is refused.
Footprint footprint(const ExecutableRequest& request, Planner& planner, BuildOptions options) {
    options.points = 1;
    options.estimate = true;
    const auto program = build_chosen(request, planner, options);
    const auto bytes = [&](Phase phase) { return static_cast<std::int64_t>(program->arena_bytes(phase)); };
    return {bytes(Phase::constant), bytes(Phase::tile), static_cast<std::int64_t>(kThetaSets) * bytes(Phase::theta)};
}

std::int64_t fitting_points(const Footprint& needs, std::int64_t available, const DeviceFacts& facts) {
    const std::int64_t fitting = std::min(facts.pass_bytes / needs.pass, available / needs.one_point());
    return power_of_two_below(std::clamp<std::int64_t>(fitting, 1, facts.most_points));
}

}  // namespace

std::unique_ptr<Program> build_chosen(const ExecutableRequest& request, Planner& planner, const BuildOptions& options) {
    const auto build = [&](const BuildOptions& wanted) {
        return build_program(
            request,
            wanted.training ? bind_batch(request, wanted.tile_samples) : bind_request(request, wanted.tile_samples),
            planner, wanted);
    };
    if (!options.estimate) {
        // A first look says which plans are needed, so that their kernels can be compiled side by side.
        BuildOptions look = options;
        look.estimate = true;
        planner.prepare(build(look)->parts.convolutions, *options.recorded);
    }
    return build(options);
}

PassChoice choose_passes(const ExecutableRequest& request, Planner& planner) {
    if (request.graph == nullptr) throw InternalError("a request needs a graph");
    if (request.tile_points < 0) throw InputError("{} points a pass", request.tile_points);
    const DeviceFacts& facts = planner.device().facts();
    const RecordedPlan recorded = read_recorded_plan(request.recorded_plan, facts, request.precision);
    std::int64_t required = required_tile_samples(request);
    if (required == 0) required = recorded.inference.tile_samples;
    PassChoice choice;
    choice.inference.tile_samples = required > 0 ? required : 2;
    choice.inference.precision = request.precision;
    choice.inference.recorded = recorded.inference.ways;
    Footprint inference = footprint(request, planner, choice.inference);
    if (required == 0) {
        const std::int64_t sample = std::max<std::int64_t>(inference.pass / choice.inference.tile_samples, 1);
        choice.inference.tile_samples =
            std::min(power_of_two_below(std::max<std::int64_t>(facts.pass_bytes / sample, 1)), kMostTileSamples);
        inference.pass = sample * choice.inference.tile_samples;
    }
    std::int64_t least = ResidentTheta::bytes_for(request) + inference.least();
    std::vector<Footprint> training;
    for (const std::int64_t samples : request.statistics_batches) {
        // Statistics are not worth having in a reduced precision: they are few and every result rests on them.
        choice.training.push_back({1, samples, Precision::fp32, false, true, recorded.of_batch(samples).ways});
        training.push_back(footprint(request, planner, choice.training.back()));
        least += training.back().least();
    }
    const auto available = static_cast<std::int64_t>(kMemoryShare * static_cast<double>(facts.free_bytes));
    if (available < least) {
        throw InputError("the network needs {} MiB of device memory, {} of {} MiB are free on {}", least >> 20,
                         facts.free_bytes >> 20, facts.memory_bytes >> 20, facts.id);
    }
    // What one point of each takes is set aside; the rest goes to the programs in turn.
    std::int64_t rest = available - least;
    const auto points_of = [&](const Footprint& needs, std::int64_t recorded_points) {
        const std::int64_t available_points = (rest + needs.one_point()) / needs.one_point();
        const bool stands = recorded_points > 0 && recorded_points <= available_points;
        const std::int64_t points = stands ? recorded_points : fitting_points(needs, rest + needs.one_point(), facts);
        rest -= (points - 1) * needs.one_point();
        return points;
    };
    choice.inference.points =
        request.tile_points > 0 ? request.tile_points : points_of(inference, recorded.inference.points);
    for (std::size_t k = 0; k < training.size(); ++k)
        choice.training[k].points = points_of(training[k], recorded.of_batch(choice.training[k].tile_samples).points);
    return choice;
}

PassChoice choose_passes(const ExecutableRequest& request, std::span<const std::shared_ptr<Planner>> planners) {
    PassChoice common = choose_passes(request, *planners.front());
    const auto shrink = [](BuildOptions& options, const BuildOptions& other) {
        options.points = std::min(options.points, other.points);
        options.tile_samples = std::min(options.tile_samples, other.tile_samples);
    };
    for (const auto& planner : planners.subspan(1)) {
        const PassChoice own = choose_passes(request, *planner);
        shrink(common.inference, own.inference);
        for (std::size_t k = 0; k < common.training.size(); ++k)
            shrink(common.training[k], own.training[k]);
    }
    return common;
}

}  // namespace lossmap::cuda
