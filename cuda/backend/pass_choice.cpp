#include "cuda/backend/pass_choice.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "cuda/backend/chunk_buffers.hpp"
#include "cuda/backend/pass_model.hpp"
#include "cuda/backend/plans/recorded_plan.hpp"
#include "cuda/backend/resident_theta.hpp"
#include "cuda/backend/tiled_convolution.hpp"
#include "data/input_bytes.hpp"

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
    std::unique_ptr<Program> program;  ///< an estimate, for one point
    PassCosts costs;

    /// Bytes of device memory of a pass.
    [[nodiscard]] std::int64_t bytes(const PassSize& size) const {
        return costs.constant_bytes + size.points * (costs.weight_bytes + size.samples * costs.evaluation_bytes);
    }
};

/// Measured on an H100 with ResNet-56 (docs/gpu.md); what has not run yet is estimated from its machine code.
struct StageRate {
    const char* by;
    double seconds;  ///< half of what a block takes, of 18 layers of the three stages on average
    double macs_a_second;
};
constexpr StageRate kStageRates[] = {{"kernel warpgroup_stage", 4.5e-5, 2.3e14},
                                     {"kernel stage", 7e-5, 1.6e14},
                                     {"kernel tf32_stage", 6.5e-5, 1.3e14},
                                     {"kernel warpgroup_split_stage", 4e-5, 8e13},  // an estimate
                                     {"kernel split_stage", 7.5e-5, 5.6e13}};

/// Multiply-adds a second layer by layer, the same.
double layer_macs_a_second(Precision precision) {
    if (precision == Precision::fp32) return 6.5e12;
    return precision == Precision::tf32 ? 2.4e13 : 2.5e13;
}

/// Adds what launches of whole stages cost; says how many there are.
std::int64_t add_stages(const Program& program, PassCosts& costs) {
    std::int64_t stages = 0;
    costs.macs_a_second = layer_macs_a_second(program.options.precision);
    for (const auto& operation : program.parts.operations[static_cast<std::size_t>(Phase::tile)]) {
        for (const StageRate& rate : kStageRates) {
            if (operation->implementation() != rate.by) continue;
            // Nearly all arithmetic is theirs; the slowest kind of several tells.
            costs.macs_a_second = stages == 0 ? rate.macs_a_second : std::min(costs.macs_a_second, rate.macs_a_second);
            costs.stage_seconds += rate.seconds;
            ++stages;
        }
    }
    return stages;
}

/// Builds the program for one point, so that what cannot be run is refused.
Probe probe(const ExecutableRequest& request, Planner& planner, BuildOptions options) {
    options.points = 1;
    options.estimate = true;
    auto program = build_chosen(request, planner, options);
    const ProgramBuilder::Result& parts = program->parts;
    const auto bytes = [&](Phase phase) { return static_cast<std::int64_t>(program->arena_bytes(phase)); };
    const auto a_sample = [&](std::int64_t whole) {
        return std::max<std::int64_t>((whole + options.tile_samples - 1) / options.tile_samples, 1);
    };
    const std::int64_t operations = std::ssize(parts.operations[static_cast<std::size_t>(Phase::tile)]);
    const auto convolutions = static_cast<std::int64_t>(parts.convolutions.size());
    PassCosts costs;
    costs.constant_bytes = bytes(Phase::constant);
    costs.weight_bytes = static_cast<std::int64_t>(kThetaSets) * bytes(Phase::theta);
    costs.evaluation_bytes = a_sample(bytes(Phase::tile));
    costs.traffic_bytes = a_sample(parts.traffic_bytes);
    costs.widest_bytes = a_sample(parts.widest_bytes);
    // The library's convolutions run once a point: its weights are its own.
    for (const ConvolutionProblem& problem : parts.convolutions) {
        if (const auto times = convolution_times(problem, planner.device().facts()))
            costs.either_way.push_back(*times);
        else
            costs.point_launches += 1;
    }
    costs.blocks = program->dense_times;
    costs.launches = std::max<std::int64_t>(operations - convolutions - add_stages(*program, costs), 0);
    costs.macs = program->macs_per_sample;
    return {std::move(program), costs};
}

/// Bytes of samples that the programs of a request keep on the device, each of them its own.
std::int64_t kept_samples(const ExecutableRequest& request, const DeviceFacts& facts) {
    const std::int64_t sample = request.target.sample_bytes() + input_bytes(request.inputs);
    std::int64_t kept = kept_chunk_memory(facts);
    if (request.total_samples > 0) kept = std::min(kept, request.total_samples * sample);
    return kept * (1 + std::ssize(request.statistics_batches));
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

/// The recorded points where they fit, with the recorded or the given samples.
std::optional<ChosenSize> recorded_size(const Probe& probe, const PassLimits& limits, const RecordedPass& recorded) {
    const PassSize size{recorded.points, limits.fixed_samples};
    const bool stands = limits.fixed_points == 0 && size.points > 0 && size.samples > 0 &&
                        probe.bytes(size) + size.samples * limits.beside_bytes <= limits.memory_bytes;
    if (!stands) return {};
    return ChosenSize{size, recorded.size_record};
}

/// The size of the inference's passes.
ChosenSize choose_size(const ExecutableRequest& request, const Probe& probe, const PassLimits& limits,
                       const RecordedPass& recorded, Planner& planner, const Sizing& sizing) {
    if (auto known = recorded_size(probe, limits, recorded)) return *known;
    const SizeQuestion question{&request, probe.program.get(), probe.costs, limits};
    if (limits.fixed_points > 0 && limits.fixed_samples > 0) return size_by_model(question, "");
    if (sizing.sizer == nullptr) return size_by_model(question, sizing.why_not);
    return sizing.sizer->choose(question, planner);
}

}  // namespace

ExecutableRequest plain_request(const ExecutableRequest& request) {
    ExecutableRequest plain = request;
    plain.precision = Precision::fp32;
    plain.passes.split_stages = false;
    plain.traceable = false;
    plain.statistics_batches.clear();
    return plain;
}

std::unique_ptr<Program> build_chosen(const ExecutableRequest& request, Planner& planner, const BuildOptions& options) {
    const auto build = [&](const BuildOptions& wanted) {
        return build_program(
            request,
            wanted.training ? bind_batch(request, wanted.tile_samples) : bind_request(request, wanted.tile_samples),
            planner, wanted);
    };
    if (!options.estimate) {
        // A first look says which plans are needed, so that they can be made side by side.
        BuildOptions look = options;
        look.estimate = true;
        const auto looked = build(look);
        planner.prepare(looked->parts.convolutions, looked->parts.products, *options.recorded);
    }
    return build(options);
}

PassChoice choose_passes(const ExecutableRequest& request, Planner& planner, const Sizing& sizing) {
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
    if (!inference.program->is_exact()) {
        // What evaluates again has a point a pass at least, of as many samples.
        const Probe plain = probe(plain_request(request), planner, {1, choice.inference.tile_samples});
        limits.beside_bytes = plain.costs.evaluation_bytes;
        least += ResidentTheta::bytes_for(request) + plain.bytes(smallest);
    }
    std::vector<Probe> training;
    for (const std::int64_t samples : request.statistics_batches) {
        // Statistics are not worth having in a reduced precision: they are few and every result rests on them.
        choice.training.push_back({1, samples, Precision::fp32, false, true, recorded.of_batch(samples).ways});
        training.push_back(probe(request, planner, choice.training.back()));
        least += training.back().bytes({1, samples});
    }
    const std::int64_t free_bytes = std::max<std::int64_t>(facts.free_bytes - sizing.taken_bytes, 0);
    const auto available = static_cast<std::int64_t>(kMemoryShare * static_cast<double>(free_bytes));
    if (available < least) {
        throw InputError("the network needs {} MiB of device memory, {} of {} MiB are free on {}", least >> 20,
                         free_bytes >> 20, facts.memory_bytes >> 20, facts.id);
    }
    // What the smallest pass of each takes is set aside, and room for samples that stay; the rest goes to the programs
    // in turn.
    std::int64_t rest = std::max<std::int64_t>(available - least - kept_samples(request, facts), 0);
    limits.memory_bytes = rest + inference.bytes(smallest) + smallest.samples * limits.beside_bytes;
    const ChosenSize chosen = choose_size(request, inference, limits, recorded.inference, planner, sizing);
    rest -= std::max<std::int64_t>(inference.bytes(chosen.size) - inference.bytes(smallest) +
                                       (chosen.size.samples - smallest.samples) * limits.beside_bytes,
                                   0);
    limits.beside_bytes = 0;
    choice.inference.points = chosen.size.points;
    choice.inference.tile_samples = chosen.size.samples;
    choice.inference.size_record = chosen.record;
    limits.fixed_points = limits.chunk_samples = 0;
    for (std::size_t k = 0; k < training.size(); ++k) {
        BuildOptions& options = choice.training[k];
        const std::int64_t set_aside = training[k].bytes({1, options.tile_samples});
        limits.fixed_samples = options.tile_samples;
        limits.memory_bytes = rest + set_aside;
        const auto known = recorded_size(training[k], limits, recorded.of_batch(options.tile_samples));
        options.points = known ? known->size.points : ranked_sizes(training[k].costs, limits).front().points;
        rest -= std::max<std::int64_t>(training[k].bytes({options.points, options.tile_samples}) - set_aside, 0);
    }
    return choice;
}

PassChoice choose_passes(const ExecutableRequest& request, std::span<const std::shared_ptr<Planner>> planners,
                         const Sizing& sizing) {
    PassChoice common = choose_passes(request, *planners.front(), sizing);
    const auto shrink = [](BuildOptions& options, const BuildOptions& other) {
        options.points = std::min(options.points, other.points);
        options.tile_samples = std::min(options.tile_samples, other.tile_samples);
    };
    for (const auto& planner : planners.subspan(1)) {
        const PassChoice own = choose_passes(request, *planner, sizing);
        const bool stays = common.inference.points <= own.inference.points &&
                           common.inference.tile_samples <= own.inference.tile_samples;
        shrink(common.inference, own.inference);
        const bool is_own = common.inference.points == own.inference.points &&
                            common.inference.tile_samples == own.inference.tile_samples;
        if (!stays)
            common.inference.size_record = is_own ? own.inference.size_record : R"({"by":"what fits all devices"})";
        for (std::size_t k = 0; k < common.training.size(); ++k)
            shrink(common.training[k], own.training[k]);
    }
    return common;
}

}  // namespace lossmap::cuda
