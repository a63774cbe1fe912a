#include "cuda/backend/located.hpp"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace lossmap::cuda {

bool same_strides(const Shape& shape, const Shape& a, const Shape& b) {
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (shape[axis] != 1 && a[axis] != b[axis]) return false;
    }
    return true;
}

Shape channels_last_strides(const Shape& shape, std::int64_t channels) {
    Shape strides(shape.size(), 1);
    std::int64_t step = channels;
    for (std::size_t axis = shape.size(); axis-- > 2;) {
        strides[axis] = step;
        step *= shape[axis];
    }
    strides[0] = step;
    return strides;
}

bool Located::is_dense() const { return same_strides(shape, strides, row_major_strides(shape)); }

bool Located::is_compact() const {
    std::vector<std::pair<std::int64_t, std::int64_t>> steps;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (shape[axis] != 1) steps.emplace_back(strides[axis], shape[axis]);
    }
    std::sort(steps.begin(), steps.end());
    std::int64_t expected = 1;
    for (const auto& [stride, extent] : steps) {
        if (stride != expected) return false;
        expected *= extent;
    }
    return true;
}

bool Located::is_channels_last(std::int64_t channels) const {
    return shape.size() >= 3 && same_strides(shape, strides, channels_last_strides(shape, channels));
}

bool Located::is_padded(std::int64_t channels, std::size_t block_bytes) const {
    if (shape.size() < 3 || offset != 0 || strides != channels_last_strides(shape, channels)) return false;
    const std::int64_t elements = element_count(shape) / shape[1] * channels;
    if (per_point()) return point_stride == elements;
    return block_bytes == static_cast<std::size_t>(elements) * size_of(type);
}

bool has_samples_outermost(const Located& array, std::int64_t tile_samples) {
    if (array.shape.empty() || array.shape[0] != tile_samples) return false;
    for (std::size_t axis = 1; axis < array.shape.size(); ++axis) {
        if (array.shape[axis] % tile_samples == 0) return false;
        if (array.shape[axis] != 1 && array.shape[axis] * array.strides[axis] > array.strides[0]) return false;
    }
    return true;
}

std::size_t Located::begin_bytes() const { return static_cast<std::size_t>(offset) * size_of(type); }

std::size_t Located::span_bytes(std::int64_t points) const {
    if (element_count(shape) == 0) return 0;
    std::int64_t last = (points - 1) * point_stride;
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
        last += (shape[axis] - 1) * std::max<std::int64_t>(strides[axis], 0);
    return static_cast<std::size_t>(last + 1) * size_of(type);
}

std::int64_t alignment_of(std::int64_t bytes) { return std::gcd(bytes, static_cast<std::int64_t>(kLibraryAlignment)); }

std::int64_t Located::alignment() const {
    const auto width = static_cast<std::int64_t>(size_of(type));
    return std::min(alignment_of(offset * width), alignment_of(point_stride * width));
}

std::optional<Shape> reshaped_strides(const Shape& shape, const Shape& strides, const Shape& other) {
    if (element_count(shape) == 0 || element_count(other) == 0) return row_major_strides(other);
    // Dimensions of 1 carry no information.
    Shape extents;
    Shape steps;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (shape[axis] == 1) continue;
        extents.push_back(shape[axis]);
        steps.push_back(strides[axis]);
    }
    Shape result(other.size(), 0);
    std::size_t from = 0;
    std::size_t to = 0;
    while (from < extents.size()) {
        // The smallest runs of dimensions on both sides with the same number of elements.
        while (to < other.size() && other[to] == 1)
            ++to;
        std::size_t from_end = from + 1;
        std::size_t to_end = to + 1;
        std::int64_t from_count = extents[from];
        std::int64_t to_count = other[to];
        while (from_count != to_count) {
            if (from_count < to_count) {
                from_count *= extents[from_end++];
            } else {
                to_count *= other[to_end++];
            }
        }
        for (std::size_t axis = from; axis + 1 < from_end; ++axis) {
            if (steps[axis] != steps[axis + 1] * extents[axis + 1]) return {};
        }
        std::int64_t step = steps[from_end - 1];
        for (std::size_t axis = to_end; axis-- > to;) {
            result[axis] = step;
            step *= other[axis];
        }
        from = from_end;
        to = to_end;
    }
    return result;
}

Shape broadcast_strides(const Shape& shape, const Shape& strides, const Shape& wide) {
    if (shape.size() > wide.size())
        throw InternalError("{} does not broadcast to {}", to_string(shape), to_string(wide));
    Shape result(wide.size(), 0);
    const std::size_t lead = wide.size() - shape.size();
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (shape[axis] != 1) result[lead + axis] = strides[axis];
    }
    return result;
}

}  // namespace lossmap::cuda
