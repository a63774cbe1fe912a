#include "cuda/backend/pass_choice.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "cuda/backend/pass_model.hpp"
#include "cuda/backend/plans/recorded_plan.hpp"
#include "cuda/backend/resident_theta.hpp"

namespace lossmap::cuda {
namespace {

/// Samples of a pass at most: a rescue repeats a whole tile.
constexpr std::int64_t kMostTileSamples = 1024;
/// Samples of a tile by which the costs of a sample are found: two, so that nothing special is made of one.
constexpr std::int64_t kProbeSamples = 2;
/// Share of the free memory that programs may take.
constexpr double kMemoryShare = 0.9;

/// A program that may be run, and what a pass of it costs.
struct Probe {
    PassCosts costs;
    std::int64_t samples = 1;  ///< of the tile that was looked at

    /// Bytes of device memory of a pass.
    [[nodiscard]] std::int64_t bytes(const PassSize& size) const {
        return costs.constant_bytes + size.points * (costs.weight_bytes + size.samples * costs.evaluation_bytes);
    }
};

/// Builds the program for one point, so that what cannot be run is refused.
Probe probe(const ExecutableRequest& request, Planner& planner, BuildOptions options) {
    options.points = 1;
    options.estimate = true;
    const auto program = build_chosen(request, planner, options);
    const ProgramBuilder::Result& parts = program->parts;
    const auto bytes = [&](Phase phase) { return static_cast<std::int64_t>(program->arena_bytes(phase)); };
    const auto a_sample = [&](std::int64_t whole) {
        return std::max<std::int64_t>((whole + options.tile_samples - 1) / options.tile_samples, 1);
    };
    const std::int64_t operations = std::ssize(parts.operations[static_cast<std::size_t>(Phase::tile)]);
    const std::int64_t stages = std::ssize(program->stages);
    const auto convolutions = static_cast<std::int64_t>(parts.convolutions.size());
    PassCosts costs;
    costs.constant_bytes = bytes(Phase::constant);
    costs.weight_bytes = static_cast<std::int64_t>(kThetaSets) * bytes(Phase::theta);
    costs.evaluation_bytes = a_sample(bytes(Phase::tile));
    costs.traffic_bytes = a_sample(parts.traffic_bytes);
    costs.widest_bytes = a_sample(parts.widest_bytes);
    // The library's convolutions run once a point: its weights are its own.
    costs.point_launches = convolutions;
    costs.stage_launches = stages;
    costs.launches = std::max<std::int64_t>(operations - convolutions - stages, 0);
    return {costs, options.tile_samples};
}

/// What a request leaves open of the inference's pass, and what stands.
PassLimits limits_of(const ExecutableRequest& request, const RecordedPass& recorded, const DeviceFacts& facts) {
    PassLimits limits;
    limits.pass_bytes = facts.pass_bytes;
    limits.cache_bytes = facts.l2_bytes;
    limits.most_points = facts.most_points;
    limits.most_samples = kMostTileSamples;
    limits.total_points = request.total_points;
    limits.chunk_samples = request.chunk_samples;
    limits.fixed_points = request.tile_points;
    limits.fixed_samples = required_tile_samples(request);
    if (limits.fixed_samples == 0) limits.fixed_samples = recorded.tile_samples;
    return limits;
}

/// The recorded points where they fit, else the best size.
PassSize size_of_pass(const Probe& probe, PassLimits limits, std::int64_t recorded_points) {
    const PassSize recorded{recorded_points, limits.fixed_samples};
    const bool stands = limits.fixed_points == 0 && recorded_points > 0 && limits.fixed_samples > 0 &&
                        probe.bytes(recorded) <= limits.memory_bytes;
    return stands ? recorded : ranked_sizes(probe.costs, limits).front();
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
    PassLimits limits = limits_of(request, recorded.inference, facts);
    PassChoice choice;
    choice.inference.tile_samples = limits.fixed_samples > 0 ? limits.fixed_samples : kProbeSamples;
    choice.inference.precision = request.precision;
    choice.inference.recorded = recorded.inference.ways;
    const Probe inference = probe(request, planner, choice.inference);
    const PassSize smallest{1, std::max<std::int64_t>(limits.fixed_samples, 1)};
    std::int64_t least = ResidentTheta::bytes_for(request) + inference.bytes(smallest);
    std::vector<Probe> training;
    for (const std::int64_t samples : request.statistics_batches) {
        // Statistics are not worth having in a reduced precision: they are few and every result rests on them.
        choice.training.push_back({1, samples, Precision::fp32, false, true, recorded.of_batch(samples).ways});
        training.push_back(probe(request, planner, choice.training.back()));
        least += training.back().bytes({1, samples});
    }
    const auto available = static_cast<std::int64_t>(kMemoryShare * static_cast<double>(facts.free_bytes));
    if (available < least) {
        throw InputError("the network needs {} MiB of device memory, {} of {} MiB are free on {}", least >> 20,
                         facts.free_bytes >> 20, facts.memory_bytes >> 20, facts.id);
    }
    // What the smallest pass of each takes is set aside; the rest goes to the programs in turn.
    std::int64_t rest = available - least;
    const auto choose = [&](const Probe& own, const PassSize& set_aside, PassLimits wanted, std::int64_t points) {
        wanted.memory_bytes = rest + own.bytes(set_aside);
        const PassSize size = size_of_pass(own, wanted, points);
        rest -= std::max<std::int64_t>(own.bytes(size) - own.bytes(set_aside), 0);
        return size;
    };
    const PassSize chosen = choose(inference, smallest, limits, recorded.inference.points);
    choice.inference.points = chosen.points;
    choice.inference.tile_samples = chosen.samples;
    limits.fixed_points = limits.chunk_samples = 0;
    for (std::size_t k = 0; k < training.size(); ++k) {
        limits.fixed_samples = choice.training[k].tile_samples;
        choice.training[k].points =
            choose(training[k], {1, limits.fixed_samples}, limits, recorded.of_batch(limits.fixed_samples).points)
                .points;
    }
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
