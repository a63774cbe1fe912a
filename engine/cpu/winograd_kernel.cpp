#include "cpu/winograd_kernel.hpp"

#include "core/error.hpp"
#include "cpu/bf16.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#define LOSSMAP_WINOGRAD 1
#include <immintrin.h>
#endif

namespace lossmap::cpu {
namespace {

/// Transforms each filter to 4x4 numbers and hands them to put(k, channel, output, number).
template <typename Put>
void transform_filters(const float* weights, const float* factors, std::int64_t out_channels, std::int64_t channels,
                       Put&& put) {
    for (std::int64_t c = 0; c < channels; ++c) {
        for (std::int64_t o = 0; o < out_channels; ++o) {
            const float* g = weights + (o * channels + c) * 9;
            const float factor = factors == nullptr ? 1.0F : factors[o];
            float rows[4][3];  // G g, G = {1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1}
            for (int k = 0; k < 3; ++k) {
                const float first = g[k] * factor;
                const float middle = g[3 + k] * factor;
                const float last = g[6 + k] * factor;
                rows[0][k] = first;
                rows[1][k] = 0.5F * (first + last + middle);
                rows[2][k] = 0.5F * (first + last - middle);
                rows[3][k] = last;
            }
            for (int row = 0; row < 4; ++row) {
                const float ends = rows[row][0] + rows[row][2];
                put(4 * row, c, o, rows[row][0]);
                put(4 * row + 1, c, o, 0.5F * (ends + rows[row][1]));
                put(4 * row + 2, c, o, 0.5F * (ends - rows[row][1]));
                put(4 * row + 3, c, o, rows[row][2]);
            }
        }
    }
}

}  // namespace

void winograd_weights(const float* weights, const float* factors, std::int64_t out_channels, std::int64_t channels,
                      float* transformed) {
    const std::int64_t plane = channels * out_channels;
    transform_filters(weights, factors, out_channels, channels,
                      [&](int k, std::int64_t c, std::int64_t o, float value) {
                          transformed[k * plane + c * out_channels + o] = value;
                      });
}

void winograd_weights_bf16(const float* weights, const float* factors, std::int64_t out_channels, std::int64_t channels,
                           std::uint16_t* transformed) {
    const std::int64_t plane = channels * out_channels;
    transform_filters(weights, factors, out_channels, channels,
                      [&](int k, std::int64_t c, std::int64_t o, float value) {
                          transformed[k * plane + c / 2 * 2 * out_channels + 2 * o + c % 2] = bf16_of(value);
                      });
}

}  // namespace lossmap::cpu

#if defined(LOSSMAP_WINOGRAD)

#define LOSSMAP_WINOGRAD_TARGET __attribute__((target("avx512f,prefer-vector-width=512")))
#define LOSSMAP_WINOGRAD_INLINE __attribute__((target("avx512f,prefer-vector-width=512"), always_inline)) inline

namespace lossmap::cpu {
namespace {

using Element = float;

LOSSMAP_WINOGRAD_INLINE __m512 load(const float* from) { return _mm512_loadu_ps(from); }
LOSSMAP_WINOGRAD_INLINE void store(float* to, __m512 values) { _mm512_storeu_ps(to, values); }

using Operand = __m512;
constexpr std::int64_t kTogether = 1;
LOSSMAP_WINOGRAD_INLINE Operand broadcast(const float* from) { return _mm512_set1_ps(*from); }
LOSSMAP_WINOGRAD_INLINE Operand load_factors(const float* from) { return _mm512_loadu_ps(from); }
LOSSMAP_WINOGRAD_INLINE __m512 multiply_add(Operand a, Operand b, __m512 sum) { return _mm512_fmadd_ps(a, b, sum); }

}  // namespace
}  // namespace lossmap::cpu

#include "cpu/winograd_body.hpp"

namespace lossmap::cpu {

bool winograd_available() { return __builtin_cpu_supports("avx512f"); }

void winograd_convolution(const WinogradShape& shape, const float* source, const float* weights, const float* bias,
                          const float* residual, bool relu, float* target, float* scratch) {
    float* products = scratch + 16 * shape.patches_together() * shape.channels;
    convolve(shape, source, weights, {bias, residual, relu, target}, scratch, products);
}

}  // namespace lossmap::cpu

#else

namespace lossmap::cpu {

bool winograd_available() { return false; }

void winograd_convolution(const WinogradShape&, const float*, const float*, const float*, const float*, bool, float*,
                          float*) {
    throw InternalError("this program has no Winograd convolution for this kind of machine");
}

}  // namespace lossmap::cpu

#endif
