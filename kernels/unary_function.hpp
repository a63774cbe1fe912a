#pragma once

#include <cmath>
#include <cstdint>

#include "core/host_device.hpp"

namespace lossmap::kernels {

/// Functions of one element; the ONNX operators' names. `alpha` and `beta` are the operator's attributes in the order
/// of its documentation.
enum class UnaryOp : std::uint8_t {
    identity,
    abs,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    ceil,
    celu,  ///< alpha
    clip,  ///< alpha: min, beta: max (infinities where absent)
    cos,
    cosh,
    elu,  ///< alpha
    erf,
    exp,
    floor,
    gelu,
    gelu_tanh,
    hard_sigmoid,  ///< alpha, beta
    hard_swish,
    leaky_relu,  ///< alpha
    log,
    mish,
    neg,
    reciprocal,
    relu,
    round,   ///< half to even
    selu,    ///< alpha, beta: gamma
    shrink,  ///< alpha: bias, beta: lambd
    sigmoid,
    sign,
    sin,
    sinh,
    softplus,
    softsign,
    sqrt,
    swish,  ///< alpha
    tan,
    tanh,
    thresholded_relu,  ///< alpha
    scaled_tanh,       ///< alpha * tanh(beta * x); activation of recurrent cells
    affine,            ///< alpha * x + beta
    // Results of type bool:
    logical_not,
    is_nan,
    is_inf,  ///< alpha != 0: +inf counts, beta != 0: -inf counts
    // Integers only:
    bitwise_not,
};
inline constexpr int kUnaryOpCount = static_cast<int>(UnaryOp::bitwise_not) + 1;

struct UnaryFunction {
    UnaryOp op = UnaryOp::identity;
    float alpha = 0.0F;
    float beta = 0.0F;
};

LOSSMAP_HD inline float sigmoid(float x) { return 1.0F / (1.0F + std::exp(-x)); }
LOSSMAP_HD inline float softplus(float x) { return x > 0.0F ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
/// x tanh(log(1 + e^x)) without tanh and log: with n = e^x (e^x + 2), tanh is n / (n + 2). From 20 on that is 1.
LOSSMAP_HD inline float mish(float x) {
    if (x > 20.0F) return x;
    const float e = std::exp(x);
    const float n = e * (e + 2.0F);
    return x * (n / (n + 2.0F));
}
LOSSMAP_HD inline float clamp_unit(float x) { return x < 0.0F ? 0.0F : x > 1.0F ? 1.0F : x; }

/// Trigonometric and hyperbolic functions; apart from the others because they need more registers.
LOSSMAP_HD inline float apply_trigonometric(UnaryOp op, float x) {
    switch (op) {
        case UnaryOp::acos: return std::acos(x);
        case UnaryOp::acosh: return std::acosh(x);
        case UnaryOp::asin: return std::asin(x);
        case UnaryOp::asinh: return std::asinh(x);
        case UnaryOp::atan: return std::atan(x);
        case UnaryOp::atanh: return std::atanh(x);
        case UnaryOp::cos: return std::cos(x);
        case UnaryOp::cosh: return std::cosh(x);
        case UnaryOp::sin: return std::sin(x);
        case UnaryOp::sinh: return std::sinh(x);
        default: return std::tan(x);
    }
}

/// Activations with an exponential in them.
LOSSMAP_HD inline float apply_exponential(const UnaryFunction& function, float x) {
    constexpr float kRootTwoOverPi = 0.7978845608028654F;
    constexpr float kHalfRoot = 0.7071067811865476F;
    const float alpha = function.alpha;
    switch (function.op) {
        case UnaryOp::celu: return x < 0.0F ? alpha * std::expm1(x / alpha) : x;
        case UnaryOp::elu: return x < 0.0F ? alpha * std::expm1(x) : x;
        case UnaryOp::selu: return function.beta * (x < 0.0F ? alpha * std::expm1(x) : x);
        case UnaryOp::gelu: return 0.5F * x * (1.0F + std::erf(x * kHalfRoot));
        case UnaryOp::gelu_tanh: return 0.5F * x * (1.0F + std::tanh(kRootTwoOverPi * (x + 0.044715F * x * x * x)));
        case UnaryOp::mish: return mish(x);
        case UnaryOp::sigmoid: return sigmoid(x);
        case UnaryOp::softplus: return softplus(x);
        case UnaryOp::swish: return x * sigmoid(alpha * x);
        case UnaryOp::scaled_tanh: return alpha * std::tanh(function.beta * x);
        default: return std::tanh(x);
    }
}

/// f(x) for everything but trigonometric and hyperbolic functions. Comparisons are written so that NaN falls through to
/// an expression of x and stays NaN.
LOSSMAP_HD inline float apply_activation(const UnaryFunction& function, float x) {
    const float alpha = function.alpha;
    const float beta = function.beta;
    switch (function.op) {
        case UnaryOp::identity: return x;
        case UnaryOp::relu: return x < 0.0F ? 0.0F : x;
        case UnaryOp::clip: {
            const float raised = x < alpha ? alpha : x;
            return raised > beta ? beta : raised;
        }
        case UnaryOp::abs: return std::fabs(x);
        case UnaryOp::affine: return alpha * x + beta;
        case UnaryOp::ceil: return std::ceil(x);
        case UnaryOp::erf: return std::erf(x);
        case UnaryOp::exp: return std::exp(x);
        case UnaryOp::floor: return std::floor(x);
        case UnaryOp::hard_sigmoid: return clamp_unit(alpha * x + beta);
        case UnaryOp::hard_swish: return x * clamp_unit(x / 6.0F + 0.5F);
        case UnaryOp::leaky_relu: return x < 0.0F ? alpha * x : x;
        case UnaryOp::log: return std::log(x);
        case UnaryOp::neg: return -x;
        case UnaryOp::reciprocal: return 1.0F / x;
        case UnaryOp::round: return std::nearbyint(x);
        case UnaryOp::shrink:
            if (x < -beta) return x + alpha;
            if (x > beta) return x - alpha;
            return x != x ? x : 0.0F;
        case UnaryOp::sign: return x != x ? x : static_cast<float>((x > 0.0F) - (x < 0.0F));
        case UnaryOp::softsign: return x / (1.0F + std::fabs(x));
        case UnaryOp::sqrt: return std::sqrt(x);
        case UnaryOp::thresholded_relu: return x <= alpha ? 0.0F : x;
        case UnaryOp::logical_not: return x == 0.0F ? 1.0F : 0.0F;
        case UnaryOp::is_nan: return x != x ? 1.0F : 0.0F;
        case UnaryOp::is_inf: {
            constexpr float kLargest = 3.4028234663852886e+38F;
            return (x > kLargest && alpha != 0.0F) || (x < -kLargest && beta != 0.0F) ? 1.0F : 0.0F;
        }
        default: return apply_exponential(function, x);
    }
}

LOSSMAP_HD inline bool is_trigonometric(UnaryOp op) {
    switch (op) {
        case UnaryOp::acos:
        case UnaryOp::acosh:
        case UnaryOp::asin:
        case UnaryOp::asinh:
        case UnaryOp::atan:
        case UnaryOp::atanh:
        case UnaryOp::cos:
        case UnaryOp::cosh:
        case UnaryOp::sin:
        case UnaryOp::sinh:
        case UnaryOp::tan: return true;
        default: return false;
    }
}

/// f(x).
LOSSMAP_HD inline float apply(const UnaryFunction& function, float x) {
    return is_trigonometric(function.op) ? apply_trigonometric(function.op, x) : apply_activation(function, x);
}

/// f(x) for the functions that integers have; they wrap in two's complement.
LOSSMAP_HD inline std::int64_t apply(const UnaryFunction& function, std::int64_t x) {
    switch (function.op) {
        case UnaryOp::abs:
            return x < 0 ? static_cast<std::int64_t>(std::uint64_t{0} - static_cast<std::uint64_t>(x)) : x;
        case UnaryOp::neg: return static_cast<std::int64_t>(std::uint64_t{0} - static_cast<std::uint64_t>(x));
        case UnaryOp::relu: return x < 0 ? 0 : x;
        case UnaryOp::sign: return (x > 0) - (x < 0);
        case UnaryOp::logical_not: return x == 0 ? 1 : 0;
        case UnaryOp::bitwise_not: return ~x;
        default: return x;
    }
}

/// Whether `apply` has the function for integers.
inline bool takes_integers(UnaryOp op) {
    return op == UnaryOp::identity || op == UnaryOp::abs || op == UnaryOp::neg || op == UnaryOp::relu ||
           op == UnaryOp::sign || op == UnaryOp::logical_not || op == UnaryOp::bitwise_not;
}

template <UnaryOp kOp>
struct UnaryTag {
    static constexpr UnaryOp value = kOp;
};

/// Whether packed kernels have the function: those that networks are full of.
inline bool has_packed(UnaryOp op) {
    switch (op) {
        case UnaryOp::identity:
        case UnaryOp::relu:
        case UnaryOp::clip:
        case UnaryOp::leaky_relu:
        case UnaryOp::hard_sigmoid:
        case UnaryOp::hard_swish:
        case UnaryOp::sigmoid:
        case UnaryOp::swish:
        case UnaryOp::gelu:
        case UnaryOp::tanh:
        case UnaryOp::elu:
        case UnaryOp::selu:
        case UnaryOp::mish: return true;
        default: return false;
    }
}

/// Calls run(op) with the function known at compile time, so that the loop over a pack has no switch in it.
template <typename Run>
LOSSMAP_HD inline void with_packed_op(UnaryOp op, const Run& run) {
    switch (op) {
        case UnaryOp::relu: return run(UnaryTag<UnaryOp::relu>{});
        case UnaryOp::clip: return run(UnaryTag<UnaryOp::clip>{});
        case UnaryOp::leaky_relu: return run(UnaryTag<UnaryOp::leaky_relu>{});
        case UnaryOp::hard_sigmoid: return run(UnaryTag<UnaryOp::hard_sigmoid>{});
        case UnaryOp::hard_swish: return run(UnaryTag<UnaryOp::hard_swish>{});
        case UnaryOp::sigmoid: return run(UnaryTag<UnaryOp::sigmoid>{});
        case UnaryOp::swish: return run(UnaryTag<UnaryOp::swish>{});
        case UnaryOp::gelu: return run(UnaryTag<UnaryOp::gelu>{});
        case UnaryOp::tanh: return run(UnaryTag<UnaryOp::tanh>{});
        case UnaryOp::elu: return run(UnaryTag<UnaryOp::elu>{});
        case UnaryOp::selu: return run(UnaryTag<UnaryOp::selu>{});
        case UnaryOp::mish: return run(UnaryTag<UnaryOp::mish>{});
        default: return run(UnaryTag<UnaryOp::identity>{});
    }
}

/// f of every element of a pack; the function is one of has_packed().
template <int N>
LOSSMAP_HD inline void apply_to_pack(const UnaryFunction& function, float (&values)[N]) {
    with_packed_op(function.op, [&](auto tag) {
        const UnaryFunction known{decltype(tag)::value, function.alpha, function.beta};
        LOSSMAP_UNROLL
        for (int k = 0; k < N; ++k)
            values[k] = apply_activation(known, values[k]);
    });
}

}  // namespace lossmap::kernels
