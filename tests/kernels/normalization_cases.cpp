#include <cmath>

#include <fmt/format.h>

#include "kernel_case.hpp"

namespace lossmap::kernels::test {
namespace {

constexpr std::int64_t kPoints = 2;

/// Layer and RMS norm: rows of the last dimensions, scale and shift that move with the points.
KernelCase row_norm_case(const std::string& op_type, std::int64_t rows, std::int64_t width, DType type) {
    const bool rms = op_type == "RMSNormalization";
    Tensor values = random_floats({kPoints, rows, width}, 101, 2.0);
    values.as<float>()[1] = NAN;
    const auto in = std::make_shared<Tensor>(as_storage(values, type));
    const auto scale = std::make_shared<Tensor>(random_floats({kPoints, width}, 102));
    const auto shift = std::make_shared<Tensor>(random_floats({kPoints, width}, 103));
    return {"normalize", fmt::format("{}_{}_{}_{}", op_type, rows, width, name_of(type)),
            [=](Device& device) {
                NormalizeArgs args;
                args.rms = rms;
                args.in = device.input(*in, kPoints);
                args.out = device.output(type, kPoints, rows * width);
                args.scale = device.input(*scale, kPoints);
                if (!rms) {
                    args.shift = device.input(*shift, kPoints);
                    args.mean = device.output(DType::f32, kPoints, rows);
                    args.inverse = device.output(DType::f32, kPoints, rows);
                }
                args.points = kPoints;
                args.samples = rows;
                args.group_channels = width;
                args.epsilon = 1e-3;
                device.table().normalize(args, device.queue());
                if (rms) return list_of(device.fetch(args.out, kPoints, rows * width));
                return list_of(device.fetch(args.out, kPoints, rows * width), device.fetch(args.mean, kPoints, rows),
                               device.fetch(args.inverse, kPoints, rows));
            },
            [=] {
                std::vector<PointTensor> inputs;
                inputs.push_back(per_point(*in));
                inputs.push_back(per_point(*scale));
                if (!rms) inputs.push_back(per_point(*shift));
                return operator_at_points(op_type, kPoints, inputs, {{"epsilon", 1e-3}}, 23, rms ? 1 : 3);
            },
            5e-7};
}

Tensor channels_last_of(const Tensor& values) {
    const Shape& s = values.shape();  // [points, N, C, inner]
    Tensor result(DType::f32, {s[0], s[1], s[3], s[2]});
    for (std::int64_t n = 0; n < s[0] * s[1]; ++n) {
        for (std::int64_t c = 0; c < s[2]; ++c) {
            for (std::int64_t i = 0; i < s[3]; ++i)
                result.as<float>()[static_cast<std::size_t>((n * s[3] + i) * s[2] + c)] =
                    values.as<float>()[static_cast<std::size_t>((n * s[2] + c) * s[3] + i)];
        }
    }
    return result;
}

/// Group and instance norm in both layouts; opset 18 has one scale a group, 21 one a channel.
KernelCase group_norm_case(std::int64_t channels, std::int64_t groups, std::int64_t inner, bool per_channel,
                           bool last) {
    constexpr std::int64_t kSamples = 3;
    const auto in = std::make_shared<Tensor>(random_floats({kPoints, kSamples, channels, inner}, 111, 2.0));
    const std::int64_t entries = per_channel ? channels : groups;
    const auto scale = std::make_shared<Tensor>(random_floats({entries}, 112));
    const auto shift = std::make_shared<Tensor>(random_floats({kPoints, entries}, 113));
    const std::int64_t count = kSamples * channels * inner;
    return {"normalize",
            fmt::format("group_{}_{}_{}_{}_{}", channels, groups, inner, per_channel ? "channel" : "group",
                        last ? "last" : "first"),
            [=](Device& device) {
                NormalizeArgs args;
                args.in = device.input(last ? channels_last_of(*in) : in->clone(), kPoints);
                args.out = device.output(DType::f32, kPoints, count);
                args.scale = device.input(*scale);
                args.shift = device.input(*shift, kPoints);
                args.points = kPoints;
                args.samples = kSamples;
                args.groups = groups;
                args.group_channels = channels / groups;
                args.inner = inner;
                args.channels_per_entry = channels / entries;
                args.channels_last = last;
                device.table().normalize(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, count));
            },
            [=] {
                auto results = operator_at_points("GroupNormalization", kPoints,
                                                  {per_point(*in), shared(*scale), per_point(*shift)},
                                                  {{"num_groups", groups}}, per_channel ? 21 : 18);
                if (last) results[0] = channels_last_of(results[0]);
                return results;
            },
            5e-7};
}

KernelCase batch_norm_case() {
    constexpr std::int64_t kSamples = 3, kChannels = 5, kInner = 7;
    constexpr std::int64_t kCount = kSamples * kChannels * kInner;
    const auto in = std::make_shared<Tensor>(random_floats({kPoints, kSamples, kChannels, kInner}, 121));
    const auto gamma = std::make_shared<Tensor>(random_floats({kPoints, kChannels}, 122));
    const auto beta = std::make_shared<Tensor>(random_floats({kPoints, kChannels}, 123));
    const auto mean = std::make_shared<Tensor>(random_floats({kPoints, kChannels}, 124));
    const auto variance = std::make_shared<Tensor>(random_floats({kPoints, kChannels}, 125));
    for (float& x : variance->as<float>())
        x += 0.9F;  // some stay negative: NaN
    return {"batch_norm", "channels_first",
            [=](Device& device) {
                std::vector<double> scale, shift;
                for (std::size_t k = 0; k < kPoints * kChannels; ++k) {
                    const auto at = [&](const Tensor& t) { return static_cast<double>(t.as<float>()[k]); };
                    scale.push_back(at(*gamma) / std::sqrt(at(*variance) + 1e-5));
                    shift.push_back(at(*beta) - at(*mean) * scale.back());
                }
                BatchNormArgs args;
                args.in = device.input(*in, kPoints);
                args.out = device.output(DType::f32, kPoints, kCount);
                args.scale = device.put(scale);
                args.shift = device.put(shift);
                args.factor_point_stride = kChannels;
                args.points = kPoints;
                args.samples = kSamples;
                args.channels = kChannels;
                args.inner = kInner;
                device.table().batch_norm(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, kCount));
            },
            [=] {
                return operator_at_points(
                    "BatchNormalization", kPoints,
                    {per_point(*in), per_point(*gamma), per_point(*beta), per_point(*mean), per_point(*variance)});
            },
            2e-7};
}

/// Against sums written out here; [samples, channels, inner], channels last where inner is 1.
KernelCase batch_statistics_case(std::int64_t samples, std::int64_t channels, std::int64_t inner) {
    const auto in = std::make_shared<Tensor>(random_floats({kPoints, samples, channels, inner}, 126, 2.0));
    const auto gamma = std::make_shared<Tensor>(random_floats({kPoints, channels}, 127));
    const auto beta = std::make_shared<Tensor>(random_floats({channels}, 128));
    const std::int64_t count = kPoints * channels;
    return {
        "batch_statistics", fmt::format("{}_{}_{}", samples, channels, inner),
        [=](Device& device) {
            auto* results = device.room<double>(static_cast<std::size_t>(4 * count));
            BatchStatisticsArgs args;
            args.in = device.input(*in, kPoints);
            args.gamma = device.input(*gamma, kPoints);
            args.beta = device.input(*beta);
            args.mean = results;
            args.variance = results + count;
            args.scale = results + 2 * count;
            args.shift = results + 3 * count;
            args.statistics_point_stride = args.factor_point_stride = channels;
            args.points = kPoints;
            args.samples = samples;
            args.channels = channels;
            args.inner = inner;
            args.epsilon = 1e-3;
            device.table().batch_statistics(args, device.queue());
            return list_of(Tensor::from<double>(device.get(results, static_cast<std::size_t>(4 * count)), {4 * count}));
        },
        [=] {
            std::vector<double> means, variances, scales, shifts;
            const double n = static_cast<double>(samples * inner);
            for (std::int64_t k = 0; k < count; ++k) {
                const auto at = [&](std::int64_t sample, std::int64_t i) {
                    const std::int64_t flat = ((k / channels * samples + sample) * channels + k % channels) * inner + i;
                    return static_cast<double>(in->as<float>()[static_cast<std::size_t>(flat)]);
                };
                double sum = 0.0, squares = 0.0;
                for (std::int64_t e = 0; e < samples * inner; ++e)
                    sum += at(e / inner, e % inner);
                means.push_back(sum / n);
                for (std::int64_t e = 0; e < samples * inner; ++e)
                    squares += std::pow(at(e / inner, e % inner) - means.back(), 2);
                variances.push_back(squares / (n - 1.0));
                scales.push_back(static_cast<double>(gamma->as<float>()[static_cast<std::size_t>(k)]) /
                                 std::sqrt(squares / n + 1e-3));
                shifts.push_back(static_cast<double>(beta->as<float>()[static_cast<std::size_t>(k % channels)]) -
                                 means.back() * scales.back());
            }
            for (const auto* more : {&variances, &scales, &shifts})
                means.insert(means.end(), more->begin(), more->end());
            return list_of(Tensor::from<double>(means, {4 * count}));
        },
        1e-13};
}

KernelCase local_response_case(std::int64_t size) {
    const auto in = std::make_shared<Tensor>(random_floats({kPoints, 3, 7, 5}, 131, 3.0));
    return {"local_response", fmt::format("size_{}", size),
            [=](Device& device) {
                LocalResponseArgs args;
                args.in = device.input(*in, kPoints);
                args.out = device.output(DType::f32, kPoints, 105);
                args.points = kPoints;
                args.samples = 3;
                args.channels = 7;
                args.inner = 5;
                args.size = size;
                args.alpha = 0.25;
                args.beta = 0.5;
                args.bias = 1.5;
                device.table().local_response(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, 105));
            },
            [=] {
                return operator_at_points("LRN", kPoints, {per_point(*in)},
                                          {{"size", size}, {"alpha", 0.25}, {"beta", 0.5}, {"bias", 1.5}});
            },
            2e-7};
}

KernelCase lp_case(std::int64_t p) {
    auto in = std::make_shared<Tensor>(random_floats({kPoints, 3, 6, 4}, 141));
    for (std::int64_t k = 0; k < 6; ++k)
        in->as<float>()[static_cast<std::size_t>(k * 4)] = 0.0F;  // a row of zeros
    return {"lp_normalize", fmt::format("p_{}", p),
            [=](Device& device) {
                LpNormalizeArgs args{
                    device.input(*in, kPoints), device.output(DType::f32, kPoints, 72), kPoints, 3, 6, 4, p == 1};
                device.table().lp_normalize(args, device.queue());
                return list_of(device.fetch(args.out, kPoints, 72));
            },
            [=] {
                return operator_at_points("LpNormalization", kPoints, {per_point(*in)},
                                          {{"axis", std::int64_t{1}}, {"p", p}});
            },
            2e-7};
}

KernelCase softmax_case(SoftmaxKind kind, const char* op_type, std::int64_t outer, std::int64_t count,
                        std::int64_t inner, DType type) {
    Tensor values = random_floats({kPoints, outer, count, inner}, 151, 6.0);
    values.as<float>()[0] = INFINITY;
    values.as<float>()[static_cast<std::size_t>(values.count() - 1)] = NAN;
    const auto in = std::make_shared<Tensor>(as_storage(values, type));
    const std::int64_t total = outer * count * inner;
    return {"softmax", fmt::format("{}_{}_{}_{}_{}", op_type, outer, count, inner, name_of(type)),
            [=](Device& device) {
                // In place.
                const Input input = device.input(*in, kPoints);
                const Output out{const_cast<void*>(input.data), type, input.point_stride};
                device.table().softmax({kind, input, out, kPoints, outer, count, inner}, device.queue());
                return list_of(device.fetch(out, kPoints, total));
            },
            [=] {
                return operator_at_points(op_type, kPoints, {per_point(*in)}, {{"axis", std::int64_t{1}}});
            },
            3e-7};
}

}  // namespace

std::vector<KernelCase> normalization_cases() {
    std::vector<KernelCase> cases;
    for (const char* op_type : {"LayerNormalization", "RMSNormalization"}) {
        for (const DType type : {DType::f32, DType::f16, DType::bf16})
            cases.push_back(row_norm_case(op_type, 11, 20, type));
        cases.push_back(row_norm_case(op_type, 5, 192, DType::f32));
        cases.push_back(row_norm_case(op_type, 3, 1500, DType::f32));
    }
    for (const bool last : {false, true}) {
        cases.push_back(group_norm_case(6, 3, 10, true, last));
        cases.push_back(group_norm_case(6, 3, 10, false, last));
        cases.push_back(group_norm_case(4, 4, 300, true, last));
        cases.push_back(group_norm_case(8, 2, 300, true, last));
    }
    cases.push_back(batch_norm_case());
    cases.push_back(batch_statistics_case(3, 5, 40));
    cases.push_back(batch_statistics_case(300, 40, 1));
    cases.push_back(batch_statistics_case(5, 70, 1));
    cases.push_back(batch_statistics_case(1, 3, 1));  // one value: its unbiased variance is NaN
    cases.push_back(local_response_case(3));
    cases.push_back(local_response_case(4));
    cases.push_back(lp_case(1));
    cases.push_back(lp_case(2));
    for (const auto& [kind, op_type] :
         {std::pair(SoftmaxKind::softmax, "Softmax"), std::pair(SoftmaxKind::log_softmax, "LogSoftmax")}) {
        for (const DType type : {DType::f32, DType::f16, DType::bf16})
            cases.push_back(softmax_case(kind, op_type, 5, 10, 1, type));
        cases.push_back(softmax_case(kind, op_type, 13, 65, 1, DType::f32));
        cases.push_back(softmax_case(kind, op_type, 3, 1100, 1, DType::f32));
        cases.push_back(softmax_case(kind, op_type, 3, 40, 6, DType::f32));
    }
    cases.push_back(softmax_case(SoftmaxKind::hardmax, "Hardmax", 5, 10, 2, DType::f32));
    return cases;
}

}  // namespace lossmap::kernels::test
