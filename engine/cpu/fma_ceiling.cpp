#include "cpu/fma_ceiling.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "cpu/worker_pool.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lossmap::cpu {
namespace {

double now_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

#if defined(__x86_64__)

constexpr int kAccumulators =
    12;  // more than latency times units (4 x 2), and they fit the registers with two operands

/// `rounds` (at least 1) rounds of twelve independent FMAs. The loop is written out in instructions: a compiler that
/// sees equal accumulators merges them and shows twice the real rate, and one that keeps an array stores it every
/// round. A macro, as a function would have to be compiled for both instruction sets; "v" is "x" where there are no
/// more than sixteen registers.
// clang-format off
#define LOSSMAP_TWELVE_FMAS(a, x, y, rounds) \
    asm volatile( \
        "1:\n\t" \
        "vfmadd213ps %14, %13, %0\n\t" \
        "vfmadd213ps %14, %13, %1\n\t" \
        "vfmadd213ps %14, %13, %2\n\t" \
        "vfmadd213ps %14, %13, %3\n\t" \
        "vfmadd213ps %14, %13, %4\n\t" \
        "vfmadd213ps %14, %13, %5\n\t" \
        "vfmadd213ps %14, %13, %6\n\t" \
        "vfmadd213ps %14, %13, %7\n\t" \
        "vfmadd213ps %14, %13, %8\n\t" \
        "vfmadd213ps %14, %13, %9\n\t" \
        "vfmadd213ps %14, %13, %10\n\t" \
        "vfmadd213ps %14, %13, %11\n\t" \
        "dec %12\n\t" \
        "jnz 1b" \
        : "+v"((a)[0]), "+v"((a)[1]), "+v"((a)[2]), "+v"((a)[3]), "+v"((a)[4]), "+v"((a)[5]), \
          "+v"((a)[6]), "+v"((a)[7]), "+v"((a)[8]), "+v"((a)[9]), "+v"((a)[10]), "+v"((a)[11]), "+r"(rounds) \
        : "v"(x), "v"(y) \
        : "cc")
// clang-format on

__attribute__((target("avx512f"))) float fma_rounds_avx512(std::int64_t rounds) {
    __m512 a[kAccumulators];
    for (int k = 0; k < kAccumulators; ++k)
        a[k] = _mm512_set1_ps(1.0F + 0.01F * static_cast<float>(k));
    const __m512 x = _mm512_set1_ps(0.999F);
    const __m512 y = _mm512_set1_ps(0.001F);
    LOSSMAP_TWELVE_FMAS(a, x, y, rounds);
    float sum = 0.0F;
    for (const __m512& value : a)
        sum += _mm512_cvtss_f32(value);
    return sum;
}

__attribute__((target("avx2,fma"))) float fma_rounds_avx2(std::int64_t rounds) {
    __m256 a[kAccumulators];
    for (int k = 0; k < kAccumulators; ++k)
        a[k] = _mm256_set1_ps(1.0F + 0.01F * static_cast<float>(k));
    const __m256 x = _mm256_set1_ps(0.999F);
    const __m256 y = _mm256_set1_ps(0.001F);
    LOSSMAP_TWELVE_FMAS(a, x, y, rounds);
    float sum = 0.0F;
    for (const __m256& value : a)
        sum += _mm256_cvtss_f32(value);
    return sum;
}

template <typename Rounds>
FmaCeiling rate(Rounds&& run_rounds, int lanes, double seconds, const char* instructions) {
    constexpr std::int64_t kRounds = 100000;
    const double flops = 2e-9 * lanes * kAccumulators * static_cast<double>(kRounds);
    double best = 0.0;
    int rounds = 0;
    volatile float sink = 0.0F;
    const double begin = now_seconds();
    double now = begin;
    while (now < begin + seconds || rounds == 0) {
        sink = run_rounds(kRounds);
        ++rounds;
        const double then = now;
        now = now_seconds();
        best = std::max(best, flops / (now - then));
    }
    static_cast<void>(sink);
    return {best, flops * rounds / (now - begin), instructions};
}

#endif

}  // namespace

FmaCeiling measure_fma_ceiling([[maybe_unused]] double seconds) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return rate(fma_rounds_avx512, 16, seconds, "avx512f");
    if (__builtin_cpu_supports("fma")) return rate(fma_rounds_avx2, 8, seconds, "avx2+fma");
#endif
    return {0.0, 0.0, "none"};
}

FmaCeiling measure_fma_ceiling(std::size_t threads, double seconds) {
    std::vector<FmaCeiling> rates(threads);
    WorkerPool pool(threads);
    pool.run([&](std::size_t thread) { rates[thread] = measure_fma_ceiling(seconds); });
    FmaCeiling all{0.0, 0.0, rates.front().instructions};
    for (const FmaCeiling& one : rates) {
        all.gflops += one.gflops;
        all.mean_gflops += one.mean_gflops;
    }
    return all;
}

}  // namespace lossmap::cpu
