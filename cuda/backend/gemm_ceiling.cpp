#include "cuda/backend/gemm_ceiling.hpp"

#include <array>
#include <limits>
#include <memory>

#include "cuda/backend/queue_guard.hpp"

namespace lossmap::cuda {
namespace {

DType type_of(Precision precision) {
    if (precision == Precision::fp16) return DType::f16;
    return precision == Precision::bf16 ? DType::bf16 : DType::f32;
}

/// Gaussian numbers, by way of fp32 ones.
void queue_numbers(const Device& device, Queue& queue, std::uint32_t axis, const Memory& numbers, const Memory& out,
                   DType type, std::int64_t count) {
    kernels::GaussianFillArgs fill;
    fill.out = numbers.as<float>();
    fill.count = count;
    fill.axis = axis;
    const Access filled{numbers.data(), numbers.size_bytes(), true};
    queue.launch("gaussian_fill", {&filled, 1}, [&table = device.kernels(), fill](void* stream) {
        table.gaussian_fill(fill, kernels::Queue{stream});
    });
    kernels::CastArgs cast;
    cast.in = {numbers.data(), DType::f32, 0};
    cast.out = {out.data(), type, 0};
    cast.count = count;
    const std::array<Access, 2> accesses{
        {{numbers.data(), numbers.size_bytes(), false}, {out.data(), out.size_bytes(), true}}};
    queue.launch("cast", accesses,
                 [&table = device.kernels(), cast](void* stream) { table.cast(cast, kernels::Queue{stream}); });
}

}  // namespace

Ceiling measure_gemm_ceiling(Device& device, Precision precision, std::int64_t extent, double seconds) {
    GemmProblem problem;
    problem.rows = problem.columns = problem.inner = extent;
    problem.type = problem.result_type = type_of(precision);
    problem.precision = precision;
    problem.alignment = 256;  // of what a device gives at least
    const std::unique_ptr<GemmPlan> plan = device.build_gemm(problem, device.gemm_ways(problem).front(), {});
    const std::int64_t count = extent * extent;
    const std::size_t bytes = static_cast<std::size_t>(count) * size_of(problem.type);
    const Memory numbers = device.allocate(static_cast<std::size_t>(count) * sizeof(float));
    const Memory a = device.allocate(bytes), b = device.allocate(bytes), d = device.allocate(bytes);
    const Memory workspace = device.allocate(plan->workspace_bytes());
    const std::unique_ptr<Queue> queue = device.make_queue();
    const QueueGuard guard(*queue, *queue);
    queue_numbers(device, *queue, 0, numbers, a, problem.type, count);
    queue_numbers(device, *queue, 1, numbers, b, problem.type, count);
    GemmOperands operands;
    operands.a = a.data();
    operands.b = b.data();
    operands.d = d.data();
    operands.workspace = workspace.data();
    const std::array<Access, 3> accesses{
        {{a.data(), a.size_bytes(), false}, {b.data(), b.size_bytes(), false}, {d.data(), d.size_bytes(), true}}};
    const auto run = [&] { queue->launch("gemm", accesses, [&](void* stream) { plan->run(operands, stream); }); };
    run();
    double least = std::numeric_limits<double>::infinity();
    double spent = 0.0;
    int runs = 0;
    while (spent < seconds || runs == 0) {
        const auto begin = queue->timed_mark();
        run();
        const auto end = queue->timed_mark();
        end->synchronize();
        const double one = end->seconds_since(*begin);
        least = one < least ? one : least;
        spent += one;
        ++runs;
    }
    const auto side = static_cast<double>(extent);
    const double flops = 2.0 * side * side * side;
    return {flops / least, flops * runs / spent,
            fmt::format("the library's product of {0} x {0} matrices in {1}", extent, name_of(precision))};
}

}  // namespace lossmap::cuda
