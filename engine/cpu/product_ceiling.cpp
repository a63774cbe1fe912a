#include "cpu/product_ceiling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <dnnl.hpp>
#include <limits>
#include <unordered_map>
#include <vector>

#include "core/dtype.hpp"
#include "core/philox.hpp"
#include "cpu/worker_pool.hpp"

namespace lossmap::cpu {
namespace {

constexpr std::int64_t kExtent = 512;

double now_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Rate {
    double best = 0.0;
    double mean = 0.0;
};

Rate measure_one(double seconds) {
    using Desc = dnnl::memory::desc;
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    dnnl::stream stream(engine);
    const dnnl::memory::dims shape{kExtent, kExtent};
    const Desc rows(shape, dnnl::memory::data_type::bf16, dnnl::memory::format_tag::ab);
    const Desc any(shape, dnnl::memory::data_type::bf16, dnnl::memory::format_tag::any);
    const dnnl::matmul::primitive_desc description(engine, rows, any, rows);
    const dnnl::matmul product(description);
    const std::unordered_map<int, dnnl::memory> operands{
        {DNNL_ARG_SRC, dnnl::memory(rows, engine)},
        {DNNL_ARG_WEIGHTS, dnnl::memory(description.weights_desc(), engine)},
        {DNNL_ARG_DST, dnnl::memory(rows, engine)}};
    // Constants would draw less power. How the weights lie does not matter.
    std::uint64_t next = 0;
    for (const auto& [index, operand] : operands) {
        auto* numbers = static_cast<std::uint16_t*>(operand.get_data_handle());
        std::generate_n(numbers, operand.get_desc().get_size() / sizeof(std::uint16_t),
                        [&] { return float_to_bfloat16(gaussian(1, 0, 0, next++)); });
    }
    const auto run = [&] {
        product.execute(stream, operands);
        stream.wait();
    };
    run();
    double least = std::numeric_limits<double>::infinity();
    int runs = 0;
    const double begin = now_seconds();
    double now = begin;
    while (now < begin + seconds || runs == 0) {
        run();
        ++runs;
        const double then = now;
        now = now_seconds();
        least = std::min(least, now - then);
    }
    const double flops = 2.0 * kExtent * kExtent * kExtent;
    return {flops / least, flops * runs / (now - begin)};
}

}  // namespace

Ceiling measure_product_ceiling(std::size_t threads, double seconds) {
    std::vector<Rate> rates(threads);
    WorkerPool pool(threads);
    pool.run([&](std::size_t thread) { rates[thread] = measure_one(seconds); });
    Ceiling all{0.0, 0.0,
                fmt::format("the library's product of {0} x {0} matrices in bf16, {1} {2}", kExtent, threads,
                            threads == 1 ? "thread" : "threads")};
    for (const Rate& rate : rates) {
        all.flops_per_second += rate.best;
        all.at_hand += rate.mean;
    }
    return all;
}

}  // namespace lossmap::cpu
