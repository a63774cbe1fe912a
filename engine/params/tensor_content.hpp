#pragma once

#include "core/tensor.hpp"

namespace lossmap {

/// What the values of a floating-point tensor show about its purpose.
struct TensorContent {
    bool uniform = false;  ///< all elements equal (true for one element)
    bool zero = false;     ///< all elements 0
    bool mask = false;     ///< holds -infinity or values at or below -1e30, as attention masks do
};

/// Reads an fp32 tensor; others give no findings.
[[nodiscard]] TensorContent inspect_content(const Tensor& tensor);

/// Number of extents other than 1.
[[nodiscard]] int wide_dimensions(const Shape& shape);

}  // namespace lossmap
