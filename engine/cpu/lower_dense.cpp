#include <algorithm>
#include <memory>
#include <optional>

#include "core/error.hpp"
#include "cpu/chosen_primitive.hpp"
#include "cpu/dnnl_operation.hpp"
#include "cpu/joined_nodes.hpp"
#include "cpu/lowerings.hpp"

namespace lossmap::cpu {
namespace {

/// [rows, inner] x [inner, columns] with weights that depend on theta alone.
struct DenseLayer {
    std::int64_t rows = 0;
    std::int64_t inner = 0;
    std::int64_t columns = 0;
    bool transposed = false;  ///< the weights are stored as [columns, inner]
    PackedLayer layer;
};

/// Whether a Gemm's third operand is a row, or one number for all: what a bias can be.
bool is_row(const Shape& shape, std::int64_t columns) {
    if (element_count(shape) == 1) return true;
    return element_count(shape) == columns && shape.back() == columns;
}

std::optional<DenseLayer> dense_layer(const ProgramBuilder& builder, const Node& node) {
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
        if (!node.has_input(k)) continue;
        if (builder.value(node.inputs[k]).dtype != DType::f32) return {};
        if (builder.depends_on_samples(node.inputs[k]) != (k == 0)) return {};
    }
    const Shape& a = builder.shape(node.inputs[0]);
    const Shape& b = builder.shape(node.inputs[1]);
    if (a.size() < 2 || b.size() != 2 || element_count(a) == 0 || element_count(b) == 0) return {};
    const bool gemm = node.op_type == "Gemm";
    if (gemm && node.attributes.get_int("transA", 0) != 0) return {};
    DenseLayer dense;
    dense.transposed = gemm && node.attributes.get_int("transB", 0) != 0;
    dense.inner = a.back();
    dense.rows = element_count(a) / dense.inner;
    dense.columns = b[dense.transposed ? 0 : 1];
    dense.layer.weights = node.inputs[1];
    dense.layer.outputs =
        dense.transposed ? FilterLayout{1, dense.columns, dense.inner} : FilterLayout{dense.inner, dense.columns, 1};
    if (gemm) {
        dense.layer.weight_factor = node.attributes.get_float("alpha", 1.0);
        dense.layer.bias_factor = node.attributes.get_float("beta", 1.0);
        if (node.has_input(2)) {
            if (!is_row(builder.shape(node.inputs[2]), dense.columns)) return {};
            dense.layer.bias = node.inputs[2];
        }
    }
    return dense;
}

auto choose_product(ProgramBuilder& builder, const DenseLayer& dense, const JoinedNodes& joined) {
    const auto make = [&](bool bf16, bool bf16_target) {
        return dnnl::matmul::primitive_desc(
            builder.materializer().engine(), plain_desc({dense.rows, dense.inner}, bf16),
            any_desc({dense.inner, dense.columns}, bf16),
            dense.layer.has_bias() ? plain_desc({1, dense.columns}) : dnnl::memory::desc(),
            plain_desc({dense.rows, dense.columns}, bf16_target), attributes_with_scratch(joined.has_residual()), true);
    };
    return choose_primitive(builder, joined.output(), make);
}

}  // namespace

bool lower_dense(ProgramBuilder& builder, const Step& step) {
    const Node& node = builder.node(step.node);
    std::optional<DenseLayer> found = dense_layer(builder, node);
    if (!found) return false;
    DenseLayer& dense = *found;
    const JoinedNodes joined(builder, step);
    dense.layer.added_bias = step.added_bias;
    dense.layer.norm = joined.norm();

    const auto chosen = choose_product(builder, dense, joined);
    const auto& primitive = chosen.primitive;
    if (!primitive) return false;

    const Shape weights_shape{dense.inner, dense.columns};
    const Place source = builder.read(node.inputs[0], {Layout::plain, chosen.bf16});
    const JoinedNodes::Target target = joined.target({Layout::plain, chosen.bf16_target}, source);
    const Shape strides = dense.transposed ? Shape{1, dense.inner} : Shape{dense.columns, 1};
    const dnnl::memory::desc plain(weights_shape, dnnl::memory::data_type::f32, strides);
    const dnnl::memory::desc wanted = primitive.weights_desc();
    std::vector<DnnlArgument> arguments{
        {DNNL_ARG_SRC, primitive.src_desc(), source},
        {DNNL_ARG_DST, primitive.dst_desc(), target.place},
        {DNNL_ARG_WEIGHTS, wanted, builder.materializer().pack_weights(dense.layer, &plain, &wanted)}};
    if (dense.layer.has_bias()) {
        arguments.push_back({DNNL_ARG_BIAS, primitive.bias_desc(), builder.materializer().pack_bias(dense.layer)});
    }
    arguments.push_back(
        {DNNL_ARG_SCRATCHPAD, primitive.scratchpad_desc(), builder.scratch(primitive.scratchpad_desc().get_size())});
    builder.count_macs(dense.rows * dense.inner * dense.columns);
    auto operation =
        std::make_unique<DnnlOperation>(dnnl::matmul(primitive), primitive.impl_info_str(), std::move(arguments));
    operation->remark(chosen.remark);
    operation->copy_first(target.copy_from);
    operation->activate(joined.activation());
    builder.add(std::move(operation), node.name);
    return true;
}

bool lower_batched_product(ProgramBuilder& builder, const Node& node) {
    const Shape& a = builder.shape(node.inputs[0]);
    const Shape& b = builder.shape(node.inputs[1]);
    const Shape& c = builder.shape(node.outputs[0]);
    if (a.size() < 2 || a.size() != b.size() || !std::equal(a.begin(), a.end() - 2, b.begin())) return false;
    for (const ValueId input : node.inputs) {
        if (builder.value(input).dtype != DType::f32) return false;
    }
    if (element_count(a) == 0 || element_count(b) == 0) return false;
    const std::size_t rank = a.size();
    const std::int64_t batch = element_count(std::span(a).first(rank - 2));
    const auto flat = [&](const Shape& shape) { return plain_desc({batch, shape[rank - 2], shape[rank - 1]}); };
    const dnnl::engine& engine = builder.materializer().engine();
    const dnnl::matmul::primitive_desc primitive(engine, flat(a), flat(b), flat(c), attributes_with_scratch(false),
                                                 true);
    if (!primitive) return false;
    std::vector<DnnlArgument> arguments{
        {DNNL_ARG_SRC, primitive.src_desc(), builder.read(node.inputs[0], Layout::plain)},
        {DNNL_ARG_WEIGHTS, primitive.weights_desc(), builder.read(node.inputs[1], Layout::plain)},
        {DNNL_ARG_DST, primitive.dst_desc(), builder.write(node.outputs[0], Layout::plain)},
        {DNNL_ARG_SCRATCHPAD, primitive.scratchpad_desc(), builder.scratch(primitive.scratchpad_desc().get_size())}};
    builder.count_macs(element_count(c) * a[rank - 1]);
    builder.add(
        std::make_unique<DnnlOperation>(dnnl::matmul(primitive), primitive.impl_info_str(), std::move(arguments)),
        node.name);
    return true;
}

}  // namespace lossmap::cpu
