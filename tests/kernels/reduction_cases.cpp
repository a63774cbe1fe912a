#include <algorithm>

#include <fmt/format.h>

#include "kernel_case.hpp"

namespace lossmap::kernels::test {
namespace {

constexpr std::int64_t kPoints = 2;

struct NamedReduction {
    ReduceOp op;
    const char* op_type;
};
constexpr NamedReduction kReductions[] = {
    {ReduceOp::sum, "ReduceSum"},        {ReduceOp::mean, "ReduceMean"},
    {ReduceOp::prod, "ReduceProd"},      {ReduceOp::max, "ReduceMax"},
    {ReduceOp::min, "ReduceMin"},        {ReduceOp::l1, "ReduceL1"},
    {ReduceOp::l2, "ReduceL2"},          {ReduceOp::sum_square, "ReduceSumSquare"},
    {ReduceOp::log_sum, "ReduceLogSum"}, {ReduceOp::log_sum_exp, "ReduceLogSumExp"},
};

KernelCase reduce_case(const NamedReduction& reduction, const Tensor& values, const std::vector<std::int64_t>& axes) {
    const auto in = std::make_shared<Tensor>(values.clone());
    const Shape shape(values.shape().begin() + 1, values.shape().end());
    Shape kept, reduced;
    Strides kept_strides, reduced_strides;
    const Strides dense = dense_strides(dims_of(shape));
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        const bool gone = std::ranges::find(axes, static_cast<std::int64_t>(axis)) != axes.end();
        Shape& extents = gone ? reduced : kept;
        (gone ? reduced_strides : kept_strides).values[extents.size()] = dense.values[axis];
        extents.push_back(shape[axis]);
    }
    const std::int64_t count = element_count(kept);
    return {
        "reduce",
        fmt::format("{}_{}_{}_over_{}", reduction.op_type, name_of(values.dtype()), to_string(shape), to_string(axes)),
        [=](Device& device) {
            ReduceArgs args;
            args.op = reduction.op;
            args.in = device.input(*in, kPoints);
            args.out = device.output(in->dtype(), kPoints, count);
            args.points = kPoints;
            args.kept = dims_of(kept);
            args.kept_strides = kept_strides;
            args.reduced = dims_of(reduced);
            args.reduced_strides = reduced_strides;
            device.table().reduce(args, device.queue());
            return list_of(device.fetch(args.out, kPoints, count));
        },
        [=] {
            return operator_at_points(reduction.op_type, kPoints, {per_point(*in)}, {{"axes", axes}}, 12);
        },
        2e-7};
}

KernelCase arg_case(const Tensor& values, bool largest, bool last) {
    const auto in = std::make_shared<Tensor>(values.clone());
    const Shape& s = values.shape();  // [points, outer, count, inner]
    const std::int64_t count = s[1] * s[3];
    return {"arg_reduce",
            fmt::format("{}_{}_{}_{}", largest ? "max" : "min", last ? "last" : "first", name_of(values.dtype()),
                        to_string(s)),
            [=](Device& device) {
                const Shape& shape = in->shape();
                ArgReduceArgs args{device.input(*in, kPoints),
                                   device.output(DType::i64, kPoints, count),
                                   kPoints,
                                   shape[1],
                                   shape[2],
                                   shape[3],
                                   largest,
                                   last};
                device.table().arg_reduce(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, count));
            },
            [=] {
                return operator_at_points(
                    largest ? "ArgMax" : "ArgMin", kPoints, {per_point(*in)},
                    {{"axis", std::int64_t{1}}, {"select_last_index", std::int64_t{last ? 1 : 0}}});
            },
            0.0};
}

KernelCase cumulative_case(const Tensor& values, bool exclusive, bool reverse, bool product) {
    const auto in = std::make_shared<Tensor>(values.clone());
    const std::int64_t count = values.count() / kPoints;
    return {"cumulative",
            fmt::format("{}_{}{}{}", name_of(values.dtype()), product ? "product" : "sum",
                        exclusive ? "_exclusive" : "", reverse ? "_reverse" : ""),
            [=](Device& device) {
                const Shape& s = in->shape();
                CumulativeArgs args{device.input(*in, kPoints),
                                    device.output(in->dtype(), kPoints, count),
                                    kPoints,
                                    s[1],
                                    s[2],
                                    s[3],
                                    product,
                                    exclusive,
                                    reverse};
                device.table().cumulative(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, count));
            },
            [=] {
                return operator_at_points(
                    product ? "CumProd" : "CumSum", kPoints, {per_point(*in), shared(Tensor::scalar<std::int64_t>(1))},
                    {{"exclusive", std::int64_t{exclusive}}, {"reverse", std::int64_t{reverse}}}, 26);
            },
            2e-7};
}

KernelCase top_k_case(const Tensor& values, std::int64_t k, bool largest) {
    const auto in = std::make_shared<Tensor>(values.clone());
    const Shape s = values.shape();
    const std::int64_t count = s[1] * k * s[3];
    return {"top_k", fmt::format("{}_{}_{}", name_of(values.dtype()), k, largest ? "largest" : "smallest"),
            [=](Device& device) {
                TopKArgs args{device.input(*in, kPoints),
                              device.output(in->dtype(), kPoints, count),
                              device.output(DType::i64, kPoints, count),
                              kPoints,
                              s[1],
                              s[2],
                              s[3],
                              k,
                              largest};
                device.table().top_k(args, device.queue());
                return list_of(device.fetch(args.values, kPoints, count), device.fetch(args.indices, kPoints, count));
            },
            [=] {
                return operator_at_points(
                    "TopK", kPoints,
                    {per_point(*in), shared(Tensor::from<std::int64_t>(std::vector<std::int64_t>{k}, {1}))},
                    {{"axis", std::int64_t{1}}, {"largest", std::int64_t{largest}}}, 17, 2);
            },
            0.0};
}

}  // namespace

std::vector<KernelCase> reduction_cases() {
    std::vector<KernelCase> cases;
    // Few elements an output: one thread; more: 32 threads; many: a block. NaN and infinities come along.
    const Tensor small = with_specials(random_floats({kPoints, 4, 3, 5}, 161));
    const Tensor medium = random_floats({kPoints, 9, 40, 3}, 162);
    Tensor large = random_floats({kPoints, 2, 1500}, 163);
    large.as<float>()[1700] = NAN;
    for (const NamedReduction& reduction : kReductions) {
        cases.push_back(reduce_case(reduction, small, {1}));
        cases.push_back(reduce_case(reduction, small, {0, 2}));
        cases.push_back(reduce_case(reduction, medium, {1}));
        cases.push_back(reduce_case(reduction, medium, {1, 2}));
        cases.push_back(reduce_case(reduction, large, {1}));
        if (reduction.op != ReduceOp::log_sum_exp && reduction.op != ReduceOp::log_sum)
            cases.push_back(reduce_case(reduction, random_ints({kPoints, 3, 50}, 164, 1, 5), {1}));
    }
    cases.push_back(reduce_case(kReductions[1], random_floats({kPoints, 12, 36, 100}, 169), {1}));  // channels last
    // The same by packs of channels: a number of elements that is no multiple of those read at once; few of them; rows
    // that are taken together; not a sum.
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
        const Tensor channels = as_storage(with_specials(random_floats({kPoints, 12, 39, 104}, 170)), type);
        cases.push_back(reduce_case(kReductions[1], channels, {1}));
        cases.push_back(reduce_case(kReductions[0], as_storage(random_floats({kPoints, 3, 7, 16}, 172), type), {1}));
        cases.push_back(
            reduce_case(kReductions[1], as_storage(random_floats({kPoints, 3, 2, 5, 8}, 173), type), {1, 2}));
    }
    cases.push_back(reduce_case(kReductions[3], random_floats({kPoints, 12, 39, 104}, 174), {1}));
    cases.push_back(reduce_case(kReductions[0], as_storage(medium, DType::f16), {1}));
    cases.push_back(reduce_case(kReductions[0], as_storage(medium, DType::bf16), {1}));
    const Tensor ties = as_floats(as_storage(random_floats({kPoints, 3, 7, 4}, 165), DType::bf16));
    Tensor with_nan = ties.clone();
    with_nan.as<float>()[9] = NAN;
    for (const bool largest : {true, false}) {
        for (const bool last : {true, false}) {
            cases.push_back(arg_case(with_nan, largest, last));
            cases.push_back(arg_case(random_ints({kPoints, 3, 20, 2}, 166, 0, 4), largest, last));
        }
        cases.push_back(top_k_case(with_nan, 3, largest));
        cases.push_back(top_k_case(with_nan, 7, largest));
        cases.push_back(top_k_case(random_ints({kPoints, 3, 20, 2}, 167, 0, 4), 6, largest));
    }
    for (const bool reverse : {true, false}) {
        for (const bool exclusive : {true, false}) {
            cases.push_back(cumulative_case(ties, exclusive, reverse, false));
            cases.push_back(cumulative_case(random_ints({kPoints, 3, 9, 2}, 168, -5, 6), exclusive, reverse, false));
            cases.push_back(cumulative_case(ties, exclusive, reverse, true));
        }
    }
    return cases;
}

}  // namespace lossmap::kernels::test
