#include "cuda/backend/pass_choice.hpp"

#include <algorithm>

#include "core/error.hpp"
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
Footprint footprint(const ExecutableRequest& request, Device& device, BuildOptions options) {
    options.points = 1;
    options.estimate = true;
    const auto program = build_chosen(request, device, options);
    const auto bytes = [&](Phase phase) { return static_cast<std::int64_t>(program->arena_bytes(phase)); };
    return {bytes(Phase::constant), bytes(Phase::tile), static_cast<std::int64_t>(kThetaSets) * bytes(Phase::theta)};
}

std::int64_t fitting_points(const Footprint& needs, std::int64_t available, const DeviceFacts& facts) {
    const std::int64_t fitting = std::min(facts.pass_bytes / needs.pass, available / needs.one_point());
    return power_of_two_below(std::clamp<std::int64_t>(fitting, 1, facts.most_points));
}

}  // namespace

std::unique_ptr<Program> build_chosen(const ExecutableRequest& request, Device& device, const BuildOptions& options) {
    BoundRequest bound =
        options.training ? bind_batch(request, options.tile_samples) : bind_request(request, options.tile_samples);
    return build_program(request, std::move(bound), device, options);
}

PassChoice choose_passes(const ExecutableRequest& request, Device& device) {
    if (request.graph == nullptr) throw InternalError("a request needs a graph");
    if (request.tile_points < 0) throw InputError("{} points a pass", request.tile_points);
    const DeviceFacts& facts = device.facts();
    const std::int64_t required = required_tile_samples(request);
    PassChoice choice;
    choice.inference.tile_samples = required > 0 ? required : 2;
    choice.inference.precision = request.precision;
    Footprint inference = footprint(request, device, choice.inference);
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
        choice.training.push_back({1, samples, Precision::fp32, false, true});
        training.push_back(footprint(request, device, choice.training.back()));
        least += training.back().least();
    }
    const auto available = static_cast<std::int64_t>(kMemoryShare * static_cast<double>(facts.free_bytes));
    if (available < least) {
        throw InputError("the network needs {} MiB of device memory, {} of {} MiB are free on {}", least >> 20,
                         facts.free_bytes >> 20, facts.memory_bytes >> 20, facts.id);
    }
    // What one point of each takes is set aside; the rest goes to the programs in turn.
    std::int64_t rest = available - least;
    const auto points_of = [&](const Footprint& needs) {
        const std::int64_t points = fitting_points(needs, rest + needs.one_point(), facts);
        rest -= (points - 1) * needs.one_point();
        return points;
    };
    choice.inference.points = request.tile_points > 0 ? request.tile_points : points_of(inference);
    for (std::size_t k = 0; k < training.size(); ++k)
        choice.training[k].points = points_of(training[k]);
    return choice;
}

PassChoice choose_passes(const ExecutableRequest& request, std::span<const std::shared_ptr<Device>> devices) {
    PassChoice common = choose_passes(request, *devices.front());
    const auto shrink = [](BuildOptions& options, const BuildOptions& other) {
        options.points = std::min(options.points, other.points);
        options.tile_samples = std::min(options.tile_samples, other.tile_samples);
    };
    for (const auto& device : devices.subspan(1)) {
        const PassChoice own = choose_passes(request, *device);
        shrink(common.inference, own.inference);
        for (std::size_t k = 0; k < common.training.size(); ++k)
            shrink(common.training[k], own.training[k]);
    }
    return common;
}

}  // namespace lossmap::cuda
