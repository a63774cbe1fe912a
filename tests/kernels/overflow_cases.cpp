#include <cmath>

#include <fmt/format.h>

#include "kernel_case.hpp"

namespace lossmap::kernels::test {
namespace {

constexpr std::int64_t kPoints = 2, kSamples = 5, kElements = 8;
constexpr std::int64_t kCount = kSamples * kElements;

/// Small numbers but for four samples: (point, sample) (0, 1) too large, (0, 3) -inf, (1, 0) NaN, (1, 4) too small.
Tensor exploding() {
    Tensor values = random_floats({kPoints, kSamples, kElements}, 311);
    const auto at = [&](std::int64_t point, std::int64_t sample, std::int64_t element) -> float& {
        return values.as<float>()[static_cast<std::size_t>((point * kSamples + sample) * kElements + element)];
    };
    at(0, 1, 7) = 65536.0F;
    at(0, 3, 0) = -INFINITY;
    at(0, 2, 1) = 65504.0F;  // the largest that fits
    at(1, 0, 3) = NAN;
    at(1, 4, 5) = -70000.0F;
    return values;
}

Tensor flags_tensor(const std::vector<std::uint32_t>& flags) {
    std::vector<std::int64_t> wide(flags.begin(), flags.end());
    return Tensor::from<std::int64_t>(wide, {static_cast<std::int64_t>(wide.size())});
}

/// An operation that leaves `exploding` as it is before its activation, a ReLU where it has one.
KernelCase flag_case(const std::string& kernel, DType type,
                     const std::function<void(Device&, Input, Output, OverflowFlags)>& launch) {
    return {kernel, fmt::format("flags_overflow_{}", name_of(type)),
            [=](Device& device) {
                auto* flags = device.put(std::vector<std::uint32_t>(kPoints * (kSamples + 1), 0));
                const Output out = device.output(type, kPoints, kCount);
                launch(device, device.input(exploding(), kPoints), out, {flags, kSamples, kElements});
                return list_of(flags_tensor(device.get(flags, kPoints * (kSamples + 1))));
            },
            [=] {
                std::vector<std::uint32_t> flags(kPoints * (kSamples + 1), 0);
                if (type == DType::f16) flags[1] = flags[3] = flags[6] = flags[10] = 1;
                return list_of(flags_tensor(flags));
            },
            0.0};
}

void launch_unary(Device& device, Input in, Output out, OverflowFlags flags) {
    device.table().unary({{UnaryOp::relu, 0, 0}, in, out, kPoints, kCount, flags}, device.queue());
}
void launch_single_unary(Device& device, Input in, Output out, OverflowFlags flags) {
    device.table().unary({{UnaryOp::softsign, 0, 0}, in, out, kPoints, kCount, flags}, device.queue());
}
void launch_cast(Device& device, Input in, Output out, OverflowFlags flags) {
    device.table().cast({in, out, kPoints, kCount, flags}, device.queue());
}
void launch_binary(Device& device, Input in, Output out, OverflowFlags flags) {
    const std::vector<float> zero{0.0F};
    BinaryArgs args;
    args.a = in;
    args.b = {device.put(zero), DType::f32, 0};
    args.out = out;
    args.points = kPoints;
    args.dims = dims_of({kCount});
    args.a_strides.values[0] = 1;
    args.overflow = flags;
    device.table().binary(args, device.queue());
}
void launch_epilogue(Device& device, Input in, Output out, OverflowFlags flags) {
    EpilogueArgs args;
    args.in = in;
    args.out = out;
    args.points = kPoints;
    args.rows = kSamples;
    args.channels = kElements;
    args.activation = {UnaryOp::relu, 0, 0};
    args.overflow = flags;
    device.table().epilogue(args, device.queue());
}
void launch_layout(Device& device, Input in, Output out, OverflowFlags flags) {
    ChannelLayoutArgs args{in, out, kPoints, kSamples, kElements, 1, kElements, true, flags};
    device.table().channel_layout(args, device.queue());
}
void launch_batch_norm(Device& device, Input in, Output out, OverflowFlags flags) {
    BatchNormArgs args;
    args.in = in;
    args.out = out;
    args.scale = device.put(std::vector<double>(kElements, 1.0));
    args.shift = device.put(std::vector<double>(kElements, 0.0));
    args.points = kPoints;
    args.samples = kSamples;
    args.channels = kElements;
    args.activation = {UnaryOp::relu, 0, 0};
    args.overflow = flags;
    device.table().batch_norm(args, device.queue());
}
void launch_reduce(Device& device, Input in, Output out, OverflowFlags flags) {
    ReduceArgs args;
    args.in = in;
    args.out = out;
    args.points = kPoints;
    args.kept = dims_of({kCount});
    args.kept_strides.values[0] = 1;
    args.overflow = flags;
    device.table().reduce(args, device.queue());
}
/// A row times the identity would mix infinities into its other elements' sums: one column suffices, each element a
/// row.
void launch_gemm(Device& device, Input in, Output out, OverflowFlags flags) {
    const std::vector<float> one{1.0F};
    GemmArgs args;
    args.a = in;
    args.b = {device.put(one), DType::f32, 0};
    args.out = out;
    args.points = kPoints;
    args.m = kCount;
    args.a_strides = {1, 1, 0};
    args.b_strides = {1, 1, 0};
    args.out_strides = {1, 1, 0};
    args.activation = {UnaryOp::relu, 0, 0};
    args.overflow = flags;
    device.table().gemm(args, device.queue());
}
void launch_convolution(Device& device, Input in, Output out, OverflowFlags flags) {
    const std::vector<float> one{1.0F};
    ConvolutionArgs args;
    args.in = in;
    args.weight = {device.put(one), DType::f32, 0};
    args.out = out;
    args.points = kPoints;
    args.samples = kSamples;
    args.window.input[2] = args.window.output[2] = kElements;
    args.in_strides = args.out_strides = channels_first(1, args.window.input);
    args.activation = {UnaryOp::relu, 0, 0};
    args.overflow = flags;
    device.table().convolution(args, device.queue());
}

struct NamedLaunch {
    const char* kernel;
    void (*launch)(Device&, Input, Output, OverflowFlags);
};
constexpr NamedLaunch kLaunches[] = {{"unary", launch_unary},
                                     {"cast", launch_cast},
                                     {"binary", launch_binary},
                                     {"epilogue", launch_epilogue},
                                     {"channel_layout", launch_layout},
                                     {"batch_norm", launch_batch_norm},
                                     {"reduce", launch_reduce},
                                     {"gemm", launch_gemm},
                                     {"convolution", launch_convolution}};

/// A value that belongs to no single sample sets its point's last flag.
KernelCase whole_tile_case() {
    return {"unary", "flags_the_whole_tile",
            [](Device& device) {
                auto* flags = device.put(std::vector<std::uint32_t>(kPoints * (kSamples + 1), 0));
                Tensor values = random_floats({kPoints, kCount}, 312);
                values.as<float>()[kCount + 9] = 1e6F;
                UnaryArgs args{
                    {},     device.input(values, kPoints), device.output(DType::f16, kPoints, kCount), kPoints,
                    kCount, {flags, kSamples, 0}};
                device.table().unary(args, device.queue());
                return list_of(flags_tensor(device.get(flags, kPoints * (kSamples + 1))));
            },
            [] {
                std::vector<std::uint32_t> flags(kPoints * (kSamples + 1), 0);
                flags.back() = 1;
                return list_of(flags_tensor(flags));
            },
            0.0};
}

/// Weights that fp16 cannot hold, by point.
KernelCase weights_case() {
    return {"perturb", "flags_overflow",
            [](Device& device) {
                const std::vector<float> base(8, 60000.0F), axis(8, 10000.0F), coordinates{0.0F, 0.5F, 0.6F, -1.0F};
                PerturbTarget target;
                target.source.base = device.put(base);
                target.source.axes[0] = device.put(axis);
                target.extents[0] = target.valid[0] = 8;
                target.source_strides[0] = 1;
                target.type = DType::f16;
                target.out = device.output(DType::f16, 4, 8).data;
                target.out_point_stride = 8;
                target.overflow = device.put(std::vector<std::uint32_t>(4, 0));
                const PerturbArgs args{
                    device.put(std::vector<PerturbTarget>{target}), 1, target.packs(), {device.put(coordinates), 1}, 4};
                device.table().perturb(args, device.queue());
                return list_of(flags_tensor(device.get(target.overflow, 4)));
            },
            [] {
                return list_of(flags_tensor({0, 0, 1, 0}));
            },
            0.0};
}

/// The loss passes a sample's flag on, and a point's last flag to all its samples; a bad label is a fault.
KernelCase loss_case() {
    return {"loss_terms", "passes_flags_on",
            [](Device& device) {
                const std::vector<std::uint32_t> flags{0, 1, 1, 0, 0, 0, 0, 1};  // [2 points, 3 samples + 1]; 2 count
                const Tensor labels = Tensor::from<std::int64_t>(std::vector<std::int64_t>{1, 3}, {2});
                LossTermsArgs args;
                args.logits = device.input(random_floats({2, 2, 3}, 313), 2);
                args.targets = device.input(labels);
                args.points = args.samples = 2;
                args.terms_point_stride = 3;
                args.classes = 3;
                args.overflow = device.put(flags);
                args.terms = device.room<SampleLoss>(6);
                args.faults = device.put(std::vector<std::uint32_t>{0});
                device.table().loss_terms(args, device.queue());
                std::vector<std::uint32_t> seen;
                const std::vector<SampleLoss> terms = device.get(args.terms, 6);
                for (const std::size_t k : {0, 1, 3, 4})
                    seen.push_back(terms[k].overflow);
                seen.push_back(device.get(args.faults, 1)[0]);
                return list_of(flags_tensor(seen));
            },
            [] {
                return list_of(flags_tensor({0, 1, 1, 1, kFaultLabel}));
            },
            0.0};
}

}  // namespace

std::vector<KernelCase> overflow_cases() {
    std::vector<KernelCase> cases;
    for (const DType type : {DType::f16, DType::bf16, DType::f32}) {
        for (const auto& [kernel, launch] : kLaunches)
            cases.push_back(flag_case(kernel, type, launch));
    }
    cases.push_back(flag_case("unary", DType::f16, launch_single_unary));
    cases.back().name += "_single";
    cases.push_back(whole_tile_case());
    cases.push_back(weights_case());
    cases.push_back(loss_case());
    return cases;
}

}  // namespace lossmap::kernels::test
