#include "cuda/backend/plans/tried_problems.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/error.hpp"
#include "cuda/backend/plans/problem_text.hpp"
#include "cuda/backend/queue_guard.hpp"
#include "cuda/backend/tiled_convolution.hpp"

namespace lossmap::cuda {
namespace {

constexpr std::size_t kNumbersBytes = std::size_t{64} << 10;
/// What is compared of a result: all of it up to 8 MiB, and of larger ones pieces all over it. Sums that meet in any
/// order differ everywhere, and bringing results to the host twice a way takes longer than all runs of it.
constexpr std::size_t kPieceBytes = std::size_t{512} << 10;
constexpr std::size_t kMostPieces = 16;
/// The least time of so many rounds of so many runs counts: others were disturbed. Long ones are disturbed less: when
/// rounds have taken so long, no further one begins.
constexpr int kRounds = 3;
constexpr int kRunsARound = 5;
constexpr double kEnoughSeconds = 0.1;
/// Points that ways of convolutions are timed over, where one of them covers points.
constexpr std::int64_t kMostTriedPoints = 64;
constexpr std::int64_t kMostTriedBytes = std::int64_t{256} << 20;

float number_of(std::uint32_t index) {
    // A multiplicative sequence (Knuth, The Art of Computer Programming 2, 3.2.1): any numbers of both signs will do.
    const std::uint32_t bits = index * 2654435761U;
    return static_cast<float>(bits >> 8U) / static_cast<float>(1U << 23U) - 1.0F;
}

void store(std::byte* where, float value, DType type) {
    if (type == DType::f32) {
        std::memcpy(where, &value, sizeof(value));
        return;
    }
    const std::uint16_t half = type == DType::f16 ? float_to_half(value) : float_to_bfloat16(value);
    std::memcpy(where, &half, sizeof(half));
}

bool is_nan(const std::byte* where, DType type) {
    if (type == DType::f32) {
        float value = 0.0F;
        std::memcpy(&value, where, sizeof(value));
        return std::isnan(value);
    }
    std::uint16_t half = 0;
    std::memcpy(&half, where, sizeof(half));
    return std::isnan(type == DType::f16 ? half_to_float(half) : bfloat16_to_float(half));
}

std::int64_t product(const std::array<std::int64_t, 3>& extents) { return extents[0] * extents[1] * extents[2]; }

}  // namespace

TriedOnDevice::Array TriedOnDevice::array(std::int64_t elements, DType type) const {
    const std::size_t bytes = static_cast<std::size_t>(elements) * size_of(type);
    return {device_.allocate(bytes), bytes, type};
}

void TriedOnDevice::take_memory(const LibraryPlan& plan) {
    if (numbers_.size_bytes() == 0) {
        numbers_ = device_.allocate_pinned(kNumbersBytes);
        piece_ = device_.allocate_pinned(std::min(result().bytes, kPieceBytes));
    }
    if (workspace_.size_bytes() >= plan.workspace_bytes()) return;
    queue_.synchronize();
    workspace_ = {};
    workspace_ = device_.allocate(plan.workspace_bytes());
}

void TriedOnDevice::release() {
    if (numbers_.size_bytes() == 0) return;
    queue_.synchronize();
    numbers_ = {};
    piece_ = {};
    workspace_ = {};
    result() = {};
    release_rest();
    for (Array* operand : inputs())
        *operand = {};
}

void TriedOnDevice::fill_with_numbers(const Array& array) {
    const std::size_t width = size_of(array.type);
    const std::size_t first = std::min(array.bytes, kNumbersBytes / width * width);
    // What went before may still be read from there.
    queue_.synchronize();
    for (std::size_t k = 0; k < first / width; ++k)
        store(numbers_.data() + k * width, number_of(static_cast<std::uint32_t>(k)), array.type);
    queue_.copy_to_device(array.memory.data(), numbers_.data(), first);
    for (std::size_t done = first; done < array.bytes; done *= 2)
        queue_.copy(array.memory.data() + done, array.memory.data(), std::min(done, array.bytes - done));
}

void TriedOnDevice::run(const LibraryPlan& plan) { queue_library(plan, workspace_.data()); }

std::vector<std::byte> TriedOnDevice::sampled_result() {
    const Array& whole = result();
    const std::size_t piece = std::min(whole.bytes, kPieceBytes);
    const std::size_t pieces = std::min((whole.bytes + piece - 1) / piece, kMostPieces);
    std::vector<std::byte> bytes(pieces * piece);
    for (std::size_t k = 0; k < pieces; ++k) {
        // The last one ends where the result does.
        const std::size_t offset = pieces == 1 ? 0 : (whole.bytes - piece) / (pieces - 1) * k;
        queue_.copy_to_host(piece_.data(), whole.memory.data() + offset, piece);
        queue_.synchronize();
        std::memcpy(bytes.data() + k * piece, piece_.data(), piece);
    }
    return bytes;
}

bool TriedOnDevice::result_begins_with_nan() {
    const Array& whole = result();
    queue_.copy_to_host(piece_.data(), whole.memory.data(), size_of(whole.type));
    queue_.synchronize();
    return is_nan(piece_.data(), whole.type);
}

Verdict TriedOnDevice::verdict_on(const LibraryPlan& plan) {
    const QueueGuard guard(queue_, queue_);
    const std::vector<Array*> operands = inputs();
    take_memory(plan);
    const Array& whole = result();
    for (const Array* operand : operands)
        queue_.fill(operand->memory.data(), 0xFF, operand->bytes);
    queue_.fill(whole.memory.data(), 0, whole.bytes);
    run(plan);
    if (!result_begins_with_nan()) return Verdict::hides_nan;
    for (const Array* operand : operands)
        fill_with_numbers(*operand);
    queue_.fill(whole.memory.data(), 0, whole.bytes);
    run(plan);
    const std::vector<std::byte> once = sampled_result();
    run(plan);
    return sampled_result() == once ? Verdict::sound : Verdict::unsteady;
}

double TriedOnDevice::seconds_of(const LibraryPlan& plan) {
    const QueueGuard guard(queue_, queue_);
    take_memory(plan);
    const auto round_of_runs = [&] {
        for (int k = 0; k < kRunsARound; ++k)
            queue_all(plan);
    };
    std::unique_ptr<Recording> recording;
    if (many_launches()) {
        // So many launches would wait for the host.
        try {
            recording = queue_.record(round_of_runs);
        } catch (const CannotRecord&) {
        }
    }
    double least = std::numeric_limits<double>::infinity();
    double spent = 0.0;
    for (int round = 0; round < kRounds && spent < kEnoughSeconds; ++round) {
        const auto begin = queue_.timed_mark();
        if (recording != nullptr)
            queue_.replay(*recording);
        else
            round_of_runs();
        const auto end = queue_.timed_mark();
        end->synchronize();
        const double seconds = end->seconds_since(*begin);
        spent += seconds;
        least = std::min(least, seconds / kRunsARound);
    }
    return least;
}

TriedConvolution::TriedConvolution(Device& device, Queue& queue, const ConvolutionProblem& problem)
    : TriedOnDevice(device, queue), problem_(problem) {
    const std::int64_t images = problem.images * problem.channels * product(problem.input);
    const std::int64_t results = problem.images * problem.out_channels * product(problem.output);
    const std::int64_t bytes = (images + 2 * results) * static_cast<std::int64_t>(size_of(problem.type));
    points_ = std::clamp<std::int64_t>(kMostTriedBytes / std::max<std::int64_t>(bytes, 1), 1,
                                       std::min(problem.points, kMostTriedPoints));
}

std::string TriedConvolution::text() const { return text_of(problem_); }

std::vector<LibraryWay> TriedConvolution::offers(std::string& why_none) {
    std::vector<LibraryWay> ways = device().convolution_ways(problem_, why_none);
    // Second to the library's favourite where it is not the likely winner: it is measured, and not taken without that.
    if (const auto own = tiled_way(problem_, device().facts())) {
        const bool first = ways.empty() || tiles_are_likely(problem_, device().facts());
        ways.insert(first ? ways.begin() : ways.begin() + 1, *own);
    }
    return ways;
}

std::shared_ptr<LibraryPlan> TriedConvolution::build(const LibraryWay& way, std::span<const std::byte> serialized) {
    if (way.family == kTiledFamily) return make_tiled_plan(problem_, device().kernels());
    return device().build_convolution(problem_, way, serialized);
}

std::vector<TriedOnDevice::Array*> TriedConvolution::inputs() {
    const ConvolutionProblem& p = problem_;
    if (images_.bytes == 0) {
        images_ = array(extent(p.images * p.channels * product(p.input), p.stride_images), p.type);
        weights_ =
            array(extent(p.out_channels * (p.channels / p.groups) * product(p.kernel), p.stride_weights), p.type);
        if (p.bias) bias_ = array(extent(p.out_channels, p.stride_bias), DType::f32);
        if (p.residual)
            residual_ = array(extent(p.images * p.out_channels * product(p.output), p.stride_result), p.type);
    }
    std::vector<Array*> result{&images_, &weights_};
    if (p.bias) result.push_back(&bias_);
    if (p.residual) result.push_back(&residual_);
    return result;
}

TriedOnDevice::Array& TriedConvolution::result() {
    const ConvolutionProblem& p = problem_;
    if (result_.bytes == 0) {
        result_ = array(extent(p.images * p.out_channels * product(p.output), p.stride_result), p.type);
        // With it, as nothing can be allocated while runs are recorded.
        if (p.pooled)
            pooled_ = array(extent(p.images * p.out_channels * product(p.output) / 4, p.stride_pooled), p.type);
    }
    return result_;
}

void TriedConvolution::queue_from(const LibraryPlan& plan, void* workspace, std::int64_t point) {
    const auto& own = static_cast<const ConvolutionPlan&>(plan);
    const auto at = [&](const Array& operand, std::int64_t stride) {
        return operand.bytes == 0
                   ? nullptr
                   : operand.memory.data() + point * stride * static_cast<std::int64_t>(size_of(operand.type));
    };
    ConvolutionOperands operands;
    operands.images = at(images_, problem_.stride_images);
    operands.weights = at(weights_, problem_.stride_weights);
    operands.bias = reinterpret_cast<const float*>(at(bias_, problem_.stride_bias));
    operands.residual = at(residual_, problem_.stride_result);
    operands.result = at(result_, problem_.stride_result);
    operands.workspace = workspace;
    operands.points = own.covers_points() ? points_ : 1;
    std::vector<Access> accesses{
        images_.access(false), weights_.access(false), result_.access(true), {workspace, plan.workspace_bytes(), true}};
    if (problem_.bias) accesses.push_back(bias_.access(false));
    if (problem_.residual) accesses.push_back(residual_.access(false));
    queue().launch("convolution", accesses, [&own, operands](void* stream) { own.run(operands, stream); });
}

void TriedConvolution::queue_library(const LibraryPlan& plan, void* workspace) { queue_from(plan, workspace, 0); }

void TriedConvolution::queue_all(const LibraryPlan& plan) {
    const std::int64_t step = static_cast<const ConvolutionPlan&>(plan).covers_points() ? points_ : 1;
    for (std::int64_t point = 0; point < points_; point += step)
        queue_from(plan, workspace().data(), point);
    queue_rest(plan);
    if (problem_.pooled && !static_cast<const ConvolutionPlan&>(plan).pools()) queue_pool();
}

void TriedConvolution::queue_pool() {
    const ConvolutionProblem& p = problem_;
    kernels::PoolArgs args;
    args.points = points_;
    args.samples = p.images;
    args.channels = p.out_channels;
    for (std::size_t axis = 0; axis < 3; ++axis) {
        args.window.input[axis] = p.output[axis];
        args.window.kernel[axis] = args.window.stride[axis] = axis == 0 ? 1 : 2;
        args.window.output[axis] = p.output[axis] / args.window.kernel[axis];
    }
    args.in_strides = kernels::channels_last(p.out_channels, args.window.input);
    args.out_strides = kernels::channels_last(p.out_channels, args.window.output);
    args.in = {result_.memory.data(), p.type, p.stride_result};
    args.out = {pooled_.memory.data(), p.type, p.stride_pooled};
    const std::array<Access, 2> accesses{result_.access(false), pooled_.access(true)};
    queue().launch("pool", accesses,
                   [run = device().kernels().pool, args](void* stream) { run(args, kernels::Queue{stream}); });
}

void TriedConvolution::queue_rest(const LibraryPlan& plan) {
    const ConvolutionProblem& p = problem_;
    const JoinedWork joined = plan.joined();
    kernels::EpilogueArgs args;
    args.points = points_;
    args.rows = p.images * product(p.output);
    args.channels = p.out_channels;
    args.in.type = args.out.type = args.residual.type = p.type;
    args.in.data = args.out.data = result_.memory.data();
    args.in.point_stride = args.out.point_stride = args.residual.point_stride = p.stride_result;
    std::vector<Access> accesses{result_.access(true)};
    if (p.bias && !joined.bias) {
        args.bias.data = bias_.memory.data();
        args.bias.point_stride = p.stride_bias;
        accesses.push_back(bias_.access(false));
    }
    if (p.residual && !joined.residual) {
        args.residual.data = residual_.memory.data();
        accesses.push_back(residual_.access(false));
    }
    if (p.relu && !joined.activation) args.activation.op = kernels::UnaryOp::relu;
    // In f16 a kernel of ours looks at every result, whatever else is left.
    const bool nothing_left = accesses.size() == 1 && args.activation.op == kernels::UnaryOp::identity;
    if (nothing_left && p.type != DType::f16) return;
    queue().launch("epilogue", accesses,
                   [run = device().kernels().epilogue, args](void* stream) { run(args, kernels::Queue{stream}); });
}

std::string TriedGemm::text() const { return text_of(problem_); }

std::vector<LibraryWay> TriedGemm::offers(std::string& why_none) {
    static_cast<void>(why_none);
    return device().gemm_ways(problem_);
}

std::shared_ptr<LibraryPlan> TriedGemm::build(const LibraryWay& way, std::span<const std::byte> serialized) {
    return device().build_gemm(problem_, way, serialized);
}

std::int64_t TriedGemm::extent(std::int64_t elements, std::int64_t stride) const {
    return (problem_.batch - 1) * stride + elements;
}

std::vector<TriedOnDevice::Array*> TriedGemm::inputs() {
    const GemmProblem& p = problem_;
    if (a_.bytes == 0) {
        a_ = array(extent(p.rows * p.inner, p.stride_a), p.type);
        b_ = array(extent(p.inner * p.columns, p.stride_b), p.type);
        if (p.bias) bias_ = array(extent(p.columns, p.stride_bias), DType::f32);
    }
    std::vector<Array*> result{&a_, &b_};
    if (p.bias) result.push_back(&bias_);
    return result;
}

TriedOnDevice::Array& TriedGemm::result() {
    if (result_.bytes == 0)
        result_ = array(extent(problem_.rows * problem_.columns, problem_.stride_d), problem_.result_type);
    return result_;
}

void TriedGemm::queue_library(const LibraryPlan& plan, void* workspace) {
    const GemmOperands operands{a_.memory.data(), b_.memory.data(), bias_.memory.as<float>(), result_.memory.data(),
                                workspace};
    std::vector<Access> accesses{
        a_.access(false), b_.access(false), result_.access(true), {workspace, plan.workspace_bytes(), true}};
    if (problem_.bias) accesses.push_back(bias_.access(false));
    const auto& own = static_cast<const GemmPlan&>(plan);
    queue().launch("gemm", accesses, [&own, operands](void* stream) { own.run(operands, stream); });
}

void TriedGemm::queue_rest(const LibraryPlan& plan) {
    const GemmProblem& p = problem_;
    const bool bias = p.bias && !plan.joined().bias;
    const bool activation = p.relu && !plan.joined().activation;
    if (!bias && !activation && p.result_type != DType::f16) return;
    kernels::EpilogueArgs args;
    args.points = p.batch;
    args.rows = p.rows;
    args.channels = p.columns;
    args.in.type = args.out.type = p.result_type;
    args.in.data = args.out.data = result_.memory.data();
    args.in.point_stride = args.out.point_stride = p.stride_d;
    std::vector<Access> accesses{result_.access(true)};
    if (bias) {
        args.bias.data = bias_.memory.data();
        args.bias.point_stride = p.stride_bias;
        accesses.push_back(bias_.access(false));
    }
    if (activation) args.activation.op = kernels::UnaryOp::relu;
    queue().launch("epilogue", accesses,
                   [run = device().kernels().epilogue, args](void* stream) { run(args, kernels::Queue{stream}); });
}

}  // namespace lossmap::cuda
