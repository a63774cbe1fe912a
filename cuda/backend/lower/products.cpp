#include "cuda/backend/lower/products.hpp"

#include <algorithm>
#include <memory>

#include "core/error.hpp"
#include "cuda/backend/library_operation.hpp"

namespace lossmap::cuda {
namespace {

Precision precision_of(const ProgramBuilder& builder, DType type) {
    if (type != DType::f32) return builder.options().precision;
    return builder.options().precision == Precision::tf32 ? Precision::tf32 : Precision::fp32;
}

/// Of all operands, at every point and item of the batch.
std::int64_t alignment_of(const Product& product, const GemmProblem& problem) {
    std::int64_t result = static_cast<std::int64_t>(kLibraryAlignment);
    const auto consider = [&](const Located& array, std::int64_t stride) {
        const auto width = static_cast<std::int64_t>(size_of(array.type));
        result = std::min({result, array.alignment(), cuda::alignment_of(stride * width)});
    };
    consider(product.a, problem.stride_a);
    consider(product.b, problem.stride_b);
    consider(product.result, problem.stride_d);
    if (product.bias) consider(*product.bias, problem.stride_bias);
    return result;
}

/// The fewest launches that share the points evenly and have at most `most` matrices each.
std::int64_t launches_of(std::int64_t points, std::int64_t batch, std::int64_t most) {
    std::int64_t launches = 1;
    while (points % launches != 0 || points / launches * batch > most)
        ++launches;
    return launches;
}

/// `count` of a batch of matrices of `elements`, from `first` on.
Located part_of(const Located& matrices, std::int64_t first, std::int64_t count, std::int64_t elements) {
    Located part = matrices;
    part.offset += first * elements;
    part.shape = {count * elements};
    part.strides = {1};
    return part;
}

/// A batch that is more than the library takes at once, in parts.
JoinedWork add_in_parts(ProgramBuilder& builder, const Product& product, std::int64_t points, Phase phase) {
    const std::int64_t most = builder.device().facts().most_products;
    JoinedWork joined;
    for (std::int64_t first = 0; first < product.batch; first += most) {
        Product part = product;
        part.batch = std::min(most, product.batch - first);
        part.a = part_of(product.a, first, part.batch, product.rows * product.inner);
        part.b = part_of(product.b, first, part.batch, product.inner * product.columns);
        part.result = part_of(product.result, first, part.batch, product.rows * product.columns);
        joined = add_product(builder, part, points, phase);
    }
    return joined;
}

}  // namespace

JoinedWork add_product(ProgramBuilder& builder, const Product& product, std::int64_t points, Phase phase) {
    const std::int64_t most = builder.device().facts().most_products;
    if (product.batch > most) return add_in_parts(builder, product, points, phase);
    GemmProblem problem;
    problem.rows = product.rows;
    problem.columns = product.columns;
    problem.inner = product.inner;
    problem.transpose_a = product.transpose_a;
    problem.transpose_b = product.transpose_b;
    problem.type = product.a.type;
    problem.result_type = product.result.type;
    problem.precision = precision_of(builder, product.a.type);
    problem.bias = product.bias.has_value();
    problem.relu = product.relu;
    const std::int64_t one_a = product.rows * product.inner;
    const std::int64_t one_b = product.inner * product.columns;
    const std::int64_t one_d = product.rows * product.columns;
    std::int64_t launches = 1;
    if (product.batch == 1) {
        launches = launches_of(points, 1, most);
        problem.batch = points / launches;
        problem.stride_a = product.a.point_stride;
        problem.stride_b = product.b.point_stride;
        problem.stride_d = product.result.point_stride;
        problem.stride_bias = product.bias ? product.bias->point_stride : 0;
    } else {
        const bool even = product.a.point_stride == product.batch * one_a &&
                          product.b.point_stride == product.batch * one_b &&
                          product.result.point_stride == product.batch * one_d && !product.bias;
        launches = even ? launches_of(points, product.batch, most) : points;
        problem.batch = points / launches * product.batch;
        problem.stride_a = one_a;
        problem.stride_b = one_b;
        problem.stride_d = one_d;
    }
    problem.alignment = alignment_of(product, problem);
    auto plan = builder.plan_gemm(problem);
    const JoinedWork joined = plan->joined();
    const Located workspace =
        builder.temporary(phase, DType::u8, {static_cast<std::int64_t>(plan->workspace_bytes())}, false);
    auto operation = std::make_unique<GemmOperation>("gemm", std::move(plan), points, launches);
    operation->read(&GemmOperands::a, product.a);
    operation->read(&GemmOperands::b, product.b);
    if (joined.bias) operation->read(&GemmOperands::bias, *product.bias);
    operation->write(&GemmOperands::d, product.result);
    operation->write(&GemmOperands::workspace, workspace);
    builder.add(std::move(operation), phase);
    return joined;
}

}  // namespace lossmap::cuda
