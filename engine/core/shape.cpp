#include "core/shape.hpp"

#include <algorithm>
#include <limits>

#include <fmt/ranges.h>

#include "core/error.hpp"

namespace lossmap {

std::int64_t element_count(std::span<const std::int64_t> shape) {
    if (std::any_of(shape.begin(), shape.end(), [](std::int64_t extent) { return extent < 0; })) {
        throw InputError("shape {} has a negative extent", to_string(shape));
    }
    if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) {
        if (count > std::numeric_limits<std::int64_t>::max() / extent) {
            throw InputError("shape {} has more elements than can be counted", to_string(shape));
        }
        count *= extent;
    }
    return count;
}

std::string to_string(std::span<const std::int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Shape row_major_strides(std::span<const std::int64_t> shape) {
    Shape strides(shape.size());
    std::int64_t stride = 1;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
        strides[axis] = stride;
        stride *= shape[axis];
    }
    return strides;
}

std::int64_t normalize_axis(std::int64_t axis, std::size_t rank) {
    const auto signed_rank = static_cast<std::int64_t>(rank);
    if (axis < -signed_rank || axis >= signed_rank) {
        throw InputError("axis {} is outside a tensor of {} dimensions", axis, rank);
    }
    return axis < 0 ? axis + signed_rank : axis;
}

Shape broadcast(std::span<const std::int64_t> a, std::span<const std::int64_t> b) {
    const std::size_t rank = std::max(a.size(), b.size());
    Shape result(rank);
    for (std::size_t i = 0; i < rank; ++i) {
        const std::int64_t extent_a = i < a.size() ? a[a.size() - 1 - i] : 1;
        const std::int64_t extent_b = i < b.size() ? b[b.size() - 1 - i] : 1;
        if (extent_a != extent_b && extent_a != 1 && extent_b != 1) {
            throw InputError("shapes {} and {} do not broadcast", to_string(a), to_string(b));
        }
        result[rank - 1 - i] = extent_a == 1 ? extent_b : extent_a;
    }
    return result;
}

}  // namespace lossmap
