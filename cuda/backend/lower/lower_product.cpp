#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "cuda/backend/lower/joined_layer.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "cuda/backend/lower/products.hpp"

namespace lossmap::cuda {
namespace {

/// A batch of matrices as a product takes it.
struct Matrices {
    Located array;
    bool transposed = false;  ///< stored [.., columns, rows]
};

Shape batch_of(const Shape& shape) { return Shape(shape.begin(), shape.end() - 2); }

Located swapped(const Located& array) {
    Located result = array;
    const std::size_t rank = array.shape.size();
    std::swap(result.shape[rank - 1], result.shape[rank - 2]);
    std::swap(result.strides[rank - 1], result.strides[rank - 2]);
    return result;
}

/// The operand over the batch of the result, dense or densely transposed; copied where it is neither.
Matrices matrices(ProgramBuilder& builder, ValueId id, const Shape& batch, DType type) {
    Located array = builder.find(id);
    const Shape& shape = builder.shape(id);
    if (array.pristine) array = builder.read(id, {Demand::Form::dense, type});
    if (batch_of(shape) != batch) {
        Shape wide = batch;
        wide.insert(wide.end(), shape.end() - 2, shape.end());
        array.strides = broadcast_strides(array.shape, array.strides, wide);
        array.shape = wide;
    }
    const Phase phase = builder.phase_of(id);
    if (array.type == type && swapped(array).is_dense() && !array.is_dense()) return {array, true};
    return {builder.convert(array, {Demand::Form::dense, type}, phase), false};
}

void multiply_batches(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Shape& a_shape = builder.shape(node.inputs[0]);
    const Shape& b_shape = builder.shape(node.inputs[1]);
    const DType type =
        builder.per_point(output) && builder.phase_of(output) == Phase::tile ? builder.activation_type() : DType::f32;
    const Shape batch = broadcast(batch_of(a_shape), batch_of(b_shape));
    Product product;
    product.inner = a_shape.back();
    product.columns = b_shape.back();
    product.rows = a_shape[a_shape.size() - 2];
    product.batch = element_count(batch);
    const Matrices a = matrices(builder, node.inputs[0], batch, type);
    const Matrices b = matrices(builder, node.inputs[1], batch, type);
    product.a = a.array;
    product.b = b.array;
    product.transpose_a = a.transposed;
    product.transpose_b = b.transposed;
    product.result = builder.write(output);
    const std::int64_t points = builder.points_of(output);
    static_cast<void>(add_product(builder, product, points, builder.phase_of(output)));
    builder.watch_in_place(product.result, builder.phase_of(output));
    if (builder.phase_of(output) == Phase::tile)
        builder.count_macs(product.batch * product.rows * product.columns * product.inner);
}

/// Products of vectors: as matrices of one row or column.
void multiply_vectors(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const auto strides = [](const Located& matrix, bool first) {
        const std::size_t rank = matrix.shape.size();
        if (rank == 1)
            return first ? kernels::MatrixStrides{0, matrix.strides[0], 0}
                         : kernels::MatrixStrides{matrix.strides[0], 0, 0};
        return kernels::MatrixStrides{matrix.strides[rank - 2], matrix.strides[rank - 1],
                                      rank > 2 ? matrix.strides[rank - 3] : 0};
    };
    const Located a = builder.read(node.inputs[0], {Demand::Form::dense, {}});
    const Located b = builder.read(node.inputs[1], {Demand::Form::dense, {}});
    const Located out = builder.write(output);
    auto operation = builder.kernel<kernels::GemmArgs>("gemm", builder.kernels().gemm, builder.points_of(output));
    kernels::GemmArgs& args = operation->args;
    args.m = a.shape.size() > 1 ? a.shape[a.shape.size() - 2] : 1;
    args.k = a.shape.back();
    args.n = b.shape.size() > 1 ? b.shape.back() : 1;
    args.batches = element_count(out.shape) / (args.m * args.n);
    args.a_strides = strides(a, true);
    args.b_strides = strides(b, false);
    // Leading dimensions of the one that has them are dense.
    if (a.shape.size() > 2) args.a_strides.batch = args.m * args.k;
    if (b.shape.size() > 2) args.b_strides.batch = args.k * args.n;
    args.out_strides = {args.n, 1, args.m * args.n};
    operation->read(args.a, a);
    operation->read(args.b, b);
    operation->write(args.out, out);
    builder.watch(*operation, out);
    builder.add(std::move(operation), builder.phase_of(output));
}

/// A Gemm whose matrix depends on samples, or that belongs to the parameters.
void general_gemm(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located a = builder.read(node.inputs[0], {Demand::Form::any, {}});
    const Located b = builder.read(node.inputs[1], {Demand::Form::any, {}});
    const Located out = builder.write(output);
    const auto strides = [](const Located& matrix, bool transposed) {
        return transposed ? kernels::MatrixStrides{matrix.strides[1], matrix.strides[0], 0}
                          : kernels::MatrixStrides{matrix.strides[0], matrix.strides[1], 0};
    };
    const bool transpose_a = node.attributes.get_int("transA", 0) != 0;
    auto operation = builder.kernel<kernels::GemmArgs>("gemm", builder.kernels().gemm, builder.points_of(output));
    kernels::GemmArgs& args = operation->args;
    args.m = out.shape[0];
    args.n = out.shape[1];
    args.k = a.shape[transpose_a ? 0 : 1];
    args.a_strides = strides(a, transpose_a);
    args.b_strides = strides(b, node.attributes.get_int("transB", 0) != 0);
    args.out_strides = {args.n, 1, 0};
    args.alpha = static_cast<float>(node.attributes.get_float("alpha", 1.0));
    args.beta = static_cast<float>(node.attributes.get_float("beta", 1.0));
    operation->read(args.a, a);
    operation->read(args.b, b);
    if (node.has_input(2)) {
        const Located addend = builder.read(node.inputs[2], {Demand::Form::any, {}});
        const Shape wide = broadcast_strides(addend.shape, addend.strides, out.shape);
        args.addend_strides = {wide[0], wide[1], 0};
        operation->read(args.addend, addend);
    }
    operation->write(args.out, out);
    builder.watch(*operation, out);
    builder.add(std::move(operation), builder.phase_of(output));
    if (builder.phase_of(output) == Phase::tile) builder.count_macs(args.m * args.n * args.k);
}

}  // namespace

bool lower_product(ProgramBuilder& builder, const Node& node) {
    if (!node.domain.empty() || (node.op_type != "MatMul" && node.op_type != "Gemm")) return false;
    for (const ValueId id : node.inputs) {
        if (id != kNoValue && builder.value(id).dtype != DType::f32)
            throw UnsupportedError("a product of {} is not supported on the GPU", name_of(builder.value(id).dtype));
    }
    if (node.op_type == "Gemm") {
        general_gemm(builder, node);
    } else if (builder.shape(node.inputs[0]).size() < 2 || builder.shape(node.inputs[1]).size() < 2) {
        multiply_vectors(builder, node);
    } else {
        multiply_batches(builder, node);
    }
    return true;
}

}  // namespace lossmap::cuda
