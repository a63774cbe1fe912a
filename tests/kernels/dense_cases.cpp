#include <cmath>

#include <fmt/format.h>

#include "dense_chain.hpp"

namespace lossmap::kernels::test {
namespace {

using Shape = DenseChainJob::Shape;

constexpr UnaryFunction kNone{}, kRelu{UnaryOp::relu}, kTanh{UnaryOp::tanh}, kMish{UnaryOp::mish};
constexpr UnaryFunction kSelu{UnaryOp::selu, 1.6732632F, 1.0507010F}, kGelu{UnaryOp::gelu};
constexpr UnaryFunction kSoftsign{UnaryOp::softsign}, kSoftplus{UnaryOp::softplus}, kSigmoid{UnaryOp::sigmoid};
constexpr UnaryFunction kClip{UnaryOp::clip, 0.0F, 0.75F};

KernelCase chain_case(const Shape& shape) {
    const auto job = std::make_shared<const DenseChainJob>(shape);
    return {"dense_chain",
            shape.name,
            [=](Device& device) {
                const DenseChainArgs args = job->args(device);
                device.table().dense_chain(args, device.queue());
                return list_of(device.fetch(args.out, args.points, args.rows * args.widths[args.layers]));
            },
            [=] { return list_of(job->expected()); },
            job->tolerance(),
            job->tolerance()};
}

/// Numbers of layers, rows and widths that nothing is made for.
std::vector<Shape> random_shapes() {
    std::vector<Shape> shapes;
    const std::vector<UnaryFunction> functions{kRelu, kTanh, kSelu, kSoftsign, kNone, kGelu};
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        const Tensor numbers = random_ints({20}, 500 + seed, 0, 1 << 20);
        std::size_t next = 0;
        const auto below = [&](std::int64_t most) { return 1 + numbers.as<std::int64_t>()[next++] % most; };
        Shape shape;
        shape.name = fmt::format("random_{}", seed);
        shape.rows = below(200);
        shape.points = below(3);
        shape.shared_input = below(2) == 1;
        const std::int64_t layers = below(6);
        shape.widths = {static_cast<std::int32_t>(below(150))};
        for (std::int64_t k = 0; k < layers; ++k) {
            shape.widths.push_back(static_cast<std::int32_t>(below(seed % 2 == 0 ? 64 : 130)));
            shape.activations.push_back(functions[static_cast<std::size_t>(below(6) - 1)]);
        }
        shapes.push_back(shape);
    }
    return shapes;
}

/// The network whose speed docs/gpu.md tells of.
Shape mlp(const std::string& name, std::int64_t points, std::int64_t rows) {
    return {name, rows, {64, 48, 32, 10}, {kMish, kSelu, kNone}, DType::f32, true, points};
}

constexpr std::int64_t kFlagPoints = 2, kFlagSamples = 2, kFlagRows = 6;
constexpr std::size_t kFlags = kFlagPoints * (kFlagSamples + 1);

Tensor flags_tensor(const std::vector<std::uint32_t>& flags) {
    const std::vector<std::int64_t> wide(flags.begin(), flags.end());
    return Tensor::from<std::int64_t>(wide, {static_cast<std::int64_t>(wide.size())});
}

/// Two layers of one number, three rows a sample: the first sum is the input, with a ReLU, the second a hundred times
/// as much. -66000 and NaN are flagged where f16 lies between the layers, 70000 where it is the type of the result.
DenseChainArgs flagged_chain(Device& device, DType between, DType result) {
    const std::vector<float> in{1.0F,   700.0F, 0.0F,    2.0F, -66000.0F, 3.0F,  //
                                655.0F, 1.0F,   -700.0F, NAN,  3.0F,      4.0F};
    std::vector<float> weights(16, 0.0F);
    weights[0] = 1.0F;
    weights[8] = 100.0F;
    DenseChainArgs args;
    args.in = {device.put(in), DType::f32, kFlagRows};
    args.weights = {device.put(weights), DType::f32, 0};
    args.bias = {device.put(std::vector<float>(16, 0.0F)), DType::f32, 0};
    args.out = device.output(result, kFlagPoints, kFlagRows);
    args.points = kFlagPoints;
    args.rows = kFlagRows;
    args.layers = 2;
    for (std::int32_t& width : args.widths)
        width = 1;
    args.activations[0] = kRelu;
    args.overflow = {device.put(std::vector<std::uint32_t>(kFlags, 0)), kFlagSamples, kFlagRows / kFlagSamples};
    args.between = between;
    return args;
}

KernelCase flags_case(DType between, DType result, const std::vector<std::uint32_t>& by_sample,
                      const std::vector<std::uint32_t>& by_point) {
    return {"dense_chain", fmt::format("flags_overflow_{}_{}", name_of(between), name_of(result)),
            [=](Device& device) {
                DenseChainArgs args = flagged_chain(device, between, result);
                device.table().dense_chain(args, device.queue());
                std::vector<Tensor> flags = list_of(flags_tensor(device.get(args.overflow.data, kFlags)));
                args.overflow.data = device.put(std::vector<std::uint32_t>(kFlags, 0));
                args.overflow.elements_per_sample = 0;
                device.table().dense_chain(args, device.queue());
                flags.push_back(flags_tensor(device.get(args.overflow.data, kFlags)));
                return flags;
            },
            [=] { return list_of(flags_tensor(by_sample), flags_tensor(by_point)); }, 0.0};
}

}  // namespace

std::vector<KernelCase> dense_cases() {
    std::vector<KernelCase> cases;
    std::vector<Shape> shapes = random_shapes();
    shapes.push_back(mlp("mlp_128_rows", 3, 128));
    shapes.push_back(mlp("mlp_one_row", 2, 1));
    // Blocks of 128, of 64 and of 32 rows, and the last of them not full.
    shapes.push_back({"many_points", 131, {16, 24, 8}, {kRelu, kNone}, DType::f32, true, 140});
    shapes.push_back({"many_points_wide", 65, {12, 100, 3}, {kTanh, kNone}, DType::f32, false, 140});
    shapes.push_back({"widest", 33, {300, 256, 256}, {kRelu, kSigmoid}, DType::f32, false, 2});
    shapes.push_back({"one_layer", 40, {37, 5}, {kSoftplus}});
    shapes.push_back({"wide_input", 50, {785, 16, 10}, {kRelu, kNone}});
    shapes.push_back({"one_wide", 9, {1, 1, 1}, {kTanh, kSoftsign}});
    shapes.push_back({"unaligned", 21, {64, 9, 4}, {kClip, kNone}, DType::f32, true, 2, 1});
    shapes.push_back({"sixteen_layers", 17, std::vector<std::int32_t>(17, 12), std::vector<UnaryFunction>(16, kTanh)});
    for (const DType type : {DType::f16, DType::bf16}) {
        shapes.push_back({fmt::format("mlp_{}", name_of(type)), 70, {64, 48, 32, 10}, {kMish, kSelu, kNone}, type});
        shapes.push_back({fmt::format("odd_{}", name_of(type)), 35, {15, 70, 7}, {kRelu, kSoftsign}, type, false});
    }
    for (const Shape& shape : shapes)
        cases.push_back(chain_case(shape));
    cases.push_back(flags_case(DType::f16, DType::f32, {0, 1, 0, 0, 1, 0}, {0, 0, 1, 0, 0, 1}));
    cases.push_back(flags_case(DType::f32, DType::f16, {1, 0, 0, 0, 1, 0}, {0, 0, 1, 0, 0, 1}));
    cases.push_back(flags_case(DType::bf16, DType::bf16, {0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0}));
    return cases;
}

}  // namespace lossmap::kernels::test
