#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "window_case.hpp"

namespace lossmap::kernels::test {
namespace {

struct ConvolutionCase {
    std::string name;
    Shape spatial;
    std::int64_t channels, filters, groups;
    Shape kernel;
    AttributeMap attributes;
    bool bias = true;
    DType type = DType::f32;
    bool transposed = false;
    bool by_taps = false;  ///< weights of a depthwise convolution as [taps, channels]
    bool tiles = false;    ///< by the kernel of that name, whose weights are [filters, taps, channels]
    std::int64_t samples = 2;
    UnaryOp activation = UnaryOp::identity;
    bool pooled = false;  ///< ConvolutionArgs::pooled
};

/// What a plane of convolutions has as maxima of 2 x 2, [.., height, width] with the last row or column left out.
Tensor pooled_planes(const Tensor& planes, std::int64_t count, std::int64_t height, std::int64_t width) {
    Tensor result(DType::f32, {count, height / 2, width / 2});
    const auto from = planes.as<float>();
    std::size_t at = 0;
    for (std::int64_t plane = 0; plane < count; ++plane) {
        for (std::int64_t y = 0; y + 1 < height; y += 2) {
            for (std::int64_t x = 0; x + 1 < width; x += 2) {
                const auto pixel = [&](std::int64_t dy, std::int64_t dx) {
                    return from[static_cast<std::size_t>((plane * height + y + dy) * width + x + dx)];
                };
                result.as<float>()[at++] = std::max({pixel(0, 0), pixel(0, 1), pixel(1, 0), pixel(1, 1)});
            }
        }
    }
    return result;
}

KernelCase convolution_case(const ConvolutionCase& c, bool last) {
    AttributeMap attributes = c.attributes;
    attributes["group"] = c.groups;
    Shape in_shape{kPoints, c.samples, c.channels};
    in_shape.insert(in_shape.end(), c.spatial.begin(), c.spatial.end());
    Shape weight_shape = c.transposed ? Shape{kPoints, c.channels, c.filters / c.groups}
                                      : Shape{kPoints, c.filters, c.channels / c.groups};
    weight_shape.insert(weight_shape.end(), c.kernel.begin(), c.kernel.end());
    const auto in = std::make_shared<Tensor>(as_storage(random_floats(in_shape, 181), c.type));
    const auto weight = std::make_shared<Tensor>(as_storage(random_floats(weight_shape, 182, 0.5), c.type));
    const auto bias = std::make_shared<Tensor>(random_floats({kPoints, c.filters}, 183));
    const std::string op_type = c.transposed ? "ConvTranspose" : "Conv";
    const Node node = node_of(op_type, attributes);
    const Shape one(in_shape.begin() + 1, in_shape.end());
    const WindowGeometry w = window_of(c.transposed ? ops::transposed_window(node, one, c.kernel)
                                                    : ops::forward_window(node, one, c.kernel));
    const std::int64_t left[3] = {w.output[0], w.output[1] / (c.pooled ? 2 : 1), w.output[2] / (c.pooled ? 2 : 1)};
    const std::int64_t plane = plane_of(left);
    const std::int64_t count = c.samples * c.filters * plane;
    const std::int64_t taps = plane_of(w.kernel);
    return {c.tiles ? "convolution_tiles" : "convolution",
            fmt::format("{}_{}_{}", c.name, last ? "last" : "first", name_of(c.type)),
            [=](Device& device) {
                ConvolutionArgs args;
                args.transposed = c.transposed;
                args.in =
                    device.input(last ? channels_inside(*in, c.channels, plane_of(w.input)) : in->clone(), kPoints);
                // Of tiles, all filters of all points are outer.
                const std::int64_t inside = c.tiles ? c.channels : c.filters;
                args.weight = device.input(
                    c.tiles || c.by_taps ? channels_inside(*weight, inside, taps) : weight->clone(), kPoints);
                if (c.bias) args.bias = device.input(*bias, kPoints);
                args.out = device.output(c.type, kPoints, count);
                args.points = kPoints;
                args.samples = c.samples;
                args.groups = c.groups;
                args.group_channels = c.channels / c.groups;
                args.group_filters = c.filters / c.groups;
                args.window = w;
                args.in_strides = strides_of(last, c.channels, w.input);
                args.out_strides = strides_of(last, c.filters, left);
                const std::int64_t row = c.transposed ? args.group_filters * taps : args.group_channels * taps;
                args.weight_group_stride = (c.transposed ? args.group_channels : args.group_filters) * row;
                args.weight_filter_stride = c.transposed ? taps : row;
                args.weight_channel_stride = c.transposed ? row : taps;
                args.weight_tap_strides[0] = w.kernel[1] * w.kernel[2];
                args.weight_tap_strides[1] = w.kernel[2];
                args.weight_tap_strides[2] = 1;
                if (c.by_taps) {
                    args.weight_group_stride = 1;
                    for (std::int64_t& stride : args.weight_tap_strides)
                        stride *= c.filters;
                }
                if (c.tiles) {
                    args.weight_channel_stride = 1;
                    for (std::int64_t& stride : args.weight_tap_strides)
                        stride *= c.channels;
                    args.activation.op = c.activation;
                    args.pooled = c.pooled;
                    device.table().convolution_tiles(args, device.queue());
                } else {
                    device.table().convolution(args, device.queue());
                }
                return list_of(device.fetch(args.out, kPoints, count));
            },
            [=] {
                std::vector<PointTensor> inputs;
                inputs.push_back(per_point(*in));
                inputs.push_back(per_point(*weight));
                if (c.bias) inputs.push_back(per_point(*bias));
                auto results = operator_at_points(op_type, kPoints, inputs, attributes, 22);
                if (c.activation == UnaryOp::relu) {
                    for (float& value : results[0].as<float>())
                        value = std::max(value, 0.0F);
                }
                if (c.pooled)
                    results[0] = pooled_planes(results[0], kPoints * c.samples * c.filters, w.output[1], w.output[2]);
                if (last) results[0] = channels_inside(results[0], c.filters, plane);
                return results;
            },
            2e-6};
}

void add_convolution_cases(std::vector<KernelCase>& cases) {
    const AttributeMap same{{"pads", Ints{1, 1, 1, 1}}};
    const AttributeMap strided{{"pads", Ints{1, 0, 2, 1}}, {"strides", Ints{2, 3}}, {"dilations", Ints{2, 1}}};
    const AttributeMap up{
        {"strides", Ints{2, 2}}, {"pads", Ints{1, 0, 0, 1}}, {"output_padding", Ints{1, 0}}, {"dilations", Ints{1, 2}}};
    const std::vector<ConvolutionCase> all = {
        {"3x3", {6, 5}, 4, 6, 1, {3, 3}, same},
        {"3x3_f16", {6, 5}, 4, 6, 1, {3, 3}, same, true, DType::f16},
        {"3x3_bf16", {6, 5}, 4, 6, 1, {3, 3}, same, true, DType::bf16},
        {"strided_dilated", {9, 8}, 3, 4, 1, {3, 2}, strided, false},
        {"grouped", {6, 5}, 4, 6, 2, {3, 3}, same},
        {"depthwise", {6, 5}, 4, 8, 4, {3, 3}, same},
        {"depthwise_by_taps", {9, 8}, 16, 16, 16, {3, 2}, strided, true, DType::f32, false, true},
        {"depthwise_by_taps_f16", {6, 5}, 16, 16, 16, {3, 3}, same, true, DType::f16, false, true},
        {"pointwise", {6, 5}, 5, 3, 1, {1, 1}, {}},
        {"1d", {11}, 3, 4, 1, {4}, {{"pads", Ints{2, 1}}, {"strides", Ints{2}}}},
        {"3d", {4, 3, 5}, 2, 3, 1, {2, 2, 3}, {{"pads", Ints{1, 0, 1, 0, 1, 1}}}},
        {"transposed", {5, 4}, 3, 4, 1, {3, 3}, up, true, DType::f32, true},
        {"transposed_grouped", {5, 4}, 4, 6, 2, {2, 3}, up, false, DType::f32, true},
    };
    for (const ConvolutionCase& one : all) {
        cases.push_back(convolution_case(one, false));
        cases.push_back(convolution_case(one, true));
    }
}

/// Shapes of which each asks for something else of the tiles: whole samples together, bands of rows, channels and
/// filters in pieces, rows and samples that do not come out even, stores of 8, 2 and 1 filters.
void add_tile_cases(std::vector<KernelCase>& cases) {
    const AttributeMap same3{{"pads", Ints{1, 1, 1, 1}}};
    const AttributeMap same5{{"pads", Ints{2, 2, 2, 2}}};
    const AttributeMap strided{{"pads", Ints{1, 0, 2, 1}}, {"strides", Ints{2, 3}}, {"dilations", Ints{2, 1}}};
    const auto tiled = [](ConvolutionCase one, std::int64_t samples, UnaryOp activation = UnaryOp::identity) {
        one.name = "tiles_" + one.name;
        one.tiles = true;
        one.samples = samples;
        one.activation = activation;
        return convolution_case(one, true);
    };
    const DType f32 = DType::f32;
    cases.push_back(tiled({"lenet_first", {28, 28}, 1, 6, 1, {5, 5}, same5}, 3, UnaryOp::relu));
    cases.push_back(tiled({"lenet_second", {14, 14}, 6, 16, 1, {5, 5}, {}}, 11, UnaryOp::relu));
    cases.push_back(tiled({"two_pieces", {13, 11}, 21, 8, 1, {3, 3}, same3, false}, 9));
    cases.push_back(tiled({"many_filters", {7, 6}, 5, 43, 1, {3, 3}, same3}, 5));
    cases.push_back(tiled({"wide_rows", {9, 150}, 3, 5, 1, {3, 3}, same3}, 2));
    cases.push_back(tiled({"seven_wide", {15, 9}, 12, 20, 1, {3, 7}, {}}, 9, UnaryOp::relu));
    cases.push_back(tiled({"low", {9, 11}, 4, 20, 1, {1, 5}, {}}, 3));
    cases.push_back(tiled({"strided_dilated", {19, 17}, 3, 4, 1, {3, 2}, strided, false}, 4));
    cases.push_back(tiled({"pointwise", {6, 5}, 5, 3, 1, {1, 1}, {}}, 7));
    cases.push_back(tiled({"1d", {31}, 3, 4, 1, {4}, {{"pads", Ints{2, 1}}, {"strides", Ints{2}}}}, 6));
    for (const DType type : {DType::f16, DType::bf16}) {
        cases.push_back(tiled({"pairs", {9, 8}, 3, 6, 1, {3, 3}, same3, true, type}, 3));
        cases.push_back(tiled({"packs", {12, 12}, 8, 16, 1, {5, 5}, same5, true, type}, 3, UnaryOp::relu));
    }
    const auto pooled = [&](ConvolutionCase one, std::int64_t samples, UnaryOp activation) {
        one.name = "pooled_" + one.name;
        one.pooled = true;
        return tiled(one, samples, activation);
    };
    cases.push_back(pooled({"lenet_first", {28, 28}, 1, 6, 1, {5, 5}, same5}, 3, UnaryOp::relu));
    cases.push_back(pooled({"lenet_second", {14, 14}, 6, 16, 1, {5, 5}, {}}, 11, UnaryOp::relu));
    cases.push_back(pooled({"odd", {9, 7}, 3, 11, 1, {3, 3}, same3}, 5, UnaryOp::identity));
    cases.push_back(pooled({"bf16", {12, 12}, 8, 16, 1, {3, 3}, same3, true, DType::bf16}, 3, UnaryOp::relu));
    cases.push_back(tiled({"odd", {8, 9}, 2, 9, 1, {3, 3}, same3, true, f32}, 2, UnaryOp::relu));
}

/// Linear interpolation with half-pixel centres, as ONNX's Resize does it by default; the taps are worked out here.
KernelCase resample_case(std::int64_t from, std::int64_t to) {
    const auto in = std::make_shared<Tensor>(random_floats({kPoints, 3, 2, from}, 191));
    return {"resample", fmt::format("linear_{}_to_{}", from, to),
            [=](Device& device) {
                std::vector<std::int32_t> sources;
                std::vector<double> weights;
                for (std::int64_t x = 0; x < to; ++x) {
                    const double at =
                        (static_cast<double>(x) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
                    const double base = std::floor(at);
                    for (int tap = 0; tap < 2; ++tap) {
                        sources.push_back(
                            std::clamp(static_cast<std::int32_t>(base) + tap, 0, static_cast<std::int32_t>(from) - 1));
                        weights.push_back(tap == 0 ? 1.0 - (at - base) : at - base);
                    }
                }
                const std::int64_t count = 6 * to;
                ResampleArgs args{device.input(*in, kPoints),
                                  device.output(DType::f32, kPoints, count),
                                  kPoints,
                                  6,
                                  from,
                                  to,
                                  1,
                                  2,
                                  device.put(sources),
                                  device.put(weights)};
                device.table().resample(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, count));
            },
            [=] {
                const Tensor sizes = Tensor::from<std::int64_t>(Ints{3, 2, to}, {3});
                const Tensor none(DType::f32, {0});
                return operator_at_points("Resize", kPoints,
                                          {per_point(*in), shared(none), shared(none), shared(sizes)},
                                          {{"mode", std::string("linear")}}, 19);
            },
            2e-7};
}

}  // namespace

std::vector<KernelCase> window_cases() {
    std::vector<KernelCase> cases;
    add_convolution_cases(cases);
    add_tile_cases(cases);
    cases.push_back(resample_case(5, 13));
    cases.push_back(resample_case(12, 5));
    return cases;
}

}  // namespace lossmap::kernels::test
