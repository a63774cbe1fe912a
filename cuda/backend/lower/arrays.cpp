#include "cuda/backend/lower/arrays.hpp"

#include <vector>

#include "cuda/backend/kernel_shapes.hpp"

namespace lossmap::cuda {

void Sequence::binary(kernels::BinaryOp op, const Located& a, const Located& b, const Located& out) const {
    auto operation = builder.kernel<kernels::BinaryArgs>("binary", builder.kernels().binary, points);
    operation->args.op = op;
    operation->args.dims = dims_of(out.shape);
    operation->args.a_strides = strides_of(broadcast_strides(a.shape, a.strides, out.shape));
    operation->args.b_strides = strides_of(broadcast_strides(b.shape, b.strides, out.shape));
    operation->read(operation->args.a, a);
    operation->read(operation->args.b, b);
    operation->write(operation->args.out, out);
    builder.watch(*operation, out);
    builder.add(std::move(operation), phase);
}

void Sequence::copy(const Located& from, const Located& to) const {
    auto operation = builder.kernel<kernels::CopyArgs>("copy", builder.kernels().copy, points);
    operation->args.dims = dims_of(to.shape);
    operation->args.in_strides = strides_of(from.strides);
    operation->args.out_strides = strides_of(to.strides);
    operation->read(operation->args.in, from);
    operation->write(operation->args.out, to);
    builder.add(std::move(operation), phase);
}

void Sequence::cast(const Located& from, const Located& to) const {
    auto operation = builder.kernel<kernels::CastArgs>("cast", builder.kernels().cast, points);
    operation->args.count = element_count(to.shape);
    operation->read(operation->args.in, from);
    operation->write(operation->args.out, to);
    builder.watch(*operation, to);
    builder.add(std::move(operation), phase);
}

void Sequence::fill(const Located& array, double value) const {
    auto operation = builder.kernel<kernels::RangeArgs>("range", builder.kernels().range, points);
    operation->args.count = element_count(array.shape);
    operation->args.real_start = value;
    operation->args.integer_start = static_cast<std::int64_t>(value);
    operation->write(operation->args.out, array);
    builder.add(std::move(operation), phase);
}

void Sequence::softmax(const Located& in, const Located& out) const {
    const AxisSplit split = split_at(in.shape, in.shape.size() - 1);
    auto operation = builder.kernel<kernels::SoftmaxArgs>("softmax", builder.kernels().softmax, points);
    operation->args.outer = split.outer;
    operation->args.count = split.count;
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, out);
    builder.add(std::move(operation), phase);
}

void Sequence::largest(const Located& in, const Located& out) const {
    const AxisSplit split = split_at(in.shape, in.shape.size() - 1);
    auto operation = builder.kernel<kernels::ReduceArgs>("reduce", builder.kernels().reduce, points);
    operation->args.op = kernels::ReduceOp::max;
    operation->args.kept = dims_of({split.outer});
    operation->args.kept_strides = strides_of({split.count});
    operation->args.reduced = dims_of({split.count});
    operation->args.reduced_strides = strides_of({1});
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, out);
    builder.add(std::move(operation), phase);
}

void Sequence::select(const Located& condition, const Located& a, const Located& b, const Located& out) const {
    auto operation = builder.kernel<kernels::SelectArgs>("select", builder.kernels().select, points);
    operation->args.dims = dims_of(out.shape);
    operation->args.condition_strides = strides_of(broadcast_strides(condition.shape, condition.strides, out.shape));
    operation->args.a_strides = strides_of(broadcast_strides(a.shape, a.strides, out.shape));
    operation->args.b_strides = strides_of(broadcast_strides(b.shape, b.strides, out.shape));
    operation->read(operation->args.condition, condition);
    operation->read(operation->args.a, a);
    operation->read(operation->args.b, b);
    operation->write(operation->args.out, out);
    builder.add(std::move(operation), phase);
}

Located scalar(ProgramBuilder& builder, float value) {
    Located result = builder.constant_array(std::vector<float>{value});
    result.shape = result.strides = {};
    return result;
}

Located sliced(const Located& array, std::size_t axis, std::int64_t begin, std::int64_t extent) {
    Located result = array;
    result.offset += begin * array.strides[axis];
    result.shape[axis] = extent;
    return result;
}

Located picked(const Located& array, std::size_t axis, std::int64_t position) {
    Located result = sliced(array, axis, position, 1);
    result.shape.erase(result.shape.begin() + static_cast<std::ptrdiff_t>(axis));
    result.strides.erase(result.strides.begin() + static_cast<std::ptrdiff_t>(axis));
    return result;
}

}  // namespace lossmap::cuda
