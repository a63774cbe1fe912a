#include "cpu/elementwise.hpp"

#include "cpu/bf16.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#define LOSSMAP_VECTOR_VARIANTS 1
#endif

namespace lossmap::cpu {
namespace {

// Each loop is written once; the variants below compile it for wider vectors. No contraction (see the build options),
// so the variants agree bit by bit.
#define LOSSMAP_ALWAYS_INLINE inline __attribute__((always_inline))

LOSSMAP_ALWAYS_INLINE void relu_loop(float* x, std::size_t count) {
    for (std::size_t k = 0; k < count; ++k)
        x[k] = 0.0F > x[k] ? 0.0F : x[k];
}

LOSSMAP_ALWAYS_INLINE void clip_loop(float* x, std::size_t count, float low, float high) {
    for (std::size_t k = 0; k < count; ++k) {
        const float raised = low > x[k] ? low : x[k];
        x[k] = high < raised ? high : raised;
    }
}

LOSSMAP_ALWAYS_INLINE void add_loop(float* x, const float* y, std::size_t count) {
    for (std::size_t k = 0; k < count; ++k)
        x[k] += y[k];
}

LOSSMAP_ALWAYS_INLINE void scale_shift_loop(float* y, const float* x, const float* scale, const float* shift,
                                            std::size_t rows, std::size_t channels) {
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t c = 0; c < channels; ++c)
            y[c] = x[c] * scale[c] + shift[c];
        y += channels;
        x += channels;
    }
}

LOSSMAP_ALWAYS_INLINE void add_rows_loop(double* sums, const float* x, std::size_t rows, std::size_t channels) {
    for (std::size_t row = 0; row < rows; ++row, x += channels) {
        for (std::size_t c = 0; c < channels; ++c)
            sums[c] += static_cast<double>(x[c]);
    }
}

LOSSMAP_ALWAYS_INLINE void add_squares_loop(double* sums, const float* x, const double* centre, std::size_t rows,
                                            std::size_t channels) {
    for (std::size_t row = 0; row < rows; ++row, x += channels) {
        for (std::size_t c = 0; c < channels; ++c) {
            const double distance = static_cast<double>(x[c]) - centre[c];
            sums[c] += distance * distance;
        }
    }
}

/// A NaN on either side wins: x is kept when it is not below y, y when it is NaN itself.
LOSSMAP_ALWAYS_INLINE float larger_of(float y, float x) {
    const float larger = y > x ? y : x;
    return y != y ? y : larger;
}

LOSSMAP_ALWAYS_INLINE void maximum_loop(float* y, const float* x, std::size_t count) {
    for (std::size_t k = 0; k < count; ++k)
        y[k] = larger_of(y[k], x[k]);
}

/// set(k) for all k below `count`, in groups that are one vector each: few channels must not end up in the loop that a
/// compiler puts behind a wider one.
template <typename Set>
LOSSMAP_ALWAYS_INLINE void in_groups(std::size_t count, Set&& set) {
    constexpr std::size_t kGroup = 16;
    std::size_t k = 0;
    for (; k + kGroup <= count; k += kGroup) {
        for (std::size_t lane = 0; lane < kGroup; ++lane)
            set(k + lane);
    }
    for (; k < count; ++k)
        set(k);
}

LOSSMAP_ALWAYS_INLINE void maximum_of_four_loop(float* __restrict y, const float* x0, const float* x1, const float* x2,
                                                const float* x3, std::size_t count) {
    in_groups(
        count, [=](std::size_t k) __attribute__((always_inline)) {
            y[k] = larger_of(larger_of(larger_of(x0[k], x1[k]), x2[k]), x3[k]);
        });
}

/// bf16 as integers in the order of numbers, all NaN above infinity: less work than comparing floats.
LOSSMAP_ALWAYS_INLINE std::int16_t rank_of(std::uint16_t bits) {
    const auto number = static_cast<std::int16_t>(bits);
    const auto sign = static_cast<std::int16_t>(number >> 15);
    const auto magnitude = static_cast<std::int16_t>(number & 0x7fff);
    const auto rank = static_cast<std::int16_t>(number ^ (sign & 0x7fff));
    return magnitude > 0x7f80 ? std::int16_t{0x7fff} : rank;
}

LOSSMAP_ALWAYS_INLINE std::uint16_t of_rank(std::int16_t rank) {
    const auto sign = static_cast<std::int16_t>(rank >> 15);
    return static_cast<std::uint16_t>(rank ^ (sign & 0x7fff));
}

LOSSMAP_ALWAYS_INLINE std::int16_t higher(std::int16_t a, std::int16_t b) { return a > b ? a : b; }

LOSSMAP_ALWAYS_INLINE void maximum_bf16_loop(std::uint16_t* __restrict y, const std::uint16_t* x, std::size_t count) {
    in_groups(
        count, [=](std::size_t k)
                   __attribute__((always_inline)) { y[k] = of_rank(higher(rank_of(y[k]), rank_of(x[k]))); });
}

LOSSMAP_ALWAYS_INLINE void maximum_of_four_bf16_loop(std::uint16_t* __restrict y, const std::uint16_t* x0,
                                                     const std::uint16_t* x1, const std::uint16_t* x2,
                                                     const std::uint16_t* x3, std::size_t count) {
    in_groups(
        count, [=](std::size_t k) __attribute__((always_inline)) {
            y[k] = of_rank(higher(higher(rank_of(x0[k]), rank_of(x1[k])), higher(rank_of(x2[k]), rank_of(x3[k]))));
        });
}

LOSSMAP_ALWAYS_INLINE void round_to_bf16_loop(std::uint16_t* y, const float* x, std::size_t count) {
    for (std::size_t k = 0; k < count; ++k)
        y[k] = bf16_of(x[k]);
}

LOSSMAP_ALWAYS_INLINE void widen_bf16_loop(float* y, const std::uint16_t* x, std::size_t count) {
    for (std::size_t k = 0; k < count; ++k)
        y[k] = float_of_bf16(x[k]);
}

LOSSMAP_ALWAYS_INLINE void relu_bf16_loop(std::uint16_t* x, std::size_t count) {
    // Bits of the numbers below zero, infinity too, are neighbours; those of NaN come behind them.
    constexpr unsigned kLeast = 0x8001;
    constexpr unsigned kMost = 0xff80;
    for (std::size_t k = 0; k < count; ++k)
        x[k] = static_cast<std::uint16_t>(x[k] - kLeast) <= kMost - kLeast ? std::uint16_t{0} : x[k];
}

LOSSMAP_ALWAYS_INLINE void clip_bf16_loop(std::uint16_t* x, std::size_t count, float low, float high) {
    for (std::size_t k = 0; k < count; ++k) {
        const float value = float_of_bf16(x[k]);
        const float raised = low > value ? low : value;
        x[k] = bf16_of(high < raised ? high : raised);
    }
}

LOSSMAP_ALWAYS_INLINE void offset_by_one_loop(float* y, const float* origin, const float* first, float a,
                                              std::size_t count) {
    for (std::size_t k = 0; k < count; ++k)
        y[k] = origin[k] + first[k] * a;
}

LOSSMAP_ALWAYS_INLINE void offset_by_two_loop(float* y, const float* origin, const float* first, float a,
                                              const float* second, float b, std::size_t count) {
    for (std::size_t k = 0; k < count; ++k)
        y[k] = origin[k] + (first[k] * a + second[k] * b);
}

#if defined(LOSSMAP_VECTOR_VARIANTS)

enum class Vectors { narrow, avx2, avx512 };

Vectors widest() {
    static const Vectors kWidest = __builtin_cpu_supports("avx512f") ? Vectors::avx512
                                   : __builtin_cpu_supports("avx2")  ? Vectors::avx2
                                                                     : Vectors::narrow;
    return kWidest;
}

// Calls the loop compiled for the machine's vectors.
#define LOSSMAP_DISPATCH(NAME, PARAMETERS, ...)                                                \
    namespace {                                                                                \
    __attribute__((target("avx512f,prefer-vector-width=512"))) void NAME##_avx512 PARAMETERS { \
        NAME##_loop(__VA_ARGS__);                                                              \
    }                                                                                          \
    __attribute__((target("avx2"))) void NAME##_avx2 PARAMETERS { NAME##_loop(__VA_ARGS__); }  \
    }                                                                                          \
    void NAME PARAMETERS {                                                                     \
        switch (widest()) {                                                                    \
            case Vectors::avx512: return NAME##_avx512(__VA_ARGS__);                           \
            case Vectors::avx2: return NAME##_avx2(__VA_ARGS__);                               \
            case Vectors::narrow: return NAME##_loop(__VA_ARGS__);                             \
        }                                                                                      \
    }

#else

#define LOSSMAP_DISPATCH(NAME, PARAMETERS, ...) \
    void NAME PARAMETERS { NAME##_loop(__VA_ARGS__); }

#endif

}  // namespace

LOSSMAP_DISPATCH(relu, (float* x, std::size_t count), x, count)
LOSSMAP_DISPATCH(clip, (float* x, std::size_t count, float low, float high), x, count, low, high)
LOSSMAP_DISPATCH(add, (float* x, const float* y, std::size_t count), x, y, count)
LOSSMAP_DISPATCH(scale_shift,
                 (float* y, const float* x, const float* scale, const float* shift, std::size_t rows,
                  std::size_t channels),
                 y, x, scale, shift, rows, channels)
LOSSMAP_DISPATCH(add_rows, (double* sums, const float* x, std::size_t rows, std::size_t channels), sums, x, rows,
                 channels)
LOSSMAP_DISPATCH(add_squares,
                 (double* sums, const float* x, const double* centre, std::size_t rows, std::size_t channels), sums, x,
                 centre, rows, channels)
LOSSMAP_DISPATCH(maximum, (float* y, const float* x, std::size_t count), y, x, count)
LOSSMAP_DISPATCH(maximum_of_four,
                 (float* y, const float* x0, const float* x1, const float* x2, const float* x3, std::size_t count), y,
                 x0, x1, x2, x3, count)
LOSSMAP_DISPATCH(maximum_bf16, (std::uint16_t * y, const std::uint16_t* x, std::size_t count), y, x, count)
LOSSMAP_DISPATCH(maximum_of_four_bf16,
                 (std::uint16_t * y, const std::uint16_t* x0, const std::uint16_t* x1, const std::uint16_t* x2,
                  const std::uint16_t* x3, std::size_t count),
                 y, x0, x1, x2, x3, count)
LOSSMAP_DISPATCH(round_to_bf16, (std::uint16_t * y, const float* x, std::size_t count), y, x, count)
LOSSMAP_DISPATCH(widen_bf16, (float* y, const std::uint16_t* x, std::size_t count), y, x, count)
LOSSMAP_DISPATCH(relu_bf16, (std::uint16_t * x, std::size_t count), x, count)
LOSSMAP_DISPATCH(clip_bf16, (std::uint16_t * x, std::size_t count, float low, float high), x, count, low, high)
LOSSMAP_DISPATCH(offset_by_one, (float* y, const float* origin, const float* first, float a, std::size_t count), y,
                 origin, first, a, count)
LOSSMAP_DISPATCH(offset_by_two,
                 (float* y, const float* origin, const float* first, float a, const float* second, float b,
                  std::size_t count),
                 y, origin, first, a, second, b, count)

}  // namespace lossmap::cpu
