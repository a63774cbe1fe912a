#include <cmath>
#include <limits>
#include <type_traits>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

// An activation is a function object built from the node's attributes; comparisons are written so that NaN falls
// through to an expression of x and stays NaN.
struct LeakyRelu {
    double alpha;
    explicit LeakyRelu(const Node& node) : alpha(node.attributes.get_float("alpha", 0.01)) {}
    template <typename T>
    T operator()(T x) const {
        return x < T{0} ? static_cast<T>(alpha) * x : x;
    }
};
struct Elu {
    double alpha;
    explicit Elu(const Node& node) : alpha(node.attributes.get_float("alpha", 1.0)) {}
    template <typename T>
    T operator()(T x) const {
        return x < T{0} ? static_cast<T>(alpha) * std::expm1(x) : x;
    }
};
struct Celu {
    double alpha;
    explicit Celu(const Node& node) : alpha(node.attributes.get_float("alpha", 1.0)) {}
    template <typename T>
    T operator()(T x) const {
        return x < T{0} ? static_cast<T>(alpha) * std::expm1(x / static_cast<T>(alpha)) : x;
    }
};
struct Selu {
    double alpha;
    double gamma;
    explicit Selu(const Node& node)
        : alpha(node.attributes.get_float("alpha", 1.67326319217681884765625)),
          gamma(node.attributes.get_float("gamma", 1.05070102214813232421875)) {}
    template <typename T>
    T operator()(T x) const {
        return static_cast<T>(gamma) * (x < T{0} ? static_cast<T>(alpha) * std::expm1(x) : x);
    }
};
struct Gelu {
    bool tanh_form;
    explicit Gelu(const Node& node) : tanh_form(node.attributes.get_string("approximate", "none") == "tanh") {}
    template <typename T>
    T operator()(T x) const {
        if (tanh_form) {
            constexpr T kRootTwoOverPi = static_cast<T>(0.7978845608028654);
            return T{0.5} * x * (T{1} + std::tanh(kRootTwoOverPi * (x + static_cast<T>(0.044715) * x * x * x)));
        }
        constexpr T kHalfRoot = static_cast<T>(0.7071067811865476);
        return T{0.5} * x * (T{1} + std::erf(x * kHalfRoot));
    }
};
template <typename T>
T sigmoid(T x) {
    return T{1} / (T{1} + std::exp(-x));
}
template <typename T>
T softplus(T x) {
    return x > T{0} ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}
struct Sigmoid {
    explicit Sigmoid(const Node&) {}
    template <typename T>
    T operator()(T x) const {
        return sigmoid(x);
    }
};
struct Softplus {
    explicit Softplus(const Node&) {}
    template <typename T>
    T operator()(T x) const {
        return softplus(x);
    }
};
struct Mish {
    explicit Mish(const Node&) {}
    template <typename T>
    T operator()(T x) const {
        return x * std::tanh(softplus(x));
    }
};
struct Swish {
    double alpha;
    explicit Swish(const Node& node) : alpha(node.attributes.get_float("alpha", 1.0)) {}
    template <typename T>
    T operator()(T x) const {
        return x * sigmoid(static_cast<T>(alpha) * x);
    }
};
template <typename T>
T clamp_unit(T x) {
    return x < T{0} ? T{0} : x > T{1} ? T{1} : x;
}
struct HardSigmoid {
    double alpha;
    double beta;
    explicit HardSigmoid(const Node& node)
        : alpha(node.attributes.get_float("alpha", 0.2)), beta(node.attributes.get_float("beta", 0.5)) {}
    template <typename T>
    T operator()(T x) const {
        return clamp_unit(static_cast<T>(alpha) * x + static_cast<T>(beta));
    }
};
struct HardSwish {
    explicit HardSwish(const Node&) {}
    template <typename T>
    T operator()(T x) const {
        return x * clamp_unit(x / T{6} + T{0.5});
    }
};
struct ThresholdedRelu {
    double alpha;
    explicit ThresholdedRelu(const Node& node) : alpha(node.attributes.get_float("alpha", 1.0)) {}
    template <typename T>
    T operator()(T x) const {
        return x <= static_cast<T>(alpha) ? T{0} : x;
    }
};
struct Shrink {
    double lambda;
    double bias;
    explicit Shrink(const Node& node)
        : lambda(node.attributes.get_float("lambd", 0.5)), bias(node.attributes.get_float("bias", 0.0)) {}
    template <typename T>
    T operator()(T x) const {
        if (x < static_cast<T>(-lambda)) return x + static_cast<T>(bias);
        if (x > static_cast<T>(lambda)) return x - static_cast<T>(bias);
        return std::isnan(x) ? x : T{0};
    }
};

template <typename Op>
void run_activation(const Node& node, Inputs inputs, Outputs outputs) {
    const Op op(node);
    visit_float(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const auto in = inputs[0].as<T>();
        const auto out = outputs[0].as<T>();
        for (std::size_t i = 0; i < in.size(); ++i)
            out[i] = op(in[i]);
    });
}

template <typename Op>
OperatorInfo activation(std::string_view name, std::int64_t min_opset = 1) {
    return {.name = name, .domain = "", .min_opset = min_opset, .infer = same_float, .run = run_activation<Op>};
}

std::string check_gelu(const Node& node) {
    const std::string form = node.attributes.get_string("approximate", "none");
    return form == "none" || form == "tanh"
               ? ""
               : fmt::format("attribute 'approximate' is '{}', expected none or tanh", form);
}

Types infer_clip(const InferenceContext& context) {
    if (context.node.opset >= 11) require_same_dtype(context, context.inputs.size());
    for (std::size_t index = 1; index < context.inputs.size(); ++index) {
        if (!context.node.has_input(index)) continue;
        require(element_count(context.input(index).shape) == 1, "bound {} has shape {}, expected a scalar", index,
                to_string(context.input(index).shape));
    }
    return same_as_first(context);
}

template <typename T>
T clip_bound(const Node& node, Inputs inputs, std::size_t index, const char* attribute, T fallback) {
    if (node.has_input(index)) return *raw<T>(inputs[index]);
    if constexpr (std::is_floating_point_v<T>) {
        return static_cast<T>(node.attributes.get_float(attribute, static_cast<double>(fallback)));
    }
    return fallback;
}

/// Bounds are attributes below opset 11. With min > max every element becomes max, as in PyTorch.
void run_clip(const Node& node, Inputs inputs, Outputs outputs) {
    visit_any(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        using Limits = std::numeric_limits<T>;
        const T lowest = Limits::has_infinity ? static_cast<T>(-Limits::infinity()) : Limits::lowest();
        const T highest = Limits::has_infinity ? Limits::infinity() : Limits::max();
        const T low = clip_bound<T>(node, inputs, 1, "min", lowest);
        const T high = clip_bound<T>(node, inputs, 2, "max", highest);
        const auto in = inputs[0].as<T>();
        const auto out = outputs[0].as<T>();
        for (std::size_t i = 0; i < in.size(); ++i) {
            const T raised = in[i] < low ? low : in[i];
            out[i] = raised > high ? high : raised;
        }
    });
}

}  // namespace

Family activation_operators() {
    Family family = {
        activation<Celu>("Celu", 12),
        activation<Elu>("Elu"),
        activation<HardSigmoid>("HardSigmoid"),
        activation<HardSwish>("HardSwish", 14),
        activation<LeakyRelu>("LeakyRelu"),
        activation<Mish>("Mish", 18),
        activation<Selu>("Selu"),
        activation<Shrink>("Shrink", 9),
        activation<Sigmoid>("Sigmoid"),
        activation<Softplus>("Softplus"),
        activation<Swish>("Swish", 24),
        activation<ThresholdedRelu>("ThresholdedRelu", 10),
        {.name = "Clip", .domain = "", .max_inputs = 3, .infer = infer_clip, .run = run_clip},
    };
    OperatorInfo gelu = activation<Gelu>("Gelu", 20);
    gelu.check = check_gelu;
    family.push_back(gelu);
    return family;
}

}  // namespace lossmap::ops
