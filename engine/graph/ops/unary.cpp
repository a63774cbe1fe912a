#include <cmath>
#include <type_traits>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

// Each operation is a function object on one element; NaN passes through all of them.
struct Acos {
    template <typename T>
    static T apply(T x) {
        return std::acos(x);
    }
};
struct Acosh {
    template <typename T>
    static T apply(T x) {
        return std::acosh(x);
    }
};
struct Asin {
    template <typename T>
    static T apply(T x) {
        return std::asin(x);
    }
};
struct Asinh {
    template <typename T>
    static T apply(T x) {
        return std::asinh(x);
    }
};
struct Atan {
    template <typename T>
    static T apply(T x) {
        return std::atan(x);
    }
};
struct Atanh {
    template <typename T>
    static T apply(T x) {
        return std::atanh(x);
    }
};
struct Ceil {
    template <typename T>
    static T apply(T x) {
        return std::ceil(x);
    }
};
struct Cos {
    template <typename T>
    static T apply(T x) {
        return std::cos(x);
    }
};
struct Cosh {
    template <typename T>
    static T apply(T x) {
        return std::cosh(x);
    }
};
struct Erf {
    template <typename T>
    static T apply(T x) {
        return std::erf(x);
    }
};
struct Exp {
    template <typename T>
    static T apply(T x) {
        return std::exp(x);
    }
};
struct Floor {
    template <typename T>
    static T apply(T x) {
        return std::floor(x);
    }
};
struct Log {
    template <typename T>
    static T apply(T x) {
        return std::log(x);
    }
};
struct Reciprocal {
    template <typename T>
    static T apply(T x) {
        return T{1} / x;
    }
};
// Round half to even, the default rounding mode of the processor.
struct Round {
    template <typename T>
    static T apply(T x) {
        return std::nearbyint(x);
    }
};
struct Sin {
    template <typename T>
    static T apply(T x) {
        return std::sin(x);
    }
};
struct Sinh {
    template <typename T>
    static T apply(T x) {
        return std::sinh(x);
    }
};
struct Sqrt {
    template <typename T>
    static T apply(T x) {
        return std::sqrt(x);
    }
};
struct Tan {
    template <typename T>
    static T apply(T x) {
        return std::tan(x);
    }
};
struct Tanh {
    template <typename T>
    static T apply(T x) {
        return std::tanh(x);
    }
};
struct Softsign {
    template <typename T>
    static T apply(T x) {
        return x / (T{1} + std::abs(x));
    }
};

// Integer kinds wrap in two's complement; unsigned arithmetic keeps that defined.
struct Abs {
    template <typename T>
    static T apply(T x) {
        if constexpr (std::is_unsigned_v<T>)
            return x;
        else if constexpr (std::is_integral_v<T>)
            return x < 0 ? static_cast<T>(std::make_unsigned_t<T>{0} - static_cast<std::make_unsigned_t<T>>(x)) : x;
        else
            return std::abs(x);
    }
};
struct Neg {
    template <typename T>
    static T apply(T x) {
        if constexpr (std::is_integral_v<T>)
            return static_cast<T>(std::make_unsigned_t<T>{0} - static_cast<std::make_unsigned_t<T>>(x));
        else
            return -x;
    }
};
struct Sign {
    template <typename T>
    static T apply(T x) {
        if constexpr (std::is_floating_point_v<T>) {
            if (std::isnan(x)) return x;
        }
        return static_cast<T>((x > T{0}) - (x < T{0}));
    }
};
// max(NaN, 0) is 0 in C++; PyTorch's relu keeps NaN.
struct Relu {
    template <typename T>
    static T apply(T x) {
        return x < T{0} ? T{0} : x;
    }
};
struct BitwiseNot {
    template <typename T>
    static T apply(T x) {
        return static_cast<T>(~x);
    }
};

template <typename Op>
void run_float(const Node&, Inputs inputs, Outputs outputs) {
    visit_float(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const auto in = inputs[0].as<T>();
        const auto out = outputs[0].as<T>();
        for (std::size_t i = 0; i < in.size(); ++i)
            out[i] = Op::apply(in[i]);
    });
}

template <typename Op>
void run_wide(const Node&, Inputs inputs, Outputs outputs) {
    visit_wide(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const auto in = inputs[0].as<T>();
        const auto out = outputs[0].as<T>();
        for (std::size_t i = 0; i < in.size(); ++i)
            out[i] = Op::apply(in[i]);
    });
}

template <typename Op>
void run_arithmetic(const Node& node, Inputs inputs, Outputs outputs) {
    run_widened(node, inputs, outputs, run_wide<Op>);
}

void run_bitwise_not(const Node&, Inputs inputs, Outputs outputs) {
    visit_size(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const std::int64_t count = inputs[0].count();
        for (std::int64_t i = 0; i < count; ++i)
            raw<T>(outputs[0])[i] = BitwiseNot::apply(raw<T>(inputs[0])[i]);
    });
}

void run_not(const Node&, Inputs inputs, Outputs outputs) {
    const auto in = inputs[0].as<bool>();
    const auto out = outputs[0].as<bool>();
    for (std::size_t i = 0; i < in.size(); ++i)
        out[i] = !in[i];
}

void run_is_nan(const Node&, Inputs inputs, Outputs outputs) {
    visit_float(inputs[0].dtype, [&](auto tag) {
        const auto in = inputs[0].as<typename decltype(tag)::type>();
        const auto out = outputs[0].as<bool>();
        for (std::size_t i = 0; i < in.size(); ++i)
            out[i] = std::isnan(in[i]);
    });
}

void run_is_inf(const Node& node, Inputs inputs, Outputs outputs) {
    const bool positive = node.attributes.get_int("detect_positive", 1) != 0;
    const bool negative = node.attributes.get_int("detect_negative", 1) != 0;
    visit_float(inputs[0].dtype, [&](auto tag) {
        const auto in = inputs[0].as<typename decltype(tag)::type>();
        const auto out = outputs[0].as<bool>();
        for (std::size_t i = 0; i < in.size(); ++i)
            out[i] = std::isinf(in[i]) && (in[i] > 0 ? positive : negative);
    });
}

Types same_bool(const InferenceContext& context) {
    require(context.input(0).dtype == DType::boolean, "input 0 has element type {}, expected bool",
            name_of(context.input(0).dtype));
    return same_as_first(context);
}

Types float_to_bool(const InferenceContext& context) {
    require_float(context);
    return {{DType::boolean, context.input(0).shape}};
}

Types same_integer(const InferenceContext& context) {
    require(is_integer(context.input(0).dtype), "input 0 has element type {}, expected an integer type",
            name_of(context.input(0).dtype));
    return same_as_first(context);
}

template <typename Op>
OperatorInfo floating(std::string_view name, std::int64_t min_opset = 1) {
    return {.name = name, .domain = "", .min_opset = min_opset, .infer = same_float, .run = run_float<Op>};
}

template <typename Op>
OperatorInfo arithmetic(std::string_view name) {
    return {.name = name, .domain = "", .infer = same_as_first, .run = run_arithmetic<Op>};
}

}  // namespace

Family unary_operators() {
    return {
        floating<Acos>("Acos"),
        floating<Acosh>("Acosh"),
        floating<Asin>("Asin"),
        floating<Asinh>("Asinh"),
        floating<Atan>("Atan"),
        floating<Atanh>("Atanh"),
        floating<Ceil>("Ceil"),
        floating<Cos>("Cos"),
        floating<Cosh>("Cosh"),
        floating<Erf>("Erf"),
        floating<Exp>("Exp"),
        floating<Floor>("Floor"),
        floating<Log>("Log"),
        floating<Reciprocal>("Reciprocal"),
        floating<Round>("Round"),
        floating<Sin>("Sin"),
        floating<Sinh>("Sinh"),
        floating<Softsign>("Softsign"),
        floating<Sqrt>("Sqrt"),
        floating<Tan>("Tan"),
        floating<Tanh>("Tanh"),
        arithmetic<Abs>("Abs"),
        arithmetic<Neg>("Neg"),
        arithmetic<Relu>("Relu"),
        arithmetic<Sign>("Sign"),
        {.name = "BitwiseNot", .domain = "", .min_opset = 18, .infer = same_integer, .run = run_bitwise_not},
        {.name = "IsInf", .domain = "", .min_opset = 10, .infer = float_to_bool, .run = run_is_inf},
        {.name = "IsNaN", .domain = "", .min_opset = 9, .infer = float_to_bool, .run = run_is_nan},
        {.name = "Not", .domain = "", .infer = same_bool, .run = run_not},
    };
}

}  // namespace lossmap::ops
