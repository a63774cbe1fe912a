#include "cuda/backend/kernel_shapes.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>

#include "core/error.hpp"

namespace lossmap::cuda {

kernels::Dims dims_of(const Shape& shape) {
    if (shape.size() > static_cast<std::size_t>(kernels::kMaxRank)) {
        throw UnsupportedError("arrays of {} dimensions are not supported on the GPU, up to {} are", shape.size(),
                               kernels::kMaxRank);
    }
    kernels::Dims dims;
    dims.rank = static_cast<int>(shape.size());
    std::copy(shape.begin(), shape.end(), dims.extents);
    return dims;
}

kernels::Strides strides_of(const Shape& strides) {
    kernels::Strides result;
    std::copy(strides.begin(), strides.end(), result.values);
    return result;
}

std::vector<std::size_t> storage_order(const Shape& shape, const Shape& strides) {
    std::vector<std::size_t> order(shape.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    // Dimensions of 1 may stand anywhere.
    const auto step = [&](std::size_t axis) {
        return shape[axis] == 1 ? std::numeric_limits<std::int64_t>::max() : strides[axis];
    };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return step(a) > step(b); });
    return order;
}

Shape in_order(const Shape& values, const std::vector<std::size_t>& order) {
    Shape result;
    for (const std::size_t axis : order)
        result.push_back(values[axis]);
    return result;
}

AxisSplit split_at(const Shape& shape, std::size_t axis) {
    AxisSplit split;
    for (std::size_t k = 0; k < shape.size(); ++k)
        (k < axis ? split.outer : k == axis ? split.count : split.inner) *= shape[k];
    return split;
}

}  // namespace lossmap::cuda
