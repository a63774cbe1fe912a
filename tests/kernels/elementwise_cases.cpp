#include <cmath>

#include <fmt/format.h>

#include "kernel_case.hpp"

namespace lossmap::kernels::test {
namespace {

struct NamedUnary {
    UnaryOp op;
    const char* op_type;
    AttributeMap attributes = {};
    float alpha = 0.0F;
    float beta = 0.0F;
    double range = 3.0;  ///< of the inputs
};

std::vector<NamedUnary> unary_functions() {
    return {
        {UnaryOp::identity, "Identity"},
        {UnaryOp::abs, "Abs"},
        {UnaryOp::acos, "Acos", {}, 0, 0, 1.0},
        {UnaryOp::acosh, "Acosh"},
        {UnaryOp::asin, "Asin", {}, 0, 0, 1.0},
        {UnaryOp::asinh, "Asinh"},
        {UnaryOp::atan, "Atan"},
        {UnaryOp::atanh, "Atanh", {}, 0, 0, 1.0},
        {UnaryOp::ceil, "Ceil"},
        {UnaryOp::celu, "Celu", {{"alpha", 1.5}}, 1.5F},
        {UnaryOp::cos, "Cos"},
        {UnaryOp::cosh, "Cosh"},
        {UnaryOp::elu, "Elu", {{"alpha", 0.7}}, 0.7F},
        {UnaryOp::erf, "Erf"},
        {UnaryOp::exp, "Exp"},
        {UnaryOp::floor, "Floor"},
        {UnaryOp::gelu, "Gelu"},
        {UnaryOp::gelu_tanh, "Gelu", {{"approximate", std::string("tanh")}}},
        {UnaryOp::hard_sigmoid, "HardSigmoid", {{"alpha", 0.3}, {"beta", 0.4}}, 0.3F, 0.4F},
        {UnaryOp::hard_swish, "HardSwish"},
        {UnaryOp::leaky_relu, "LeakyRelu", {{"alpha", 0.2}}, 0.2F},
        {UnaryOp::log, "Log"},
        {UnaryOp::mish, "Mish"},
        {UnaryOp::neg, "Neg"},
        {UnaryOp::reciprocal, "Reciprocal"},
        {UnaryOp::relu, "Relu"},
        {UnaryOp::round, "Round"},
        {UnaryOp::selu, "Selu", {{"alpha", 1.6}, {"gamma", 1.1}}, 1.6F, 1.1F},
        {UnaryOp::shrink, "Shrink", {{"bias", 0.25}, {"lambd", 0.75}}, 0.25F, 0.75F},
        {UnaryOp::sigmoid, "Sigmoid"},
        {UnaryOp::sign, "Sign"},
        {UnaryOp::sin, "Sin"},
        {UnaryOp::sinh, "Sinh"},
        {UnaryOp::softplus, "Softplus"},
        {UnaryOp::softsign, "Softsign"},
        {UnaryOp::sqrt, "Sqrt"},
        {UnaryOp::swish, "Swish", {{"alpha", 1.5}}, 1.5F},
        {UnaryOp::tan, "Tan"},
        {UnaryOp::tanh, "Tanh"},
        {UnaryOp::thresholded_relu, "ThresholdedRelu", {{"alpha", 0.5}}, 0.5F},
    };
}

KernelCase unary_case(const NamedUnary& function, DType type, std::int64_t count) {
    const Tensor values = as_storage(with_specials(random_floats({2, count}, 11, function.range)), type);
    const auto in = std::make_shared<Tensor>(values.clone());
    const std::string name =
        fmt::format("{}_{}_{}_{}", function.op_type, static_cast<int>(function.op), name_of(type), count);
    return {
        "unary", name,
        [=](Device& device) {
            const Output out = device.output(type, 2, count);
            UnaryArgs args{{function.op, function.alpha, function.beta}, device.input(*in, 2), out, 2, count, {}};
            device.table().unary(args, device.queue());
            return list_of(device.fetch(out, 2, count));
        },
        [=] { return operator_at_points(function.op_type, 2, {per_point(as_floats(*in))}, function.attributes, 24); },
        4e-7};
}

/// Results of type bool, integers, and clip, which ONNX feeds through inputs.
KernelCase other_unary_case(const std::string& op_type, UnaryFunction function, const Tensor& values, DType out_type,
                            std::vector<Tensor> more = {}, AttributeMap attributes = {}) {
    const auto in = std::make_shared<Tensor>(values.clone());
    const auto rest = std::make_shared<std::vector<Tensor>>(std::move(more));
    const std::int64_t count = values.count() / 2;
    return {"unary", fmt::format("{}_{}", op_type, name_of(values.dtype())),
            [=](Device& device) {
                const Output out = device.output(out_type, 2, count);
                device.table().unary({function, device.input(*in, 2), out, 2, count, {}}, device.queue());
                return list_of(device.fetch(out, 2, count));
            },
            [=] {
                std::vector<PointTensor> inputs;
                inputs.push_back(per_point(*in));
                for (const Tensor& one : *rest)
                    inputs.push_back(shared(one));
                return operator_at_points(op_type, 2, inputs, attributes, 20);
            }};
}

void add_unary_cases(std::vector<KernelCase>& cases) {
    for (const NamedUnary& function : unary_functions()) {
        cases.push_back(unary_case(function, DType::f32, 37));
        cases.push_back(unary_case(function, DType::f16, 40));
        cases.push_back(unary_case(function, DType::bf16, 24));
    }
    cases.push_back(unary_case(unary_functions()[0], DType::f32, 8192));
    const Tensor floats = with_specials(random_floats({2, 19}, 5, 4.0));
    const Tensor ints = random_ints({2, 19}, 6, -5, 6);
    std::vector<Tensor> bounds;
    bounds.push_back(Tensor::scalar<float>(-1.5F));
    bounds.push_back(Tensor::scalar<float>(2.0F));
    cases.push_back(other_unary_case("Clip", {UnaryOp::clip, -1.5F, 2.0F}, floats, DType::f32, std::move(bounds)));
    cases.push_back(other_unary_case("IsNaN", {UnaryOp::is_nan, 0, 0}, floats, DType::boolean));
    cases.push_back(other_unary_case("IsInf", {UnaryOp::is_inf, 1.0F, 0.0F}, floats, DType::boolean, {},
                                     {{"detect_negative", std::int64_t{0}}}));
    cases.push_back(other_unary_case("Not", {UnaryOp::logical_not, 0, 0},
                                     as_type(random_ints({2, 19}, 7, 0, 2), DType::boolean), DType::boolean));
    for (const DType type : {DType::i64, DType::i32}) {
        const Tensor typed = as_type(ints, type);
        cases.push_back(other_unary_case("Abs", {UnaryOp::abs, 0, 0}, typed, type));
        cases.push_back(other_unary_case("Neg", {UnaryOp::neg, 0, 0}, typed, type));
        cases.push_back(other_unary_case("Sign", {UnaryOp::sign, 0, 0}, typed, type));
        cases.push_back(other_unary_case("BitwiseNot", {UnaryOp::bitwise_not, 0, 0}, typed, type));
    }
}

int onnx_type(DType type) {
    switch (type) {
        case DType::f32: return 1;
        case DType::u8: return 2;
        case DType::i8: return 3;
        case DType::i32: return 6;
        case DType::i64: return 7;
        case DType::boolean: return 9;
        default: return 0;
    }
}

KernelCase cast_case(const Tensor& values, DType to) {
    const auto in = std::make_shared<Tensor>(values.clone());
    return {"cast", fmt::format("{}_to_{}", name_of(values.dtype()), name_of(to)),
            [=](Device& device) {
                const Output out = device.output(to, 1, in->count());
                device.table().cast({device.input(*in), out, 1, in->count(), {}}, device.queue());
                return list_of(device.fetch(out, 1, in->count()));
            },
            [=] {
                return operator_at_points("Cast", 1, {shared(*in)}, {{"to", std::int64_t{onnx_type(to)}}});
            },
            0.0};
}

void add_cast_cases(std::vector<KernelCase>& cases) {
    Tensor floats = with_specials(random_floats({40}, 3, 300.0));
    floats.as<float>()[6] = 3e9F;
    floats.as<float>()[7] = -3e9F;
    floats.as<float>()[8] = 1e30F;
    floats.as<float>()[9] = -129.5F;
    for (const DType to : {DType::i8, DType::u8, DType::i32, DType::i64, DType::boolean})
        cases.push_back(cast_case(floats, to));
    const Tensor ints = random_ints({40}, 4, -70000, 70000);
    for (const DType to : {DType::i8, DType::u8, DType::i32, DType::f32, DType::boolean})
        cases.push_back(cast_case(ints, to));
    cases.push_back(cast_case(as_type(random_ints({40}, 8, 0, 2), DType::boolean), DType::f32));
}

struct NamedBinary {
    BinaryOp op;
    const char* op_type;
    AttributeMap attributes = {};
};

KernelCase binary_case(const NamedBinary& function, const Tensor& a, bool a_per_point, const Tensor& b,
                       DType out_type) {
    const auto first = std::make_shared<Tensor>(a.clone());
    const auto second = std::make_shared<Tensor>(b.clone());
    const Shape a_shape(a.shape().begin() + (a_per_point ? 1 : 0), a.shape().end());
    const Shape shape = broadcast(a_shape, b.shape());
    const std::int64_t points = a_per_point ? a.shape()[0] : 1;
    const std::int64_t count = element_count(shape);
    return {"binary",
            fmt::format("{}_{}_{}_{}", function.op_type, static_cast<int>(function.op), name_of(a.dtype()),
                        to_string(shape)),
            [=](Device& device) {
                const Output out = device.output(out_type, points, count);
                BinaryArgs args;
                args.op = function.op;
                args.a = device.input(*first, a_per_point ? points : 0);
                args.b = device.input(*second);
                args.out = out;
                args.points = points;
                args.dims = dims_of(shape);
                args.a_strides = broadcast_to(a_shape, shape);
                args.b_strides = broadcast_to(second->shape(), shape);
                device.table().binary(args, device.queue());
                return list_of(device.fetch(out, points, count));
            },
            [=] {
                const PointTensor left = a_per_point ? per_point(*first) : shared(*first);
                return operator_at_points(function.op_type, points, {left, shared(*second)}, function.attributes, 24);
            },
            4e-7};
}

void add_binary_cases(std::vector<KernelCase>& cases) {
    const AttributeMap fmod{{"fmod", std::int64_t{1}}};
    const std::vector<NamedBinary> on_floats = {{BinaryOp::add, "Add"},
                                                {BinaryOp::sub, "Sub"},
                                                {BinaryOp::mul, "Mul"},
                                                {BinaryOp::div, "Div"},
                                                {BinaryOp::truncated_mod, "Mod", fmod},
                                                {BinaryOp::pow, "Pow"},
                                                {BinaryOp::min, "Min"},
                                                {BinaryOp::max, "Max"}};
    const std::vector<NamedBinary> comparisons = {{BinaryOp::equal, "Equal"},
                                                  {BinaryOp::less, "Less"},
                                                  {BinaryOp::less_or_equal, "LessOrEqual"},
                                                  {BinaryOp::greater, "Greater"},
                                                  {BinaryOp::greater_or_equal, "GreaterOrEqual"}};
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
        const Tensor dense_a = as_storage(with_specials(random_floats({2, 3, 4, 8}, 21, 2.0)), type);
        const Tensor dense_b = as_storage(random_floats({3, 4, 8}, 22, 2.0), type);
        const Tensor column = as_storage(with_specials(random_floats({6, 1}, 23, 2.0)), type);
        const Tensor rows = as_storage(with_specials(random_floats({2, 6, 5}, 24, 2.0)), type);
        for (const NamedBinary& function : on_floats) {
            cases.push_back(binary_case(function, dense_a, true, dense_b, type));
            cases.push_back(binary_case(function, rows, true, column, type));
        }
        cases.push_back(binary_case({BinaryOp::prelu, "PRelu"}, rows, true, column, type));
        for (const NamedBinary& function : comparisons)
            cases.push_back(binary_case(function, rows, true, column, DType::boolean));
    }
    const std::vector<NamedBinary> on_ints = {
        {BinaryOp::add, "Add"},          {BinaryOp::sub, "Sub"},           {BinaryOp::mul, "Mul"},
        {BinaryOp::div, "Div"},          {BinaryOp::floor_mod, "Mod"},     {BinaryOp::truncated_mod, "Mod", fmod},
        {BinaryOp::min, "Min"},          {BinaryOp::max, "Max"},           {BinaryOp::bit_and, "BitwiseAnd"},
        {BinaryOp::bit_or, "BitwiseOr"}, {BinaryOp::bit_xor, "BitwiseXor"}};
    Tensor divisors = random_ints({1, 7}, 26, 1, 6);
    divisors.as<std::int64_t>()[2] = -1;
    divisors.as<std::int64_t>()[3] = -4;
    for (const DType type : {DType::i64, DType::i32}) {
        const Tensor a = as_type(random_ints({2, 4, 7}, 25, -9, 10), type);
        const Tensor b = as_type(divisors, type);
        for (const NamedBinary& function : on_ints) {
            cases.push_back(binary_case(function, a, true, b, type));
        }
        for (const NamedBinary& function : comparisons)
            cases.push_back(binary_case(function, a, true, b, DType::boolean));
    }
    const Tensor powers = random_ints({4, 1}, 29, -2, 6);
    cases.push_back(binary_case({BinaryOp::pow, "Pow"}, random_ints({2, 4, 7}, 25, -9, 10), true, powers, DType::i64));
    const AttributeMap left{{"direction", std::string("LEFT")}}, right{{"direction", std::string("RIGHT")}};
    for (const DType type : {DType::u8, DType::u32, DType::i64}) {
        const Tensor a = as_type(random_ints({2, 4, 7}, 30, 0, 256), type);
        const Tensor counts = as_type(random_ints({1, 7}, 34, 0, 12), type);
        cases.push_back(binary_case({BinaryOp::shift_left, "BitShift", left}, a, true, counts, type));
        cases.push_back(binary_case({BinaryOp::shift_right, "BitShift", right}, a, true, counts, type));
    }
    const Tensor truths = as_type(random_ints({2, 4, 7}, 27, 0, 2), DType::boolean);
    const Tensor others = as_type(random_ints({4, 1}, 28, 0, 2), DType::boolean);
    for (const NamedBinary& function : std::vector<NamedBinary>{
             {BinaryOp::logical_and, "And"}, {BinaryOp::logical_or, "Or"}, {BinaryOp::logical_xor, "Xor"}})
        cases.push_back(binary_case(function, truths, true, others, DType::boolean));
}

KernelCase select_case(DType type) {
    const auto condition = std::make_shared<Tensor>(as_type(random_ints({2, 3, 1}, 31, 0, 2), DType::boolean));
    const bool floating = is_floating_point(type);
    const auto a = std::make_shared<Tensor>(floating ? as_storage(random_floats({5}, 32), type)
                                                     : as_type(random_ints({5}, 32, -9, 9), type));
    const auto b = std::make_shared<Tensor>(floating ? as_storage(random_floats({2, 2, 3, 5}, 33), type)
                                                     : as_type(random_ints({2, 2, 3, 5}, 33, -9, 9), type));
    return {"select", std::string(name_of(type)),
            [=](Device& device) {
                const Output out = device.output(type, 2, 30);
                SelectArgs args;
                args.condition = device.input(*condition);
                args.a = device.input(*a);
                args.b = device.input(*b, 2);
                args.out = out;
                args.points = 2;
                args.dims = dims_of({2, 3, 5});
                args.condition_strides = broadcast_to({2, 3, 1}, {2, 3, 5});
                args.a_strides = broadcast_to({5}, {2, 3, 5});
                args.b_strides = broadcast_to({2, 3, 5}, {2, 3, 5});
                device.table().select(args, device.queue());
                return list_of(device.fetch(out, 2, 30));
            },
            [=] {
                return operator_at_points("Where", 2, {shared(*condition), shared(*a), per_point(*b)});
            },
            0.0};
}

/// out = f(in + bias + residual), written out here.
KernelCase epilogue_case(const std::string& name, DType type, std::int64_t rows, std::int64_t channels,
                         std::int64_t inner, bool with_bias, bool with_residual) {
    const std::int64_t count = rows * channels * inner;
    const auto in = std::make_shared<Tensor>(as_storage(with_specials(random_floats({2, count}, 41, 2.0)), type));
    const auto bias = std::make_shared<Tensor>(random_floats({2, channels}, 42));
    const auto residual = std::make_shared<Tensor>(as_storage(random_floats({2, count}, 43), type));
    return {"epilogue", name,
            [=](Device& device) {
                const Output out = device.output(type, 2, count);
                EpilogueArgs args;
                args.in = device.input(*in, 2);
                if (with_bias) args.bias = device.input(*bias, 2);
                if (with_residual) args.residual = device.input(*residual, 2);
                args.out = out;
                args.points = 2;
                args.rows = rows;
                args.channels = channels;
                args.inner = inner;
                args.activation = {UnaryOp::relu, 0, 0};
                device.table().epilogue(args, device.queue());
                return list_of(device.fetch(out, 2, count));
            },
            [=] {
                Tensor expected = as_floats(*in);
                const Tensor other = as_floats(*residual);
                for (std::int64_t k = 0; k < 2 * count; ++k) {
                    const auto at = static_cast<std::size_t>(k);
                    const std::int64_t channel = k / inner % channels;
                    float value = expected.as<float>()[at];
                    if (with_bias) value += bias->as<float>()[static_cast<std::size_t>(k / count * channels + channel)];
                    if (with_residual) value += other.as<float>()[at];
                    expected.as<float>()[at] = value < 0.0F ? 0.0F : value;
                }
                return list_of(std::move(expected));
            },
            0.0};
}

}  // namespace

std::vector<KernelCase> elementwise_cases() {
    std::vector<KernelCase> cases;
    add_unary_cases(cases);
    add_cast_cases(cases);
    add_binary_cases(cases);
    for (const DType type : {DType::f32, DType::f16, DType::i64, DType::u8})
        cases.push_back(select_case(type));
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
        const std::string suffix = fmt::format("_{}", name_of(type));
        cases.push_back(epilogue_case("packed" + suffix, type, 5, 16, 1, true, true));
        cases.push_back(epilogue_case("packed_bias_only" + suffix, type, 5, 16, 1, true, false));
        cases.push_back(epilogue_case("odd_channels" + suffix, type, 5, 7, 1, true, true));
        cases.push_back(epilogue_case("channels_first" + suffix, type, 3, 4, 6, true, false));
        cases.push_back(epilogue_case("residual_only" + suffix, type, 3, 8, 1, false, true));
    }
    return cases;
}

}  // namespace lossmap::kernels::test
