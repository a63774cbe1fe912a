#pragma once

#include <array>

#include "graph/ops/op_support.hpp"

namespace lossmap::ops {

/// Geometry of a sliding window over up to three spatial dimensions, the missing ones in front filled with extents
/// of 1. Shared by convolutions and pools, by shape rules and kernels.
struct Window {
    using Extents = std::array<std::int64_t, 3>;
    std::size_t spatial = 0;  ///< number of real spatial dimensions
    Extents input{1, 1, 1};
    Extents output{1, 1, 1};
    Extents kernel{1, 1, 1};
    Extents stride{1, 1, 1};
    Extents dilation{1, 1, 1};
    Extents pad_begin{0, 0, 0};
    Extents pad_end{0, 0, 0};

    [[nodiscard]] static std::int64_t count(const Extents& extents) { return extents[0] * extents[1] * extents[2]; }
};

/// Window of a node with attributes strides, dilations, pads, auto_pad and ceil_mode over the spatial dimensions of an
/// input [N, C, ..]. With ceil_mode a window that would begin in the padding behind the input is dropped, as in
/// PyTorch.
[[nodiscard]] Window forward_window(const Node& node, const Shape& input, std::span<const std::int64_t> kernel);

/// Window of a transposed convolution: `input` and `output` are those of the node; attributes output_padding and
/// output_shape count.
[[nodiscard]] Window transposed_window(const Node& node, const Shape& input, std::span<const std::int64_t> kernel);

/// [N, C, output extents ..] for the real spatial dimensions.
[[nodiscard]] Shape window_output_shape(const Window& window, std::int64_t batch, std::int64_t channels);

}  // namespace lossmap::ops
