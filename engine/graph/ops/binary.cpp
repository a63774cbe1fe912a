#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "graph/ops/binary_functions.hpp"
#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

/// Shape of operand 1 as it takes part in broadcasting. Below opset 7 it is aligned at the attribute `axis`, and the
/// slopes of PRelu at the channels.
Shape second_shape(const Node& node, const Shape& first, const Shape& second) {
    if (node.opset < 7 && node.op_type == "PRelu" && second.size() == 1 && first.size() > 2) {
        Shape channels(first.size() - 1, 1);
        channels[0] = second[0];
        return channels;
    }
    if (node.opset >= 7 || node.attributes.get_int("broadcast", 0) == 0 || !node.attributes.has("axis")) return second;
    const std::size_t axis = axis_index(node.attributes.get_int("axis"), first.size());
    require(axis + second.size() <= first.size(), "shape {} does not fit into {} at axis {}", to_string(second),
            to_string(first), axis);
    Shape aligned = second;
    aligned.resize(first.size() - axis, 1);
    return aligned;
}

/// out[i] = Op(a[i], b[i]) with broadcasting; In and Out are element types.
template <typename Op, typename In, typename Out>
void broadcast_apply(const Node& node, Inputs inputs, Outputs outputs) {
    const Shape second = second_shape(node, inputs[0].shape, inputs[1].shape);
    const StridedLoop loop(outputs[0].shape, {broadcast_strides(inputs[0].shape, outputs[0].shape),
                                              broadcast_strides(second, outputs[0].shape)});
    const In* a = raw<In>(inputs[0]);
    const In* b = raw<In>(inputs[1]);
    Out* out = raw<Out>(outputs[0]);
    for_each_row<2>(loop, [&](std::int64_t at, const auto& begin, const auto& step, std::int64_t count) {
        const In* row_a = a + begin[0];
        const In* row_b = b + begin[1];
        Out* row = out + at;
        if (step[0] == 1 && step[1] == 1) {
            for (std::int64_t i = 0; i < count; ++i)
                row[i] = Op::apply(row_a[i], row_b[i]);
        } else {
            for (std::int64_t i = 0; i < count; ++i)
                row[i] = Op::apply(row_a[i * step[0]], row_b[i * step[1]]);
        }
    });
}

template <typename Op>
void run_wide_arithmetic(const Node& node, Inputs inputs, Outputs outputs) {
    visit_wide(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        broadcast_apply<Op, T, T>(node, inputs, outputs);
    });
}

template <typename Op>
void run_arithmetic(const Node& node, Inputs inputs, Outputs outputs) {
    run_widened(node, inputs, outputs, run_wide_arithmetic<Op>);
}

template <typename Op>
void run_comparison(const Node& node, Inputs inputs, Outputs outputs) {
    visit_any(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        broadcast_apply<Op, T, bool>(node, inputs, outputs);
    });
}

template <typename Op>
void run_logic(const Node& node, Inputs inputs, Outputs outputs) {
    broadcast_apply<Op, bool, bool>(node, inputs, outputs);
}

template <typename Op>
void run_bits(const Node& node, Inputs inputs, Outputs outputs) {
    visit_size(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        broadcast_apply<Op, T, T>(node, inputs, outputs);
    });
}

template <typename Op>
void run_shift(const Node& node, Inputs inputs, Outputs outputs) {
    visit_any(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
            broadcast_apply<Op, T, T>(node, inputs, outputs);
    });
}

void run_bit_shift(const Node& node, Inputs inputs, Outputs outputs) {
    const bool left = node.attributes.get_string("direction", "") == "LEFT";
    left ? run_shift<ShiftLeft>(node, inputs, outputs) : run_shift<ShiftRight>(node, inputs, outputs);
}

void run_mod(const Node& node, Inputs inputs, Outputs outputs) {
    const bool truncated = node.attributes.get_int("fmod", 0) != 0;
    truncated ? run_arithmetic<TruncatedMod>(node, inputs, outputs) : run_arithmetic<FloorMod>(node, inputs, outputs);
}

template <typename T>
T integer_power(T base, std::int64_t exponent) {
    if (exponent < 0) return base == T{1} ? T{1} : T{0};
    T result{1};
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1) result = Mul::apply(result, base);
        base = Mul::apply(base, base);
    }
    return result;
}

/// The exponent may have another element type than the base (opset 12); an integer exponent keeps integer bases exact.
void run_pow(const Node& node, Inputs inputs, Outputs outputs) {
    const bool exact = !is_floating_point(inputs[0].dtype) && !is_floating_point(inputs[1].dtype);
    Tensor exponent(exact ? DType::i64 : DType::f64, inputs[1].shape);
    convert_elements(inputs[1], exponent.view());
    const Shape second = second_shape(node, inputs[0].shape, inputs[1].shape);
    const StridedLoop loop(outputs[0].shape, {broadcast_strides(inputs[0].shape, outputs[0].shape),
                                              broadcast_strides(second, outputs[0].shape)});
    visit_any(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* base = raw<T>(inputs[0]);
        T* out = raw<T>(outputs[0]);
        for_each_row<2>(loop, [&](std::int64_t at, const auto& begin, const auto& step, std::int64_t count) {
            for (std::int64_t i = 0; i < count; ++i) {
                const T x = base[begin[0] + i * step[0]];
                const std::size_t y = static_cast<std::size_t>(begin[1] + i * step[1]);
                if constexpr (std::is_same_v<T, float>) {
                    out[at + i] = std::pow(x, static_cast<float>(exponent.as<double>()[y]));
                } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
                    out[at + i] = exact ? static_cast<T>(integer_power(static_cast<std::int64_t>(x),
                                                                       exponent.as<std::int64_t>()[y]))
                                        : static_cast<T>(std::pow(static_cast<double>(x), exponent.as<double>()[y]));
                } else {
                    out[at + i] = static_cast<T>(std::pow(static_cast<double>(x), exponent.as<double>()[y]));
                }
            }
        });
    });
}

/// Min, Max, Sum over any number of inputs; Mean divides at the end.
template <typename Op, bool kMean>
void run_wide_variadic(const Node& node, Inputs inputs, Outputs outputs) {
    copy_strided(inputs[0], broadcast_strides(inputs[0].shape, outputs[0].shape), outputs[0]);
    visit_wide(outputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (std::size_t k = 1; k < inputs.size(); ++k) {
            const std::array<ConstTensorView, 2> pair{ConstTensorView(outputs[0]), inputs[k]};
            broadcast_apply<Op, T, T>(node, pair,
                                      outputs);  // element i reads only element i of the output: aliasing is safe
        }
        if constexpr (kMean) {
            for (T& x : outputs[0].as<T>())
                x = static_cast<T>(x / static_cast<T>(inputs.size()));
        }
    });
}

template <typename Op, bool kMean = false>
void run_variadic(const Node& node, Inputs inputs, Outputs outputs) {
    run_widened(node, inputs, outputs, run_wide_variadic<Op, kMean>);
}

void run_where(const Node&, Inputs inputs, Outputs outputs) {
    const Shape& shape = outputs[0].shape;
    const StridedLoop loop(shape, {broadcast_strides(inputs[0].shape, shape), broadcast_strides(inputs[1].shape, shape),
                                   broadcast_strides(inputs[2].shape, shape)});
    const bool* condition = raw<bool>(inputs[0]);
    visit_size(outputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* a = raw<T>(inputs[1]);
        const T* b = raw<T>(inputs[2]);
        T* out = raw<T>(outputs[0]);
        for_each_row<3>(loop, [&](std::int64_t at, const auto& begin, const auto& step, std::int64_t count) {
            for (std::int64_t i = 0; i < count; ++i) {
                out[at + i] = condition[begin[0] + i * step[0]] ? a[begin[1] + i * step[1]] : b[begin[2] + i * step[2]];
            }
        });
    });
}

Shape binary_shape(const InferenceContext& context) {
    const Shape& first = context.input(0).shape;
    return broadcast(first, second_shape(context.node, first, context.input(1).shape));
}

Types infer_arithmetic(const InferenceContext& context) {
    require_same_dtype(context, 2);
    require(context.input(0).dtype != DType::boolean, "arithmetic on bool is not defined");
    return {{context.input(0).dtype, binary_shape(context)}};
}

Types infer_pow(const InferenceContext& context) { return {{context.input(0).dtype, binary_shape(context)}}; }

Types infer_comparison(const InferenceContext& context) {
    require_same_dtype(context, 2);
    return {{DType::boolean, binary_shape(context)}};
}

Types infer_logic(const InferenceContext& context) {
    require(context.input(0).dtype == DType::boolean, "input 0 has element type {}, expected bool",
            name_of(context.input(0).dtype));
    return infer_comparison(context);
}

Types infer_bits(const InferenceContext& context) {
    require(is_integer(context.input(0).dtype), "input 0 has element type {}, expected an integer type",
            name_of(context.input(0).dtype));
    return infer_arithmetic(context);
}

/// PyTorch broadcasts the slope to the input, never the other way round.
Types infer_prelu(const InferenceContext& context) {
    require_same_dtype(context, 2);
    require(binary_shape(context) == context.input(0).shape, "slope of shape {} does not broadcast to {}",
            to_string(context.input(1).shape), to_string(context.input(0).shape));
    return same_as_first(context);
}

Types infer_variadic(const InferenceContext& context) {
    require_same_dtype(context, context.inputs.size());
    Shape shape = context.input(0).shape;
    for (std::size_t k = 1; k < context.inputs.size(); ++k)
        shape = broadcast(shape, context.input(k).shape);
    return {{context.input(0).dtype, shape}};
}

Types infer_where(const InferenceContext& context) {
    require(context.input(0).dtype == DType::boolean, "the condition has element type {}, expected bool",
            name_of(context.input(0).dtype));
    require(context.input(1).dtype == context.input(2).dtype, "the alternatives have element types {} and {}",
            name_of(context.input(1).dtype), name_of(context.input(2).dtype));
    const Shape both = broadcast(context.input(1).shape, context.input(2).shape);
    return {{context.input(1).dtype, broadcast(context.input(0).shape, both)}};
}

std::string check_bit_shift(const Node& node) {
    const std::string direction = node.attributes.get_string("direction", "");
    return direction == "LEFT" || direction == "RIGHT" ? "" : "attribute 'direction' must be LEFT or RIGHT";
}

OperatorInfo binary(std::string_view name, ShapeRule infer, HostKernel run, std::int64_t min_opset = 1) {
    return {.name = name,
            .domain = "",
            .min_opset = min_opset,
            .min_inputs = 2,
            .max_inputs = 2,
            .infer = infer,
            .run = run};
}

OperatorInfo variadic(std::string_view name, HostKernel run) {
    return {.name = name, .domain = "", .max_inputs = -1, .infer = infer_variadic, .run = run};
}

}  // namespace

Family binary_operators() {
    Family family = {
        binary("Add", infer_arithmetic, run_arithmetic<Add>),
        binary("Sub", infer_arithmetic, run_arithmetic<Sub>),
        binary("Mul", infer_arithmetic, run_arithmetic<Mul>),
        binary("Div", infer_arithmetic, run_arithmetic<Div>),
        binary("Mod", infer_arithmetic, run_mod, 10),
        binary("Pow", infer_pow, run_pow),
        binary("PRelu", infer_prelu, run_arithmetic<PRelu>),
        binary("Equal", infer_comparison, run_comparison<Equal>),
        binary("Less", infer_comparison, run_comparison<Less>),
        binary("LessOrEqual", infer_comparison, run_comparison<LessOrEqual>, 12),
        binary("Greater", infer_comparison, run_comparison<Greater>),
        binary("GreaterOrEqual", infer_comparison, run_comparison<GreaterOrEqual>, 12),
        binary("And", infer_logic, run_logic<And>),
        binary("Or", infer_logic, run_logic<Or>),
        binary("Xor", infer_logic, run_logic<Xor>),
        binary("BitwiseAnd", infer_bits, run_bits<BitAnd>, 18),
        binary("BitwiseOr", infer_bits, run_bits<BitOr>, 18),
        binary("BitwiseXor", infer_bits, run_bits<BitXor>, 18),
        variadic("Min", run_variadic<Min>),
        variadic("Max", run_variadic<Max>),
        variadic("Sum", run_variadic<Add>),
        variadic("Mean", run_variadic<Add, true>),
        {.name = "Where",
         .domain = "",
         .min_opset = 9,
         .min_inputs = 3,
         .max_inputs = 3,
         .infer = infer_where,
         .run = run_where},
    };
    OperatorInfo shift = binary("BitShift", infer_bits, run_bit_shift, 11);
    shift.check = check_bit_shift;
    family.push_back(shift);
    return family;
}

}  // namespace lossmap::ops
