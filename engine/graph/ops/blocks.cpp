#include <algorithm>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

std::int64_t block_size(const InferenceContext& context) {
    const std::int64_t block = context.node.attributes.get_int("blocksize");
    require(block > 0 && block < (1 << 20), "blocksize is {}", block);
    require(context.input(0).shape.size() == 4, "input has shape {}, expected 4 dimensions",
            to_string(context.input(0).shape));
    return block;
}

Types infer_depth_to_space(const InferenceContext& context) {
    const std::int64_t block = block_size(context);
    const Shape& s = context.input(0).shape;
    require(s[1] % (block * block) == 0, "{} channels do not divide into blocks of {}", s[1], block);
    return {{context.input(0).dtype, {s[0], s[1] / (block * block), s[2] * block, s[3] * block}}};
}

/// DCR: channel = (block row, block column, depth); CRD: (depth, block row, block column).
void run_depth_to_space(const Node& node, Inputs inputs, Outputs outputs) {
    const std::int64_t block = node.attributes.get_int("blocksize");
    const bool depth_first = node.attributes.get_string("mode", "DCR") == "CRD";
    const Shape& out = outputs[0].shape;
    const std::int64_t height = inputs[0].shape[2];
    const std::int64_t width = inputs[0].shape[3];
    const std::int64_t plane = height * width;
    const std::int64_t row_stride = depth_first ? block * plane : block * out[1] * plane;
    const std::int64_t column_stride = depth_first ? plane : out[1] * plane;
    const std::int64_t depth_stride = depth_first ? block * block * plane : plane;
    const TensorView view{outputs[0].dtype, {out[0], out[1], height, block, width, block}, outputs[0].data};
    copy_strided(inputs[0], {inputs[0].shape[1] * plane, depth_stride, width, row_stride, 1, column_stride}, view);
}

Types infer_space_to_depth(const InferenceContext& context) {
    const std::int64_t block = block_size(context);
    const Shape& s = context.input(0).shape;
    require(s[2] % block == 0 && s[3] % block == 0, "a plane of {} x {} does not divide into blocks of {}", s[2], s[3],
            block);
    return {{context.input(0).dtype, {s[0], element_count(Shape{s[1], block, block}), s[2] / block, s[3] / block}}};
}

/// Channels of the result as in DepthToSpace; CRD exists from opset 28 on.
void run_space_to_depth(const Node& node, Inputs inputs, Outputs outputs) {
    const std::int64_t block = node.attributes.get_int("blocksize");
    const Shape& in = inputs[0].shape;
    const Shape& out = outputs[0].shape;
    const std::int64_t plane = in[2] * in[3];
    if (node.attributes.get_string("mode", "DCR") == "CRD") {
        const TensorView view{outputs[0].dtype, {in[0], in[1], block, block, out[2], out[3]}, outputs[0].data};
        return copy_strided(inputs[0], {in[1] * plane, plane, in[3], 1, block * in[3], block}, view);
    }
    const TensorView view{outputs[0].dtype, {in[0], block, block, in[1], out[2], out[3]}, outputs[0].data};
    copy_strided(inputs[0], {in[1] * plane, in[3], 1, plane, block * in[3], block}, view);
}

Types infer_trilu(const InferenceContext& context) {
    require(context.input(0).shape.size() >= 2, "input has shape {}, expected at least 2 dimensions",
            to_string(context.input(0).shape));
    return same_as_first(context);
}

void run_trilu(const Node& node, Inputs inputs, Outputs outputs) {
    const bool upper = node.attributes.get_int("upper", 1) != 0;
    const Ints offsets = node.has_input(1) ? read_ints(inputs[1]) : Ints{0};
    require(!offsets.empty(), "the diagonal offset is empty");
    const Shape& shape = inputs[0].shape;
    const std::int64_t rows = shape[shape.size() - 2];
    const std::int64_t columns = shape.back();
    const std::int64_t diagonal = std::clamp(offsets[0], -rows - 1, columns + 1);
    const std::int64_t matrices = extent_product(shape, 0, shape.size() - 2);
    visit_size(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* in = raw<T>(inputs[0]);
        T* out = raw<T>(outputs[0]);
        for (std::int64_t m = 0; m < matrices; ++m) {
            for (std::int64_t row = 0; row < rows; ++row) {
                for (std::int64_t column = 0; column < columns; ++column, ++in, ++out) {
                    const bool keep = upper ? column - row >= diagonal : column - row <= diagonal;
                    *out = keep ? *in : T{};
                }
            }
        }
    });
}

}  // namespace

Family block_operators() {
    return {
        {.name = "DepthToSpace", .domain = "", .infer = infer_depth_to_space, .run = run_depth_to_space},
        {.name = "SpaceToDepth", .domain = "", .infer = infer_space_to_depth, .run = run_space_to_depth},
        {.name = "Trilu", .domain = "", .min_opset = 14, .max_inputs = 2, .infer = infer_trilu, .run = run_trilu},
    };
}

}  // namespace lossmap::ops
