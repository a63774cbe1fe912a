#include "graph/ops/window.hpp"

#include <algorithm>

namespace lossmap::ops {
namespace {

constexpr std::int64_t kLargest = std::int64_t{1} << 31;

/// An attribute with one entry a spatial dimension, put behind the filling dimensions.
Window::Extents extents(const Node& node, const char* name, std::size_t spatial, std::int64_t fallback,
                        std::int64_t least) {
    const Ints values = node.attributes.get_ints(name, Ints(spatial, fallback));
    require(values.size() == spatial, "attribute '{}' has {} entries for {} spatial dimensions", name, values.size(),
            spatial);
    Window::Extents result;
    result.fill(fallback);
    for (std::size_t k = 0; k < spatial; ++k) {
        require(values[k] >= least && values[k] < kLargest, "attribute '{}' has the entry {}", name, values[k]);
        result[3 - spatial + k] = values[k];
    }
    return result;
}

Window common_window(const Node& node, const Shape& input, std::span<const std::int64_t> kernel) {
    require(input.size() >= 2, "input has shape {}, expected [N, C, ..]", to_string(input));
    Window w;
    w.spatial = input.size() - 2;
    if (w.spatial > 3) throw UnsupportedError("{} spatial dimensions are not supported, at most 3 are", w.spatial);
    require(kernel.size() == w.spatial, "kernel {} does not fit an input of shape {}", to_string(kernel),
            to_string(input));
    for (std::size_t k = 0; k < w.spatial; ++k) {
        const std::size_t at = 3 - w.spatial + k;
        require(kernel[k] > 0 && kernel[k] < kLargest, "kernel has the extent {}", kernel[k]);
        require(input[2 + k] < kLargest, "input has shape {}", to_string(input));
        w.kernel[at] = kernel[k];
        w.input[at] = input[2 + k];
    }
    w.stride = extents(node, "strides", w.spatial, 1, 1);
    w.dilation = extents(node, "dilations", w.spatial, 1, 1);
    return w;
}

void read_pads(const Node& node, Window& w) {
    const Ints pads = node.attributes.get_ints("pads", Ints(2 * w.spatial, 0));
    require(pads.size() == 2 * w.spatial, "attribute 'pads' has {} entries for {} spatial dimensions", pads.size(),
            w.spatial);
    for (std::size_t k = 0; k < w.spatial; ++k) {
        require(std::abs(pads[k]) < kLargest && std::abs(pads[k + w.spatial]) < kLargest, "attribute 'pads' is {}",
                to_string(pads));
        w.pad_begin[3 - w.spatial + k] = pads[k];
        w.pad_end[3 - w.spatial + k] = pads[k + w.spatial];
    }
}

std::string auto_pad_of(const Node& node) {
    std::string mode = node.attributes.get_string("auto_pad", "NOTSET");
    require(mode == "NOTSET" || mode == "VALID" || mode == "SAME_UPPER" || mode == "SAME_LOWER", "auto_pad is '{}'",
            mode);
    return mode;
}

void share_pads(Window& w, std::size_t axis, std::int64_t total, bool more_in_front) {
    const std::int64_t less = total / 2;
    w.pad_begin[axis] = more_in_front ? total - less : less;
    w.pad_end[axis] = total - w.pad_begin[axis];
}

}  // namespace

Window forward_window(const Node& node, const Shape& input, std::span<const std::int64_t> kernel) {
    Window w = common_window(node, input, kernel);
    const std::string mode = auto_pad_of(node);
    const bool ceil_mode = node.attributes.get_int("ceil_mode", 0) != 0;
    if (mode == "NOTSET") read_pads(node, w);
    for (std::size_t axis = 3 - w.spatial; axis < 3; ++axis) {
        const std::int64_t reach = w.dilation[axis] * (w.kernel[axis] - 1) + 1;
        if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
            w.output[axis] = (w.input[axis] + w.stride[axis] - 1) / w.stride[axis];
            share_pads(w, axis,
                       std::max<std::int64_t>((w.output[axis] - 1) * w.stride[axis] + reach - w.input[axis], 0),
                       mode == "SAME_LOWER");
            continue;
        }
        const std::int64_t room = w.input[axis] + w.pad_begin[axis] + w.pad_end[axis] - reach;
        require(room >= 0, "the window reaches over {} elements, the padded input has {}", reach, room + reach);
        w.output[axis] = room / w.stride[axis] + 1;
        if (ceil_mode && room % w.stride[axis] != 0 &&
            w.output[axis] * w.stride[axis] < w.input[axis] + w.pad_begin[axis]) {
            ++w.output[axis];
        }
    }
    return w;
}

Window transposed_window(const Node& node, const Shape& input, std::span<const std::int64_t> kernel) {
    Window w = common_window(node, input, kernel);
    const std::string mode = auto_pad_of(node);
    const Window::Extents extra = extents(node, "output_padding", w.spatial, 0, 0);
    const Ints wanted = node.attributes.get_ints("output_shape", {});
    require(wanted.empty() || wanted.size() >= w.spatial, "attribute 'output_shape' is {}", to_string(wanted));
    if (mode == "NOTSET") read_pads(node, w);
    for (std::size_t axis = 3 - w.spatial; axis < 3; ++axis) {
        const std::int64_t reach = w.dilation[axis] * (w.kernel[axis] - 1) + 1;
        const std::int64_t full = w.stride[axis] * (w.input[axis] - 1) + extra[axis] + reach;
        if (!wanted.empty()) {
            w.output[axis] = wanted[wanted.size() - 3 + axis];  // older files list [N, C, ..], too
            share_pads(w, axis, std::max<std::int64_t>(full - w.output[axis], 0), mode != "SAME_UPPER");
        } else if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
            w.output[axis] = w.input[axis] * w.stride[axis];
            share_pads(w, axis, std::max<std::int64_t>(full - w.output[axis], 0), mode != "SAME_UPPER");
        } else {
            w.output[axis] = full - w.pad_begin[axis] - w.pad_end[axis];
        }
        require(w.output[axis] > 0 && w.output[axis] < kLargest, "the output would have an extent of {}",
                w.output[axis]);
    }
    return w;
}

Shape window_output_shape(const Window& window, std::int64_t batch, std::int64_t channels) {
    Shape shape{batch, channels};
    for (std::size_t axis = 3 - window.spatial; axis < 3; ++axis)
        shape.push_back(window.output[axis]);
    return shape;
}

}  // namespace lossmap::ops
