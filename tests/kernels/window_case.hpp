#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "graph/ops/window.hpp"
#include "kernel_case.hpp"

/// What cases of pooling and of convolutions have in common.
namespace lossmap::kernels::test {

using Ints = std::vector<std::int64_t>;

inline constexpr std::int64_t kPoints = 2;

/// Window of a node as the operators compute it.
inline WindowGeometry window_of(const ops::Window& w) {
    WindowGeometry g;
    for (std::size_t axis = 0; axis < 3; ++axis) {
        g.input[axis] = w.input[axis];
        g.output[axis] = w.output[axis];
        g.kernel[axis] = w.kernel[axis];
        g.stride[axis] = w.stride[axis];
        g.dilation[axis] = w.dilation[axis];
        g.pad_begin[axis] = w.pad_begin[axis];
        g.pad_end[axis] = w.pad_end[axis];
    }
    return g;
}

inline Node node_of(const std::string& op_type, const AttributeMap& attributes) {
    Node node;
    node.op_type = op_type;
    node.opset = 22;
    for (const auto& [name, value] : attributes)
        node.attributes.set(name, value);
    return node;
}

/// [.., C, spatial..] to [.., spatial.., C]; the first dimensions are taken together.
inline Tensor channels_inside(const Tensor& values, std::int64_t channels, std::int64_t plane) {
    Tensor result(values.dtype(), values.shape());
    const std::int64_t outer = values.count() / (channels * plane);
    const std::int64_t size = static_cast<std::int64_t>(size_of(values.dtype()));
    for (std::int64_t n = 0; n < outer; ++n) {
        for (std::int64_t c = 0; c < channels; ++c) {
            for (std::int64_t p = 0; p < plane; ++p)
                std::memcpy(static_cast<std::byte*>(result.data()) + ((n * plane + p) * channels + c) * size,
                            static_cast<const std::byte*>(values.data()) + ((n * channels + c) * plane + p) * size,
                            static_cast<std::size_t>(size));
        }
    }
    return result;
}

inline PlaneStrides strides_of(bool last, std::int64_t channels, const std::int64_t (&extents)[3]) {
    return last ? channels_last(channels, extents) : channels_first(channels, extents);
}

inline std::int64_t plane_of(const std::int64_t (&extents)[3]) { return extents[0] * extents[1] * extents[2]; }

}  // namespace lossmap::kernels::test
