#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"

namespace lossmap::kernels {

/// Range and ConstantOfShape: out[i] = start + i * step, of any element type (`real_*` for floating point, else
/// `integer_*`).
struct RangeArgs {
    Output out;
    std::int64_t points = 1;
    std::int64_t count = 0;
    double real_start = 0.0;
    double real_step = 0.0;
    std::int64_t integer_start = 0;
    std::int64_t integer_step = 0;
};

/// OneHot: indices [outer, inner] of any type; out [outer, depth, inner] of any type, on and off as bits. An index
/// outside the depth leaves its column off.
struct OneHotArgs {
    Input indices;
    Output out;
    std::int64_t points = 1;
    std::int64_t outer = 1;
    std::int64_t depth = 1;
    std::int64_t inner = 1;
    std::uint64_t off = 0;
    std::uint64_t on = 1;
};

/// Trilu: keeps one triangle of each matrix [matrices, rows, columns], any element type.
struct TriluArgs {
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t matrices = 1;
    std::int64_t rows = 1;
    std::int64_t columns = 1;
    std::int64_t diagonal = 0;
    bool upper = true;
};

}  // namespace lossmap::kernels
