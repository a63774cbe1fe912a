#include <fmt/format.h>

#include "kernel_case.hpp"

namespace lossmap::kernels::test {
namespace {

constexpr std::int64_t kPoints = 2;
using Ints = std::vector<std::int64_t>;

Tensor typed_noise(Shape shape, std::uint64_t seed, DType type) {
    return is_floating_point(type) ? as_storage(random_floats(std::move(shape), seed), type)
                                   : as_type(random_ints(std::move(shape), seed, -100, 100), type);
}

/// A view of each point's array: dims, strides and offset of the source, and maps.
struct View {
    std::string name;
    Shape in;  ///< a point's
    Shape out;
    Ints strides;
    std::int64_t offset = 0;
    std::vector<std::vector<std::int32_t>> maps = {};
    double fill = 0.0;
};

KernelCase copy_case(const View& view, DType type, const std::string& op_type, const std::vector<Tensor>& more,
                     const AttributeMap& attributes, std::int64_t opset = 17) {
    Shape shape = view.in;
    shape.insert(shape.begin(), kPoints);
    const auto in = std::make_shared<Tensor>(typed_noise(shape, 221, type));
    const auto rest = std::make_shared<std::vector<Tensor>>();
    for (const Tensor& one : more)
        rest->push_back(one.clone());
    const std::int64_t count = element_count(view.out);
    return {"copy", fmt::format("{}_{}", view.name, name_of(type)),
            [=](Device& device) {
                CopyArgs args;
                args.in = device.input(*in, kPoints);
                args.in.data = static_cast<const std::byte*>(args.in.data) +
                               view.offset * static_cast<std::int64_t>(size_of(type));
                args.out = device.output(type, kPoints, count);
                args.points = kPoints;
                args.dims = dims_of(view.out);
                std::copy(view.strides.begin(), view.strides.end(), args.in_strides.values);
                args.out_strides = dense_strides(args.dims);
                for (std::size_t axis = 0; axis < view.maps.size(); ++axis)
                    args.maps[axis] = view.maps[axis].empty() ? nullptr : device.put(view.maps[axis]);
                store_float(&args.fill, type, 0, static_cast<float>(view.fill));
                device.table().copy(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, count));
            },
            [=] {
                std::vector<PointTensor> inputs;
                inputs.push_back(per_point(*in));
                for (const Tensor& one : *rest)
                    inputs.push_back(shared(one));
                return operator_at_points(op_type, kPoints, inputs, attributes, opset);
            },
            0.0};
}

std::vector<Tensor> ints(const std::vector<Ints>& lists) {
    std::vector<Tensor> tensors;
    for (const Ints& list : lists)
        tensors.push_back(Tensor::from<std::int64_t>(list, {static_cast<std::int64_t>(list.size())}));
    return tensors;
}

void add_strided(std::vector<KernelCase>& cases, DType type) {
    cases.push_back(
        copy_case({"transpose", {3, 4, 5}, {5, 3, 4}, {1, 20, 5}}, type, "Transpose", {}, {{"perm", Ints{2, 0, 1}}}));
    // By tiles: whole ones, cut ones, several of them, other dimensions around and between.
    cases.push_back(
        copy_case({"transpose_tile", {32, 64}, {64, 32}, {1, 64}}, type, "Transpose", {}, {{"perm", Ints{1, 0}}}));
    cases.push_back(
        copy_case({"transpose_cut_tiles", {71, 8}, {8, 71}, {1, 8}}, type, "Transpose", {}, {{"perm", Ints{1, 0}}}));
    cases.push_back(copy_case({"to_channels_last", {3, 40, 5, 7}, {3, 5, 7, 40}, {1400, 7, 1, 35}}, type, "Transpose",
                              {}, {{"perm", Ints{0, 2, 3, 1}}}));
    cases.push_back(copy_case({"transpose_around", {9, 3, 2, 33}, {33, 3, 2, 9}, {1, 66, 33, 198}}, type, "Transpose",
                              {}, {{"perm", Ints{3, 1, 2, 0}}}));
    cases.push_back(copy_case({"transpose_heads", {6, 4, 16}, {4, 6, 16}, {16, 64, 1}}, type, "Transpose", {},
                              {{"perm", Ints{1, 0, 2}}}));
    cases.push_back(copy_case({"slice", {6, 8}, {2, 4}, {16, -2}, 15}, type, "Slice",
                              ints({{1, 7}, {5, -9}, {0, 1}, {2, -2}}), {}));
    cases.push_back(copy_case({"slice_rows", {6, 16}, {3, 16}, {16, 1}, 32}, type, "Slice", ints({{2}, {5}, {0}}), {}));
    cases.push_back(copy_case({"expand", {3, 1}, {2, 3, 4}, {0, 1, 0}}, type, "Expand", ints({{2, 3, 4}}), {}));
    cases.push_back(copy_case({"depth_to_space", {1, 8, 2, 3}, {1, 2, 2, 2, 3, 2}, {48, 6, 3, 24, 1, 12}}, type,
                              "DepthToSpace", {}, {{"blocksize", std::int64_t{2}}}));
}

void add_mapped(std::vector<KernelCase>& cases, DType type) {
    const std::vector<std::int32_t> constant{-1, 0, 1, 2, -1, -1};
    const std::vector<std::int32_t> edge{0, 0, 1, 2, 2, 2};
    const std::vector<std::int32_t> reflect{1, 0, 1, 2, 1, 0};
    const std::vector<std::int32_t> wrap{2, 0, 1, 2, 0, 1};
    const std::vector<std::pair<const char*, std::vector<std::int32_t>>> modes = {
        {"constant", constant}, {"edge", edge}, {"reflect", reflect}, {"wrap", wrap}};
    for (const auto& [mode, map] : modes) {
        std::vector<Tensor> more = ints({{0, 1, 0, 2}});
        Tensor fill(DType::f32, {});
        fill.as<float>()[0] = 0.5F;
        if (is_floating_point(type)) more.push_back(std::move(fill));
        cases.push_back(copy_case(
            {std::string("pad_") + mode, {4, 3}, {4, 6}, {3, 1}, 0, {{}, map}, is_floating_point(type) ? 0.5 : 0.0},
            type, "Pad", more, {{"mode", std::string(mode)}}, 19));
    }
    cases.push_back(
        copy_case({"tile", {2, 3}, {4, 3}, {3, 1}, 0, {{0, 1, 0, 1}, {}}}, type, "Tile", ints({{2, 1}}), {}));
}

/// Concat of two parts, one of them the same at all points: a launch for each.
KernelCase concat_case() {
    const auto a = std::make_shared<Tensor>(random_floats({kPoints, 3, 2, 4}, 231));
    const auto b = std::make_shared<Tensor>(random_floats({3, 5, 4}, 232));
    return {
        "copy", "concat",
        [=](Device& device) {
            const Output out = device.output(DType::f32, kPoints, 84);
            std::int64_t offset = 0;
            for (const auto& [part, extent, points] : {std::tuple(a, 2, kPoints), std::tuple(b, 5, std::int64_t{0})}) {
                CopyArgs args;
                args.in = device.input(*part, points);
                args.out = out;
                args.out.data = static_cast<float*>(out.data) + offset;
                args.points = kPoints;
                args.dims = dims_of({3, extent * 4});
                args.in_strides = dense_strides(args.dims);
                args.out_strides.values[0] = 28;
                args.out_strides.values[1] = 1;
                device.table().copy(args, device.queue());
                offset += extent * 4;
            }
            return list_of(device.fetch(out, kPoints, 84));
        },
        [=] {
            return operator_at_points("Concat", kPoints, {per_point(*a), shared(*b)}, {{"axis", std::int64_t{1}}});
        },
        0.0};
}

KernelCase trilu_case(bool upper, std::int64_t diagonal, DType type) {
    const auto in = std::make_shared<Tensor>(typed_noise({kPoints, 3, 4, 5}, 241, type));
    return {"trilu", fmt::format("{}_{}_{}", upper ? "upper" : "lower", diagonal + 10, name_of(type)),
            [=](Device& device) {
                TriluArgs args{
                    device.input(*in, kPoints), device.output(type, kPoints, 60), kPoints, 3, 4, 5, diagonal, upper};
                device.table().trilu(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, 60));
            },
            [=] {
                return operator_at_points("Trilu", kPoints,
                                          {per_point(*in), shared(Tensor::scalar<std::int64_t>(diagonal))},
                                          {{"upper", std::int64_t{upper}}});
            },
            0.0};
}

KernelCase range_case(DType type) {
    return {"range", std::string(name_of(type)),
            [=](Device& device) {
                RangeArgs args{device.output(type, kPoints, 21), kPoints, 21, 0.5, -0.25, 7, -3};
                device.table().range(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, 21));
            },
            [=] {
                Tensor expected(DType::f64, {kPoints, 21});
                for (std::size_t k = 0; k < 42; ++k) {
                    const auto step = static_cast<double>(k % 21);
                    expected.as<double>()[k] = is_floating_point(type) ? 0.5 - 0.25 * step : 7 - 3 * step;
                }
                return list_of(std::move(expected));
            },
            0.0};
}

KernelCase one_hot_case(DType index_type, DType type) {
    const auto indices = std::make_shared<Tensor>(index_type == DType::f32
                                                      ? random_floats({kPoints, 3, 4}, 251, 6.0)
                                                      : as_type(random_ints({kPoints, 3, 4}, 251, -6, 7), index_type));
    return {"one_hot", fmt::format("{}_{}", name_of(index_type), name_of(type)),
            [=](Device& device) {
                OneHotArgs args;
                args.indices = device.input(*indices, kPoints);
                args.out = device.output(type, kPoints, 60);
                args.points = kPoints;
                args.outer = 3;
                args.depth = 5;
                args.inner = 4;
                if (is_floating_point(type)) {
                    store_float(&args.off, type, 0, -1.0F);
                    store_float(&args.on, type, 0, 2.0F);
                } else {
                    store_int(&args.off, type, 0, -1);
                    store_int(&args.on, type, 0, 2);
                }
                device.table().one_hot(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, 60));
            },
            [=] {
                const Tensor values = type == DType::f32 ? Tensor::from<float>(std::vector<float>{-1.0F, 2.0F}, {2})
                                                         : as_type(Tensor::from<std::int64_t>(Ints{-1, 2}, {2}), type);
                return operator_at_points(
                    "OneHot", kPoints, {per_point(*indices), shared(Tensor::scalar<std::int64_t>(5)), shared(values)},
                    {{"axis", std::int64_t{1}}});
            },
            0.0};
}

}  // namespace

std::vector<KernelCase> movement_cases() {
    std::vector<KernelCase> cases;
    for (const DType type : {DType::f32, DType::f16, DType::i64, DType::i8})
        add_strided(cases, type);
    for (const DType type : {DType::f32, DType::i64})
        add_mapped(cases, type);
    cases.push_back(concat_case());
    for (const bool upper : {true, false}) {
        for (const std::int64_t diagonal : {-2, 0, 1, 9})
            cases.push_back(trilu_case(upper, diagonal, DType::f32));
        cases.push_back(trilu_case(upper, 0, DType::i8));
    }
    for (const DType type : {DType::f32, DType::f16, DType::i64, DType::i32})
        cases.push_back(range_case(type));
    cases.push_back(one_hot_case(DType::i64, DType::f32));
    cases.push_back(one_hot_case(DType::i32, DType::i64));
    cases.push_back(one_hot_case(DType::f32, DType::f32));
    return cases;
}

}  // namespace lossmap::kernels::test
