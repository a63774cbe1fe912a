#include "cpu/winograd_kernel.hpp"

#include <algorithm>

#include "core/error.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#define LOSSMAP_WINOGRAD 1
#include <immintrin.h>
#endif

namespace lossmap::cpu {

void winograd_weights(const float* weights, const float* factors, std::int64_t out_channels, std::int64_t channels,
                      float* transformed) {
    const std::int64_t plane = channels * out_channels;
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
            float* out = transformed + c * out_channels + o;
            for (int row = 0; row < 4; ++row) {
                const float ends = rows[row][0] + rows[row][2];
                out[(4 * row) * plane] = rows[row][0];
                out[(4 * row + 1) * plane] = 0.5F * (ends + rows[row][1]);
                out[(4 * row + 2) * plane] = 0.5F * (ends - rows[row][1]);
                out[(4 * row + 3) * plane] = rows[row][2];
            }
        }
    }
}

#if defined(LOSSMAP_WINOGRAD)

namespace {

#define LOSSMAP_AVX512 __attribute__((target("avx512f,prefer-vector-width=512")))
#define LOSSMAP_AVX512_INLINE __attribute__((target("avx512f,prefer-vector-width=512"), always_inline)) inline

constexpr std::int64_t kLanes = 16;

/// Position of a patch's 2x2 outputs; steps from patch to patch without the divisions that an index would need.
struct Patch {
    std::int64_t image = 0;
    std::int64_t row = 0;
    std::int64_t column = 0;

    void advance(const WinogradShape& s) {
        column += 2;
        if (column < s.out_width) return;
        column = 0;
        row += 2;
        if (row < s.out_height) return;
        row = 0;
        ++image;
    }
};

/// B^T d of four vectors: d0 - d2, d1 + d2, d2 - d1, d1 - d3.
LOSSMAP_AVX512_INLINE void transform_four(__m512& d0, __m512& d1, __m512& d2, __m512& d3) {
    const __m512 first = _mm512_sub_ps(d0, d2);
    const __m512 second = _mm512_add_ps(d1, d2);
    const __m512 third = _mm512_sub_ps(d2, d1);
    d3 = _mm512_sub_ps(d1, d3);
    d0 = first;
    d1 = second;
    d2 = third;
}

/// B^T d B for 16 channels of a patch.
LOSSMAP_AVX512_INLINE void transform_and_store(__m512 (&d)[16], float* out, std::int64_t plane) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k)
        transform_four(d[k], d[4 + k], d[8 + k], d[12 + k]);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k)
        transform_four(d[4 * k], d[4 * k + 1], d[4 * k + 2], d[4 * k + 3]);
#pragma GCC unroll 16
    for (int k = 0; k < 16; ++k)
        _mm512_storeu_ps(out + k * plane, d[k]);
}

/// A patch that lies in the image with all its 4x4 pixels; `corner` is the first of them.
LOSSMAP_AVX512_INLINE void transform_inner(const WinogradShape& s, const float* corner, float* out,
                                           std::int64_t plane) {
    const std::int64_t line = s.width * s.channels;
    for (std::int64_t c = 0; c < s.channels; c += kLanes) {
        __m512 d[16];
#pragma GCC unroll 16
        for (int k = 0; k < 16; ++k)
            d[k] = _mm512_loadu_ps(corner + k / 4 * line + k % 4 * s.channels + c);
        transform_and_store(d, out + c, plane);
    }
}

/// A patch that reaches over an edge: zero outside the image.
LOSSMAP_AVX512_INLINE void transform_edge(const WinogradShape& s, const float* image, std::int64_t row,
                                          std::int64_t column, float* out, std::int64_t plane) {
    for (std::int64_t c = 0; c < s.channels; c += kLanes) {
        __m512 d[16];
#pragma GCC unroll 16
        for (int k = 0; k < 16; ++k) {
            const std::int64_t y = row + k / 4;
            const std::int64_t x = column + k % 4;
            const bool inside = y >= 0 && y < s.height && x >= 0 && x < s.width;
            d[k] = inside ? _mm512_loadu_ps(image + (y * s.width + x) * s.channels + c) : _mm512_setzero_ps();
        }
        transform_and_store(d, out + c, plane);
    }
}

LOSSMAP_AVX512 void transform_inputs(const WinogradShape& s, const float* source, Patch patch, std::int64_t count,
                                     float* out) {
    const std::int64_t plane = s.patches_together() * s.channels;
    for (std::int64_t t = 0; t < count; ++t, patch.advance(s), out += s.channels) {
        const float* image = source + patch.image * s.height * s.width * s.channels;
        const std::int64_t row = patch.row - s.pad_top;
        const std::int64_t column = patch.column - s.pad_left;
        if (row >= 0 && column >= 0 && row + 4 <= s.height && column + 4 <= s.width) {
            transform_inner(s, image + (row * s.width + column) * s.channels, out, plane);
        } else {
            transform_edge(s, image, row, column, out, plane);
        }
    }
}

/// out[Rows, Vectors * 16] = v[Rows, channels] x u[channels, ..], accumulators in registers.
template <int Rows, int Vectors>
LOSSMAP_AVX512_INLINE void multiply_block(const float* v, const float* u, float* out, std::int64_t channels,
                                          std::int64_t out_channels) {
    __m512 sum[Rows][Vectors];
#pragma GCC unroll 28
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
        for (int k = 0; k < Vectors; ++k)
            sum[r][k] = _mm512_setzero_ps();
    }
    for (std::int64_t c = 0; c < channels; ++c) {
        __m512 factor[Vectors];
#pragma GCC unroll 2
        for (int k = 0; k < Vectors; ++k)
            factor[k] = _mm512_loadu_ps(u + c * out_channels + k * kLanes);
#pragma GCC unroll 28
        for (int r = 0; r < Rows; ++r) {
            const __m512 value = _mm512_set1_ps(v[r * channels + c]);
#pragma GCC unroll 2
            for (int k = 0; k < Vectors; ++k)
                sum[r][k] = _mm512_fmadd_ps(value, factor[k], sum[r][k]);
        }
    }
#pragma GCC unroll 28
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
        for (int k = 0; k < Vectors; ++k)
            _mm512_storeu_ps(out + r * out_channels + k * kLanes, sum[r][k]);
    }
}

/// The same for any number of rows, in blocks of at most Most.
template <int Most, int Vectors>
LOSSMAP_AVX512_INLINE void multiply_rows(const float*& v, const float* u, float*& out, std::int64_t& rows,
                                         std::int64_t channels, std::int64_t out_channels) {
    while (rows >= Most) {
        multiply_block<Most, Vectors>(v, u, out, channels, out_channels);
        v += Most * channels;
        out += Most * out_channels;
        rows -= Most;
    }
}

/// One of the 16 products, [rows, channels] x [channels, out_channels].
LOSSMAP_AVX512 void multiply(const float* v, const float* u, float* out, std::int64_t rows, std::int64_t channels,
                             std::int64_t out_channels) {
    std::int64_t o = 0;
    for (; o + 2 * kLanes <= out_channels; o += 2 * kLanes) {
        const float* from = v;
        float* to = out + o;
        std::int64_t left = rows;
        multiply_rows<14, 2>(from, u + o, to, left, channels, out_channels);
        multiply_rows<8, 2>(from, u + o, to, left, channels, out_channels);
        multiply_rows<4, 2>(from, u + o, to, left, channels, out_channels);
        multiply_rows<1, 2>(from, u + o, to, left, channels, out_channels);
    }
    if (o == out_channels) return;
    const float* from = v;
    float* to = out + o;
    std::int64_t left = rows;
    multiply_rows<28, 1>(from, u + o, to, left, channels, out_channels);
    multiply_rows<14, 1>(from, u + o, to, left, channels, out_channels);
    multiply_rows<4, 1>(from, u + o, to, left, channels, out_channels);
    multiply_rows<1, 1>(from, u + o, to, left, channels, out_channels);
}

/// What is added to the products and where the outputs go.
struct Epilogue {
    const float* bias;
    const float* residual;
    bool relu;
    float* target;
};

LOSSMAP_AVX512_INLINE void store_output(const Epilogue& e, std::int64_t offset, __m512 value, __m512 bias) {
    value = _mm512_add_ps(value, bias);
    if (e.residual != nullptr) value = _mm512_add_ps(value, _mm512_loadu_ps(e.residual + offset));
    // "Not less than zero" holds for NaN.
    if (e.relu) value = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(value, _mm512_setzero_ps(), _CMP_NLT_UQ), value);
    _mm512_storeu_ps(e.target + offset, value);
}

/// The left of two outputs in a row, m0 + m1 + m2, and the right one, m1 - m2 - m3.
LOSSMAP_AVX512_INLINE __m512 left_output(const __m512 (&m)[4]) {
    return _mm512_add_ps(m[0], _mm512_add_ps(m[1], m[2]));
}
LOSSMAP_AVX512_INLINE __m512 right_output(const __m512 (&m)[4]) {
    return _mm512_sub_ps(_mm512_sub_ps(m[1], m[2]), m[3]);
}

LOSSMAP_AVX512 void transform_outputs(const WinogradShape& s, const float* products, Patch patch, std::int64_t count,
                                      const Epilogue& e) {
    const std::int64_t plane = s.patches_together() * s.out_channels;
    for (std::int64_t t = 0; t < count; ++t, patch.advance(s), products += s.out_channels) {
        const std::int64_t corner =
            ((patch.image * s.out_height + patch.row) * s.out_width + patch.column) * s.out_channels;
        const bool second_row = patch.row + 1 < s.out_height;
        const bool second_column = patch.column + 1 < s.out_width;
        for (std::int64_t o = 0; o < s.out_channels; o += kLanes) {
            __m512 upper[4];  // A^T m, A^T = {1 1 1 0; 0 1 -1 -1}
            __m512 lower[4];
#pragma GCC unroll 4
            for (int k = 0; k < 4; ++k) {
                const __m512 m1 = _mm512_loadu_ps(products + o + (4 + k) * plane);
                const __m512 m2 = _mm512_loadu_ps(products + o + (8 + k) * plane);
                upper[k] = _mm512_add_ps(_mm512_loadu_ps(products + o + k * plane), _mm512_add_ps(m1, m2));
                lower[k] = _mm512_sub_ps(_mm512_sub_ps(m1, m2), _mm512_loadu_ps(products + o + (12 + k) * plane));
            }
            const __m512 bias = e.bias == nullptr ? _mm512_setzero_ps() : _mm512_loadu_ps(e.bias + o);
            const std::int64_t below = corner + s.out_width * s.out_channels + o;
            store_output(e, corner + o, left_output(upper), bias);
            if (second_column) store_output(e, corner + s.out_channels + o, right_output(upper), bias);
            if (second_row) store_output(e, below, left_output(lower), bias);
            if (second_row && second_column) store_output(e, below + s.out_channels, right_output(lower), bias);
        }
    }
}

}  // namespace

bool winograd_available() { return __builtin_cpu_supports("avx512f"); }

void winograd_convolution(const WinogradShape& shape, const float* source, const float* weights, const float* bias,
                          const float* residual, bool relu, float* target, float* scratch) {
    const std::int64_t total = shape.batch * ((shape.out_height + 1) / 2) * ((shape.out_width + 1) / 2);
    const std::int64_t together = shape.patches_together();
    float* products = scratch + 16 * together * shape.channels;
    Patch patch;
    for (std::int64_t first = 0; first < total; first += together) {
        const std::int64_t count = std::min(together, total - first);
        transform_inputs(shape, source, patch, count, scratch);
        for (std::int64_t k = 0; k < 16; ++k) {
            multiply(scratch + k * together * shape.channels, weights + k * shape.channels * shape.out_channels,
                     products + k * together * shape.out_channels, count, shape.channels, shape.out_channels);
        }
        transform_outputs(shape, products, patch, count, {bias, residual, relu, target});
        for (std::int64_t k = 0; k < count; ++k)
            patch.advance(shape);
    }
}

#else

bool winograd_available() { return false; }

void winograd_convolution(const WinogradShape&, const float*, const float*, const float*, const float*, bool, float*,
                          float*) {
    throw InternalError("this program has no Winograd convolution for this kind of machine");
}

#endif

}  // namespace lossmap::cpu
