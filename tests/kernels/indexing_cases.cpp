#include <fmt/format.h>

#include "kernel_case.hpp"

namespace lossmap::kernels::test {
namespace {

constexpr std::int64_t kPoints = 2;

Tensor typed_noise(Shape shape, std::uint64_t seed, DType type) {
    return is_floating_point(type) ? as_storage(random_floats(std::move(shape), seed), type)
                                   : as_type(random_ints(std::move(shape), seed, -100, 100), type);
}

/// An embedding that moves with the points, and indices that do not; negative indices count from the end.
KernelCase gather_case(std::int64_t outer, std::int64_t extent, std::int64_t inner, DType type, DType index_type) {
    const auto data = std::make_shared<Tensor>(typed_noise({kPoints, outer, extent, inner}, 261, type));
    const auto indices = std::make_shared<Tensor>(as_type(random_ints({3, 2}, 262, -extent, extent), index_type));
    const std::int64_t count = outer * 6 * inner;
    return {"gather", fmt::format("{}_{}_{}_{}_{}", outer, extent, inner, name_of(type), name_of(index_type)),
            [=](Device& device) {
                GatherArgs args{device.input(*data, kPoints),
                                device.input(*indices),
                                device.output(type, kPoints, count),
                                kPoints,
                                outer,
                                extent,
                                inner,
                                6,
                                device.put(std::vector<std::uint32_t>{0})};
                device.table().gather(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, count),
                               Tensor::scalar<std::int64_t>(device.get(args.faults, 1)[0]));
            },
            [=] {
                auto results = operator_at_points("Gather", kPoints, {per_point(*data), shared(*indices)},
                                                  {{"axis", std::int64_t{1}}});
                results.push_back(Tensor::scalar<std::int64_t>(0));
                return results;
            },
            0.0};
}

/// An index out of range gives 0 and a fault.
KernelCase bad_gather_case() {
    return {"gather", "index_out_of_range",
            [](Device& device) {
                const std::vector<float> data{1, 2, 3, 4};
                const std::vector<std::int64_t> indices{3, 4, -4, -5};
                GatherArgs args;
                args.data = {device.put(data), DType::f32, 0};
                args.indices = {device.put(indices), DType::i64, 0};
                args.out = device.output(DType::f32, 1, 4);
                args.extent = 4;
                args.count = 4;
                args.faults = device.put(std::vector<std::uint32_t>{0});
                device.table().gather(args, device.queue());
                return list_of(device.fetch(args.out, 1, 4),
                               Tensor::scalar<std::int64_t>(device.get(args.faults, 1)[0]));
            },
            [] {
                return list_of(Tensor::from<float>(std::vector<float>{4, 0, 1, 0}, {4}),
                               Tensor::scalar<std::int64_t>(kFaultIndex));
            },
            0.0};
}

KernelCase gather_elements_case(int axis, DType type) {
    const auto data = std::make_shared<Tensor>(typed_noise({kPoints, 4, 5, 6}, 271, type));
    const std::int64_t extent = axis == 0 ? 4 : axis == 1 ? 5 : 6;
    const auto indices = std::make_shared<Tensor>(random_ints({kPoints, 3, 5, 2}, 272, -extent, extent));
    return {"gather_elements", fmt::format("axis_{}_{}", axis, name_of(type)),
            [=](Device& device) {
                GatherElementsArgs args;
                args.data = device.input(*data, kPoints);
                args.indices = device.input(*indices, kPoints);
                args.out = device.output(type, kPoints, 30);
                args.points = kPoints;
                args.dims = dims_of({3, 5, 2});
                args.data_strides = dense_strides(dims_of({4, 5, 6}));
                args.axis = axis;
                args.extent = extent;
                device.table().gather_elements(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, 30));
            },
            [=] {
                return operator_at_points("GatherElements", kPoints, {per_point(*data), per_point(*indices)},
                                          {{"axis", std::int64_t{axis}}});
            },
            0.0};
}

KernelCase gather_nd_case(std::int64_t batch_dims, DType type) {
    const auto data = std::make_shared<Tensor>(typed_noise({kPoints, 3, 4, 5, 2}, 281, type));
    const std::int64_t count = batch_dims == 1 ? 4 : 7;
    const Shape shape = batch_dims == 1 ? Shape{3, 4, 2} : Shape{7, 2};
    const auto indices = std::make_shared<Tensor>(random_ints(shape, 282, -3, 3));
    const std::int64_t block = batch_dims == 1 ? 2 : 10;
    const std::int64_t total = (batch_dims == 1 ? 3 : 1) * count * block;
    return {"gather_nd", fmt::format("batch_dims_{}_{}", batch_dims, name_of(type)),
            [=](Device& device) {
                GatherNdArgs args;
                args.data = device.input(*data, kPoints);
                args.indices = device.input(*indices);
                args.out = device.output(type, kPoints, total);
                args.points = kPoints;
                args.batches = batch_dims == 1 ? 3 : 1;
                args.count = count;
                args.width = 2;
                args.extents[0] = batch_dims == 1 ? 4 : 3;
                args.extents[1] = batch_dims == 1 ? 5 : 4;
                args.block = block;
                device.table().gather_nd(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, total));
            },
            [=] {
                return operator_at_points("GatherND", kPoints, {per_point(*data), shared(*indices)},
                                          {{"batch_dims", batch_dims}});
            },
            0.0};
}

struct NamedRule {
    ScatterRule rule;
    const char* name;
};
constexpr NamedRule kRules[] = {{ScatterRule::replace, "none"},
                                {ScatterRule::add, "add"},
                                {ScatterRule::multiply, "mul"},
                                {ScatterRule::maximum, "max"},
                                {ScatterRule::minimum, "min"}};

Output copy_of(Device& device, const Tensor& data) {
    const Input input = device.input(data, kPoints);
    return {const_cast<void*>(input.data), input.type, input.point_stride};
}

/// Indices repeat: the order of the updates shows.
KernelCase scatter_elements_case(const NamedRule& rule, int axis, DType type) {
    const auto data = std::make_shared<Tensor>(typed_noise({kPoints, 4, 5}, 291, type));
    const auto indices = std::make_shared<Tensor>(random_ints({3, 4}, 292, -2, 2));
    const auto updates = std::make_shared<Tensor>(typed_noise({kPoints, 3, 4}, 293, type));
    return {"scatter_elements", fmt::format("{}_axis_{}_{}", rule.name, axis, name_of(type)),
            [=](Device& device) {
                ScatterElementsArgs args;
                args.rule = rule.rule;
                args.indices = device.input(*indices);
                args.updates = device.input(*updates, kPoints);
                args.out = copy_of(device, *data);
                args.points = kPoints;
                args.dims = dims_of({3, 4});
                args.data_strides = dense_strides(dims_of({4, 5}));
                args.axis = axis;
                args.extent = axis == 0 ? 4 : 5;
                device.table().scatter_elements(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, 20));
            },
            [=] {
                return operator_at_points("ScatterElements", kPoints,
                                          {per_point(*data), shared(*indices), per_point(*updates)},
                                          {{"axis", std::int64_t{axis}}, {"reduction", std::string(rule.name)}}, 18);
            },
            1e-7};
}

KernelCase scatter_nd_case(const NamedRule& rule, DType type) {
    const auto data = std::make_shared<Tensor>(typed_noise({kPoints, 3, 4, 5}, 301, type));
    const auto indices = std::make_shared<Tensor>(random_ints({6, 2}, 302, -2, 2));
    const auto updates = std::make_shared<Tensor>(typed_noise({kPoints, 6, 5}, 303, type));
    return {"scatter_nd", fmt::format("{}_{}", rule.name, name_of(type)),
            [=](Device& device) {
                ScatterNdArgs args;
                args.rule = rule.rule;
                args.indices = device.input(*indices);
                args.updates = device.input(*updates, kPoints);
                args.out = copy_of(device, *data);
                args.points = kPoints;
                args.count = 6;
                args.width = 2;
                args.extents[0] = 3;
                args.extents[1] = 4;
                args.block = 5;
                device.table().scatter_nd(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, 60));
            },
            [=] {
                return operator_at_points("ScatterND", kPoints,
                                          {per_point(*data), shared(*indices), per_point(*updates)},
                                          {{"reduction", std::string(rule.name)}}, 18);
            },
            1e-7};
}

}  // namespace

std::vector<KernelCase> indexing_cases() {
    std::vector<KernelCase> cases;
    cases.push_back(gather_case(1, 11, 16, DType::f32, DType::i64));
    cases.push_back(gather_case(3, 7, 5, DType::f16, DType::i32));
    cases.push_back(gather_case(2, 5, 1, DType::i64, DType::i64));
    cases.push_back(gather_case(2, 5, 3, DType::i8, DType::i64));
    cases.push_back(bad_gather_case());
    for (const int axis : {0, 1, 2})
        cases.push_back(gather_elements_case(axis, DType::f32));
    cases.push_back(gather_elements_case(1, DType::i8));
    for (const std::int64_t batch_dims : {0, 1}) {
        cases.push_back(gather_nd_case(batch_dims, DType::f32));
        cases.push_back(gather_nd_case(batch_dims, DType::i64));
    }
    for (const NamedRule& rule : kRules) {
        for (const DType type : {DType::f32, DType::i64}) {
            cases.push_back(scatter_elements_case(rule, 0, type));
            cases.push_back(scatter_elements_case(rule, 1, type));
            cases.push_back(scatter_nd_case(rule, type));
        }
    }
    return cases;
}

}  // namespace lossmap::kernels::test
