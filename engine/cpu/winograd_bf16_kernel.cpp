#include "core/error.hpp"
#include "cpu/winograd_kernel.hpp"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include <cstring>

#define LOSSMAP_WINOGRAD_SET "avx512f,avx512bw,avx512vl,avx512bf16,prefer-vector-width=512"
#define LOSSMAP_WINOGRAD_TARGET __attribute__((target(LOSSMAP_WINOGRAD_SET)))
#define LOSSMAP_WINOGRAD_INLINE __attribute__((target(LOSSMAP_WINOGRAD_SET), always_inline)) inline

namespace lossmap::cpu {
namespace {

using Element = std::uint16_t;

LOSSMAP_WINOGRAD_INLINE __m512 load(const Element* from) {
    const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    // With masks of ones: GCC 12 warns of uninitialised values inside the plain forms.
    return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, halves), 16));
}
/// Rounds to nearest, ties to even; NaN stays NaN, what is subnormal becomes zero.
LOSSMAP_WINOGRAD_INLINE void store(Element* to, __m512 values) {
    const __m256bh halves = _mm512_cvtneps_pbh(values);
    std::memcpy(to, &halves, sizeof(halves));
}

using Operand = __m512bh;
constexpr std::int64_t kTogether = 2;
LOSSMAP_WINOGRAD_INLINE Operand broadcast(const Element* from) {
    int pair = 0;
    std::memcpy(&pair, from, sizeof(pair));
    return reinterpret_cast<Operand>(_mm512_set1_epi32(pair));
}
LOSSMAP_WINOGRAD_INLINE Operand load_factors(const Element* from) {
    return reinterpret_cast<Operand>(_mm512_loadu_si512(from));
}
LOSSMAP_WINOGRAD_INLINE __m512 multiply_add(Operand a, Operand b, __m512 sum) { return _mm512_dpbf16_ps(sum, a, b); }

}  // namespace
}  // namespace lossmap::cpu

#include "cpu/winograd_body.hpp"

namespace lossmap::cpu {

bool winograd_bf16_available() {
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bf16");
}

void winograd_convolution_bf16(const WinogradShape& shape, const std::uint16_t* source, const std::uint16_t* weights,
                               const float* bias, const std::uint16_t* residual, bool relu, std::uint16_t* target,
                               float* scratch) {
    auto* transformed = reinterpret_cast<Element*>(scratch + 16 * shape.patches_together() * shape.out_channels);
    convolve(shape, source, weights, {bias, residual, relu, target}, transformed, scratch);
}

}  // namespace lossmap::cpu

#else

namespace lossmap::cpu {

bool winograd_bf16_available() { return false; }

void winograd_convolution_bf16(const WinogradShape&, const std::uint16_t*, const std::uint16_t*, const float*,
                               const std::uint16_t*, bool, std::uint16_t*, float*) {
    throw InternalError("this program has no Winograd convolution for this kind of machine");
}

}  // namespace lossmap::cpu

#endif
