// The Winograd convolution, compiled once for each element type: a file that includes this one defines before it, in
// the unnamed namespace, LOSSMAP_WINOGRAD_TARGET and LOSSMAP_WINOGRAD_INLINE (which instructions), `Element`, `load`
// and `store` (16 elements as floats), and for products `Operand`, kTogether (elements of it that one lane multiplies
// and adds up), `broadcast`, `load_factors` and `multiply_add`.
#include <algorithm>
#include <cstdint>

#include "cpu/winograd_kernel.hpp"

namespace lossmap::cpu {
namespace {

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
LOSSMAP_WINOGRAD_INLINE void transform_four(__m512& d0, __m512& d1, __m512& d2, __m512& d3) {
    const __m512 first = _mm512_sub_ps(d0, d2);
    const __m512 second = _mm512_add_ps(d1, d2);
    const __m512 third = _mm512_sub_ps(d2, d1);
    d3 = _mm512_sub_ps(d1, d3);
    d0 = first;
    d1 = second;
    d2 = third;
}

/// The four rows that a row of patches reads; nullptr outside the image.
struct InputRows {
    const Element* first[4];
    bool inside = true;  ///< all of them
};

/// B^T d of one column of pixels for 16 channels; zero outside the image.
LOSSMAP_WINOGRAD_INLINE void transform_column(const WinogradShape& s, const InputRows& rows, std::int64_t x,
                                              std::int64_t c, __m512 (&d)[4]) {
    if (x < 0 || x >= s.width) {
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k)
            d[k] = _mm512_setzero_ps();
        return;
    }
    const std::int64_t offset = x * s.channels + c;
    if (rows.inside) {
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k)
            d[k] = load(rows.first[k] + offset);
    } else {
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k)
            d[k] = rows.first[k] == nullptr ? _mm512_setzero_ps() : load(rows.first[k] + offset);
    }
    transform_four(d[0], d[1], d[2], d[3]);
}

/// B^T d B of `count` patches side by side, the first one from column `x` on. Neighbours share two columns, which are
/// read and transformed once.
LOSSMAP_WINOGRAD_INLINE void transform_row(const WinogradShape& s, const InputRows& rows, std::int64_t x,
                                           std::int64_t count, Element* out, std::int64_t plane) {
    for (std::int64_t c = 0; c < s.channels; c += kLanes) {
        __m512 left[2][4];
        transform_column(s, rows, x, c, left[0]);
        transform_column(s, rows, x + 1, c, left[1]);
        Element* to = out + c;
        for (std::int64_t t = 0; t < count; ++t, to += s.channels) {
            __m512 right[2][4];
            transform_column(s, rows, x + 2 * t + 2, c, right[0]);
            transform_column(s, rows, x + 2 * t + 3, c, right[1]);
#pragma GCC unroll 4
            for (int k = 0; k < 4; ++k) {
                __m512 d[4] = {left[0][k], left[1][k], right[0][k], right[1][k]};
                transform_four(d[0], d[1], d[2], d[3]);
#pragma GCC unroll 4
                for (int m = 0; m < 4; ++m)
                    store(to + (4 * k + m) * plane, d[m]);
                left[0][k] = right[0][k];
                left[1][k] = right[1][k];
            }
        }
    }
}

LOSSMAP_WINOGRAD_TARGET void transform_inputs(const WinogradShape& s, const Element* source, Patch patch,
                                              std::int64_t count, Element* out) {
    const std::int64_t plane = s.patches_together() * s.channels;
    while (count > 0) {
        const Element* image = source + patch.image * s.height * s.width * s.channels;
        InputRows rows;
        for (std::int64_t k = 0; k < 4; ++k) {
            const std::int64_t y = patch.row - s.pad_top + k;
            const bool inside = y >= 0 && y < s.height;
            rows.first[k] = inside ? image + y * s.width * s.channels : nullptr;
            rows.inside = rows.inside && inside;
        }
        const std::int64_t run = std::min(count, (s.out_width - patch.column + 1) / 2);
        transform_row(s, rows, patch.column - s.pad_left, run, out, plane);
        for (std::int64_t k = 0; k < run; ++k)
            patch.advance(s);
        out += run * s.channels;
        count -= run;
    }
}

/// out[Rows, Vectors * 16] = v[Rows, channels] x u[channels, ..], accumulators in registers. kTogether channels of an
/// output lie side by side in u.
template <int Rows, int Vectors>
LOSSMAP_WINOGRAD_INLINE void multiply_block(const Element* v, const Element* u, float* out, std::int64_t channels,
                                            std::int64_t out_channels) {
    __m512 sum[Rows][Vectors];
#pragma GCC unroll 28
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
        for (int k = 0; k < Vectors; ++k)
            sum[r][k] = _mm512_setzero_ps();
    }
    for (std::int64_t c = 0; c < channels; c += kTogether) {
        Operand factor[Vectors];
#pragma GCC unroll 2
        for (int k = 0; k < Vectors; ++k)
            factor[k] = load_factors(u + c * out_channels + k * kLanes * kTogether);
#pragma GCC unroll 28
        for (int r = 0; r < Rows; ++r) {
            const Operand value = broadcast(v + r * channels + c);
#pragma GCC unroll 2
            for (int k = 0; k < Vectors; ++k)
                sum[r][k] = multiply_add(value, factor[k], sum[r][k]);
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
LOSSMAP_WINOGRAD_INLINE void multiply_rows(const Element*& v, const Element* u, float*& out, std::int64_t& rows,
                                           std::int64_t channels, std::int64_t out_channels) {
    while (rows >= Most) {
        multiply_block<Most, Vectors>(v, u, out, channels, out_channels);
        v += Most * channels;
        out += Most * out_channels;
        rows -= Most;
    }
}

/// Vectors columns of a product, in blocks of so many rows, the largest first.
template <int Vectors, int... Most>
LOSSMAP_WINOGRAD_INLINE void multiply_columns(const Element* v, const Element* u, float* out, std::int64_t rows,
                                              std::int64_t channels, std::int64_t out_channels) {
    (multiply_rows<Most, Vectors>(v, u, out, rows, channels, out_channels), ...);
}

/// One of the 16 products, [rows, channels] x [channels, out_channels].
LOSSMAP_WINOGRAD_TARGET void multiply(const Element* v, const Element* u, float* out, std::int64_t rows,
                                      std::int64_t channels, std::int64_t out_channels) {
    std::int64_t o = 0;
    for (; o + 2 * kLanes <= out_channels; o += 2 * kLanes)
        multiply_columns<2, 14, 8, 4, 1>(v, u + o * kTogether, out + o, rows, channels, out_channels);
    if (o < out_channels)
        multiply_columns<1, 28, 14, 8, 4, 1>(v, u + o * kTogether, out + o, rows, channels, out_channels);
}

/// What is added to the products and where the outputs go.
struct Epilogue {
    const float* bias;
    const Element* residual;
    bool relu;
    Element* target;
};

LOSSMAP_WINOGRAD_INLINE void store_output(const Epilogue& e, std::int64_t offset, __m512 value, __m512 bias) {
    value = _mm512_add_ps(value, bias);
    if (e.residual != nullptr) value = _mm512_add_ps(value, load(e.residual + offset));
    // "Not less than zero" holds for NaN.
    if (e.relu) value = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(value, _mm512_setzero_ps(), _CMP_NLT_UQ), value);
    store(e.target + offset, value);
}

/// The left of two outputs in a row, m0 + m1 + m2, and the right one, m1 - m2 - m3.
LOSSMAP_WINOGRAD_INLINE __m512 left_output(const __m512 (&m)[4]) {
    return _mm512_add_ps(m[0], _mm512_add_ps(m[1], m[2]));
}
LOSSMAP_WINOGRAD_INLINE __m512 right_output(const __m512 (&m)[4]) {
    return _mm512_sub_ps(_mm512_sub_ps(m[1], m[2]), m[3]);
}

LOSSMAP_WINOGRAD_TARGET void transform_outputs(const WinogradShape& s, const float* products, Patch patch,
                                               std::int64_t count, const Epilogue& e) {
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

/// @param transformed  [16, patches_together, channels]. @param products  [16, patches_together, out_channels]
void convolve(const WinogradShape& shape, const Element* source, const Element* weights, const Epilogue& epilogue,
              Element* transformed, float* products) {
    const std::int64_t total = shape.batch * ((shape.out_height + 1) / 2) * ((shape.out_width + 1) / 2);
    const std::int64_t together = shape.patches_together();
    Patch patch;
    for (std::int64_t first = 0; first < total; first += together) {
        const std::int64_t count = std::min(together, total - first);
        transform_inputs(shape, source, patch, count, transformed);
        for (std::int64_t k = 0; k < 16; ++k) {
            multiply(transformed + k * together * shape.channels, weights + k * shape.channels * shape.out_channels,
                     products + k * together * shape.out_channels, count, shape.channels, shape.out_channels);
        }
        transform_outputs(shape, products, patch, count, epilogue);
        for (std::int64_t k = 0; k < count; ++k)
            patch.advance(shape);
    }
}

}  // namespace
}  // namespace lossmap::cpu
