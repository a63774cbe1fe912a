#pragma once

#include <cstddef>
#include <cstdint>

/// Loops over contiguous floats, in the widest vectors the machine has; the same bits whatever their width. NaN stays
/// NaN in all of them, which is why they stand beside oneDNN: its ReLU, clip and max pooling turn NaN into a number.
namespace lossmap::cpu {

/// x = max(x, 0)
void relu(float* x, std::size_t count);
/// x = min(max(x, low), high)
void clip(float* x, std::size_t count, float low, float high);
/// x += y
void add(float* x, const float* y, std::size_t count);
/// y[r, c] = x[r, c] * scale[c] + shift[c] for `rows` rows of `channels`; y may be x.
void scale_shift(float* y, const float* x, const float* scale, const float* shift, std::size_t rows,
                 std::size_t channels);
/// sums[c] += x[r, c] over `rows` rows of `channels`, in order of rows.
void add_rows(double* sums, const float* x, std::size_t rows, std::size_t channels);
/// sums[c] += (x[r, c] - centre[c])^2 likewise.
void add_squares(double* sums, const float* x, const double* centre, std::size_t rows, std::size_t channels);
/// y[k] = max(y[k], x[k])
void maximum(float* y, const float* x, std::size_t count);
/// y[k] = max(y[k], x[k]) of bf16
void maximum_bf16(std::uint16_t* y, const std::uint16_t* x, std::size_t count);
/// y[k] = the largest of x0[k] .. x3[k]: what a pool of 2 x 2 is, in one pass.
void maximum_of_four(float* y, const float* x0, const float* x1, const float* x2, const float* x3, std::size_t count);
void maximum_of_four_bf16(std::uint16_t* y, const std::uint16_t* x0, const std::uint16_t* x1, const std::uint16_t* x2,
                          const std::uint16_t* x3, std::size_t count);
/// y = x rounded to bf16: to nearest, ties to even.
void round_to_bf16(std::uint16_t* y, const float* x, std::size_t count);
/// y = x, which is bf16.
void widen_bf16(float* y, const std::uint16_t* x, std::size_t count);
/// x = max(x, 0) of bf16
void relu_bf16(std::uint16_t* x, std::size_t count);
/// x = min(max(x, low), high) of bf16, rounded where a bound is no such number.
void clip_bf16(std::uint16_t* x, std::size_t count, float low, float high);
/// y = origin + first * a: the product is rounded before it is added.
void offset_by_one(float* y, const float* origin, const float* first, float a, std::size_t count);
/// y = origin + (first * a + second * b): each product and their sum are rounded.
void offset_by_two(float* y, const float* origin, const float* first, float a, const float* second, float b,
                   std::size_t count);

}  // namespace lossmap::cpu
