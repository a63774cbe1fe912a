#include <algorithm>
#include <memory>
#include <optional>

#include "cpu/lowerings.hpp"
#include "cpu/pool_operation.hpp"

namespace lossmap::cpu {
namespace {

std::optional<PoolOperation::Kind> pool_kind(const Node& node) {
    // The second output of MaxPool, the indices, is the host kernel's business.
    if (node.op_type == "MaxPool" && !node.has_output(1)) return PoolOperation::Kind::maximum;
    if (node.op_type == "GlobalMaxPool") return PoolOperation::Kind::maximum;
    if (node.op_type == "GlobalAveragePool") return PoolOperation::Kind::average;
    if (node.op_type != "AveragePool") return {};
    return node.attributes.get_int("count_include_pad", 0) != 0 ? PoolOperation::Kind::average_with_padding
                                                                : PoolOperation::Kind::average;
}

/// Whether every window sees at least one element of the input.
bool sees_input(const ops::Window& w) {
    for (std::size_t axis = 0; axis < 3; ++axis) {
        const std::int64_t reach = w.dilation[axis] * (w.kernel[axis] - 1) + 1;
        const bool simple = w.dilation[axis] == 1 || (w.pad_begin[axis] == 0 && w.pad_end[axis] == 0);
        if (!simple || w.pad_begin[axis] < 0 || w.pad_end[axis] < 0 || w.pad_begin[axis] >= reach) return false;
        if ((w.output[axis] - 1) * w.stride[axis] - w.pad_begin[axis] >= w.input[axis]) return false;
    }
    return true;
}

}  // namespace

bool lower_pool(ProgramBuilder& builder, const Node& node) {
    const auto kind = pool_kind(node);
    if (!kind) return false;
    const Shape& source = builder.shape(node.inputs[0]);
    if (source.size() < 3 || source.size() > 5 || element_count(source) == 0) return false;
    if (builder.value(node.inputs[0]).dtype != DType::f32) return false;
    const std::vector<std::int64_t> pixels(source.begin() + 2, source.end());
    const bool global = node.op_type.starts_with("Global");
    const ops::Window window =
        ops::forward_window(node, source, global ? pixels : node.attributes.get_ints("kernel_shape", {}));
    if (!sees_input(window)) return false;
    const bool bf16 = *kind == PoolOperation::Kind::maximum && builder.lies_in_bf16(node.inputs[0]);
    const Place from = builder.read(node.inputs[0], {Layout::channels_last, bf16});
    const Place to = builder.write(node.outputs[0], {Layout::channels_last, bf16});
    builder.add(std::make_unique<PoolOperation>(*kind, window, static_cast<std::size_t>(source[0]),
                                                static_cast<std::size_t>(source[1]), from, to, bf16),
                node.name);
    return true;
}

}  // namespace lossmap::cpu
