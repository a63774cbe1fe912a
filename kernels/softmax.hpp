#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"

namespace lossmap::kernels {

enum class SoftmaxKind : std::uint8_t { softmax, log_softmax, hardmax };

/// Along the middle of [outer, count, inner]; `out` may be `in`.
struct SoftmaxArgs {
    SoftmaxKind kind = SoftmaxKind::softmax;
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
};

}  // namespace lossmap::kernels
