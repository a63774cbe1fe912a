#include "cuda/backend/pass_sizing.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "cuda/backend/cuda_executable.hpp"
#include "cuda/backend/plans/problem_text.hpp"
#include "cuda/backend/program_text.hpp"
#include "data/input_bytes.hpp"

namespace lossmap::cuda {
namespace {

constexpr std::size_t kMostSizes = 6;
/// Device time that measuring may take: a second or a small share of a long job, and never more than another share.
constexpr double kMostSeconds = 1.0;
constexpr double kShareOfLongJob = 2e-3;
constexpr double kShareOfJob = 0.05;
/// Device time that a size should take, by which the tiles of a block are chosen: with more of them the weights' share
/// of a pass is truer.
constexpr double kSecondsASize = 0.15;
constexpr std::int64_t kMostTiles = 16;
constexpr std::int64_t kMostChunkBytes = std::int64_t{256} << 20;
/// Of a processor, to make the kernel of a convolution that was not met before (docs/gpu.md).
constexpr double kCompileSeconds = 1.0;

std::int64_t bytes_a_sample(const ExecutableRequest& request) {
    return std::max<std::int64_t>(input_bytes(request.inputs), 1);
}

/// A size, the tiles that a block of it is measured with, and what that takes by the model.
struct Trial {
    PassSize size;
    std::int64_t tiles = 1;
    double seconds = 0.0;
};

Trial trial_of(const SizeQuestion& question, const PassSize& size) {
    const double pass = estimated_pass_seconds(question.costs, question.limits, size);
    const std::int64_t chunk = std::max(question.limits.chunk_samples, size.samples);
    const auto warm = static_cast<double>(CudaExecutable::kWarmBlocks);
    const auto timed = static_cast<double>(CudaExecutable::kTimedBlocks);
    const auto affordable = static_cast<std::int64_t>((kSecondsASize / pass - warm) / timed);
    const std::int64_t most = std::min({kMostTiles, (chunk + size.samples - 1) / size.samples,
                                        kMostChunkBytes / (bytes_a_sample(*question.request) * size.samples)});
    Trial trial{size, std::max<std::int64_t>(std::min(affordable, most), 1)};
    trial.seconds = pass * (warm + timed * static_cast<double>(trial.tiles));
    return trial;
}

/// What is to be measured, and why nothing is.
struct Trials {
    std::vector<Trial> trials;
    std::string why_none;
};

/// Why measurements, own or others', say nothing of a job; "" when they do.
std::string why_no_measuring(const ExecutableRequest& request) {
    if (request.traceable) return "values are to be traced";
    if (request.total_points == 0 || request.total_samples == 0) return "the size of the job is not known";
    return "";
}

Trials trials_of(const SizeQuestion& question, unsigned threads) {
    const ExecutableRequest& request = *question.request;
    const std::vector<PassSize> sizes = sizes_to_measure(question.costs, question.limits, kMostSizes);
    if (sizes.size() == 1) return {{}, "no other size comes near"};
    const PassSize& favourite = sizes.front();
    const double job = estimated_pass_seconds(question.costs, question.limits, favourite) *
                       std::ceil(static_cast<double>(request.total_points) / static_cast<double>(favourite.points)) *
                       std::ceil(static_cast<double>(request.total_samples) / static_cast<double>(favourite.samples));
    std::set<std::string> problems;
    for (const ConvolutionProblem& problem : question.program->parts.convolutions)
        problems.insert(text_of(problem));
    // Convolutions run once a point: another number of points needs no other kernels.
    const double kernels = kCompileSeconds * static_cast<double>(problems.size()) / threads;
    const double device_share = std::max(kMostSeconds, kShareOfLongJob * job);
    double device = 0.0;
    double whole = 0.0;
    std::set<std::int64_t> samples;
    Trials result;
    for (const PassSize& size : sizes) {
        const Trial trial = trial_of(question, size);
        const double compiled = samples.contains(size.samples) ? 0.0 : kernels;
        if (device + trial.seconds > device_share || whole + trial.seconds + compiled > kShareOfJob * job) continue;
        device += trial.seconds;
        whole += trial.seconds + compiled;
        samples.insert(size.samples);
        result.trials.push_back(trial);
    }
    const bool favourite_is_there = !result.trials.empty() && result.trials.front().size == favourite;
    if (!favourite_is_there || result.trials.size() == 1)
        return {{}, fmt::format("the job is small: some {:.2g} s", job)};
    return result;
}

/// Rows that every network takes: any numbers, and 0 where an index may be meant.
SampleInput any_rows(const FieldInfo& field, std::int64_t rows) {
    Shape shape = field.sample_shape;
    shape.insert(shape.begin(), rows);
    if (field.is_bytes()) {
        ByteTable table{field.byte_channels, {}};
        for (std::size_t k = 0; k < static_cast<std::size_t>(table.channels) * ByteTable::kEntries; ++k)
            table.values.push_back(static_cast<float>(k % ByteTable::kEntries) / 128.0F - 1.0F);
        Tensor bytes(DType::u8, shape);
        std::uint8_t value = 0;
        for (std::uint8_t& element : bytes.as<std::uint8_t>())
            element = value++;
        return {std::move(bytes), std::make_shared<const ByteTable>(std::move(table))};
    }
    Tensor tensor(field.dtype, shape);
    if (field.dtype == DType::f32) {
        float value = -1.0F;
        for (float& element : tensor.as<float>()) {
            element = value;
            value = value < 1.0F ? value + 0.0078125F : -1.0F;
        }
    } else {
        auto* bytes = static_cast<std::byte*>(tensor.data());
        std::fill_n(bytes, tensor.size_bytes(), std::byte{0});
    }
    return tensor;
}

SampleChunk any_chunk(const ExecutableRequest& request, std::int64_t rows) {
    SampleChunk chunk;
    chunk.count = rows;
    for (const FieldInfo& field : request.inputs)
        chunk.inputs.push_back(any_rows(field, rows));
    chunk.target = any_rows(request.target, rows);
    return chunk;
}

/// Seconds of an evaluation that counts; nothing where it cannot be run.
std::optional<double> measured_seconds(const SizeQuestion& question, const Trial& trial,
                                       const std::shared_ptr<Planner>& planner) {
    ExecutableRequest request = *question.request;
    request.recorded_plan.clear();
    request.statistics_batches.clear();
    PassChoice passes;
    passes.inference = question.program->options;
    passes.inference.estimate = false;
    passes.inference.points = trial.size.points;
    passes.inference.tile_samples = trial.size.samples;
    try {
        CudaExecutable executable(request, planner, passes);
        const double pass = executable.seconds_a_pass(any_chunk(request, trial.tiles * trial.size.samples));
        return pass / (static_cast<double>(trial.size.points * trial.size.samples) *
                       useful_share(question.limits, trial.size));
    } catch (const Interrupted&) {
        throw;
    } catch (const Error&) {
        return {};  // too large for the device or a library; the favourite runs, or says what is wrong
    }
}

std::string record_of(const MeasuredSizes& sizes) {
    nlohmann::ordered_json record{{"by", sizes.elsewhere ? "measuring in other jobs" : "measuring"}};
    for (const TriedSize& tried : sizes.tried) {
        record["tried"].push_back({{"points", tried.size.points},
                                   {"samples", tried.size.samples},
                                   {"nanoseconds", std::round(tried.seconds * 1e12) / 1e3}});
    }
    return record.dump();
}

}  // namespace

ChosenSize size_by_model(const SizeQuestion& question, const std::string& why) {
    nlohmann::ordered_json record{{"by", why.empty() ? "request" : "model"}};
    if (!why.empty()) record["because"] = why;
    return {ranked_sizes(question.costs, question.limits).front(), record.dump()};
}

std::string PassSizer::network_of(const SizeQuestion& question, const Planner& planner) const {
    return fmt::format("{}\nlossmap {}\nsize of a pass of {}", planner.device_text(), version_,
                       hash_of(*question.program, question.request->loss));
}

std::string PassSizer::key_of(const std::string& network, const PassLimits& limits) {
    return fmt::format("{}: {} points of {} samples together, {} and {} at most, {} and {} given, {} bytes", network,
                       limits.total_points, limits.chunk_samples, limits.most_points, limits.most_samples,
                       limits.fixed_points, limits.fixed_samples, limits.pass_bytes);
}

std::optional<ChosenSize> PassSizer::adopt(const SizeQuestion& question, const std::string& network) {
    const std::vector<TriedSize> rates = chooser_->rates(network);
    const auto size = size_by_rates(question.costs, question.limits, rates);
    if (!size) return {};
    const auto fit = [&](const PassSize& own) { return fits(question.costs, question.limits, own); };
    const MeasuredSizes kept = chooser_->keep(key_of(network, question.limits), {*size, rates, true}, fit);
    return ChosenSize{kept.chosen, record_of(kept)};
}

ChosenSize PassSizer::choose(const SizeQuestion& question, Planner& planner) {
    if (!chooser_->works()) return size_by_model(question, "nothing can be kept");
    const auto fit = [&](const PassSize& size) { return fits(question.costs, question.limits, size); };
    const std::string network = network_of(question, planner);
    const std::string key = key_of(network, question.limits);
    if (const auto known = chooser_->find(key, fit)) return {known->chosen, record_of(*known)};
    if (const std::string why = why_no_measuring(*question.request); !why.empty()) return size_by_model(question, why);
    if (auto adopted = adopt(question, network)) return *adopted;
    const unsigned threads = planner.chooser().threads();
    const Trials wanted = trials_of(question, threads);
    if (wanted.trials.empty()) return size_by_model(question, wanted.why_none);
    // Without a store ways are taken as the library prefers them: to measure four for every size would take minutes.
    const std::shared_ptr<Planner> favourites = planner.of_favourites();
    std::vector<PassSize> sizes;
    for (const Trial& trial : wanted.trials)
        sizes.push_back(trial.size);
    const auto measured = chooser_->measure(key, sizes, fit, [&](const PassSize& size) {
        const auto trial = std::find_if(wanted.trials.begin(), wanted.trials.end(),
                                        [&](const Trial& one) { return one.size == size; });
        return measured_seconds(question, *trial, favourites);
    });
    if (!measured) return size_by_model(question, "no size could be measured");
    std::vector<TriedSize> rates = measured->tried;
    for (TriedSize& rate : rates)
        rate.seconds *= useful_share(question.limits, rate.size);
    if (!measured->elsewhere) chooser_->add_rates(network, rates);
    return {measured->chosen, record_of(*measured)};
}

}  // namespace lossmap::cuda
