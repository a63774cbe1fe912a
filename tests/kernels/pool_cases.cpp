#include <cmath>

#include <fmt/format.h>

#include "window_case.hpp"

namespace lossmap::kernels::test {
namespace {

KernelCase pool_case(const std::string& name, const std::string& op_type, const Shape& spatial, AttributeMap attributes,
                     bool last, DType type = DType::f32, bool indices = false, std::int64_t channels = 3) {
    constexpr std::int64_t kSamples = 2;
    Shape shape{kPoints, kSamples, channels};
    shape.insert(shape.end(), spatial.begin(), spatial.end());
    Tensor values = random_floats(shape, 171, 2.0);
    values.as<float>()[3] = NAN;
    values.as<float>()[static_cast<std::size_t>(values.count() - 1)] = -INFINITY;
    const auto in = std::make_shared<Tensor>(as_storage(values, type));
    const Shape one(shape.begin() + 1, shape.end());
    const Node node = node_of(op_type, attributes);
    const WindowGeometry w = window_of(ops::forward_window(node, one, node.attributes.get_ints("kernel_shape", {})));
    const std::int64_t count = kSamples * channels * plane_of(w.output);
    return {
        "pool", fmt::format("{}_{}_{}_{}_{}", op_type, name, last ? "last" : "first", name_of(type), channels),
        [=](Device& device) {
            PoolArgs args;
            args.kind = op_type == "MaxPool" ? PoolKind::max : op_type == "LpPool" ? PoolKind::lp : PoolKind::average;
            args.in = device.input(last ? channels_inside(*in, channels, plane_of(w.input)) : in->clone(), kPoints);
            args.out = device.output(type, kPoints, count);
            if (indices) args.indices = device.output(DType::i64, kPoints, count);
            args.points = kPoints;
            args.samples = kSamples;
            args.channels = channels;
            args.window = w;
            args.in_strides = strides_of(last, channels, w.input);
            args.out_strides = strides_of(last, channels, w.output);
            args.count_include_pad = node.attributes.get_int("count_include_pad", 0) != 0;
            args.column_major_indices = node.attributes.get_int("storage_order", 0) != 0;
            args.order = static_cast<double>(node.attributes.get_int("p", 2));
            device.table().pool(args, device.queue());
            std::vector<Tensor> results = list_of(device.fetch(args.out, kPoints, count));
            if (indices) results.push_back(device.fetch(args.indices, kPoints, count));
            return results;
        },
        [=] {
            auto results = operator_at_points(op_type, kPoints, {per_point(*in)}, attributes, 22, indices ? 2 : 1);
            if (last) {
                for (Tensor& result : results)
                    result = channels_inside(result, channels, plane_of(w.output));
            }
            return results;
        },
        3e-7};
}

}  // namespace

std::vector<KernelCase> pool_cases() {
    std::vector<KernelCase> cases;
    for (const bool last : {false, true}) {
        cases.push_back(
            pool_case("2x2", "MaxPool", {8, 6}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}, last));
        cases.push_back(pool_case("padded_dilated_ceil", "MaxPool", {9, 7},
                                  {{"kernel_shape", Ints{3, 2}},
                                   {"strides", Ints{2, 2}},
                                   {"pads", Ints{1, 1, 1, 0}},
                                   {"dilations", Ints{2, 1}},
                                   {"ceil_mode", std::int64_t{1}}},
                                  last));
        cases.push_back(pool_case("padded_ceil", "AveragePool", {9, 7},
                                  {{"kernel_shape", Ints{3, 3}},
                                   {"strides", Ints{2, 2}},
                                   {"pads", Ints{1, 0, 1, 1}},
                                   {"ceil_mode", std::int64_t{1}}},
                                  last));
        cases.push_back(pool_case("include_pad", "AveragePool", {9, 7},
                                  {{"kernel_shape", Ints{3, 3}},
                                   {"strides", Ints{2, 2}},
                                   {"pads", Ints{1, 0, 1, 1}},
                                   {"ceil_mode", std::int64_t{1}},
                                   {"count_include_pad", std::int64_t{1}}},
                                  last));
        cases.push_back(
            pool_case("p3", "LpPool", {8, 6}, {{"kernel_shape", Ints{2, 3}}, {"p", std::int64_t{3}}}, last));
        cases.push_back(pool_case("1d", "MaxPool", {13}, {{"kernel_shape", Ints{4}}, {"strides", Ints{3}}}, last));
        cases.push_back(pool_case("3d", "AveragePool", {4, 5, 6}, {{"kernel_shape", Ints{2, 3, 2}}}, last));
        cases.push_back(pool_case("whole_plane", "AveragePool", {8, 6}, {{"kernel_shape", Ints{8, 6}}}, last));
    }
    for (const DType type : {DType::f16, DType::bf16}) {
        cases.push_back(pool_case("2x2", "MaxPool", {8, 6}, {{"kernel_shape", Ints{2, 2}}}, true, type));
        cases.push_back(pool_case("2x2", "AveragePool", {8, 6}, {{"kernel_shape", Ints{2, 2}}}, true, type));
    }
    // Channels by packs of 8.
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
        for (const char* op_type : {"MaxPool", "AveragePool"}) {
            cases.push_back(pool_case("padded_dilated_ceil", op_type, {9, 7},
                                      {{"kernel_shape", Ints{3, 2}},
                                       {"strides", Ints{2, 2}},
                                       {"pads", Ints{1, 1, 1, 0}},
                                       {"dilations", Ints{2, 1}},
                                       {"ceil_mode", std::int64_t{1}}},
                                      true, type, false, 16));
        }
    }
    // .. and by 8 and 2 of planes whose windows have no holes.
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
        for (const std::int64_t channels : {6, 16}) {
            for (const std::int64_t include : {0, 1}) {
                cases.push_back(pool_case(fmt::format("padded_{}", include), "AveragePool", {9, 7},
                                          {{"kernel_shape", Ints{3, 2}},
                                           {"strides", Ints{2, 1}},
                                           {"pads", Ints{1, 0, 1, 1}},
                                           {"ceil_mode", std::int64_t{1}},
                                           {"count_include_pad", include}},
                                          true, type, false, channels));
            }
            cases.push_back(pool_case("padded_ceil", "MaxPool", {9, 7},
                                      {{"kernel_shape", Ints{3, 3}},
                                       {"strides", Ints{2, 2}},
                                       {"pads", Ints{1, 0, 1, 1}},
                                       {"ceil_mode", std::int64_t{1}}},
                                      true, type, false, channels));
        }
    }
    for (const std::int64_t order : {0, 1}) {
        cases.push_back(pool_case(fmt::format("indices_{}", order), "MaxPool", {5, 7},
                                  {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}, {"storage_order", order}},
                                  false, DType::f32, true));
    }
    return cases;
}

}  // namespace lossmap::kernels::test
