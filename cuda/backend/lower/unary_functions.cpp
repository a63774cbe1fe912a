#include "cuda/backend/lower/unary_functions.hpp"

#include <limits>
#include <map>
#include <string_view>

namespace lossmap::cuda {
namespace {

using kernels::UnaryFunction;
using kernels::UnaryOp;

/// An operator's function, with the names and defaults of the attributes that become alpha and beta.
struct Row {
    UnaryOp op = UnaryOp::identity;
    const char* alpha = nullptr;
    double alpha_default = 0.0;
    const char* beta = nullptr;
    double beta_default = 0.0;
};

const std::map<std::string_view, Row>& rows() {
    static const std::map<std::string_view, Row> kRows{
        {"Abs", {UnaryOp::abs}},
        {"Acos", {UnaryOp::acos}},
        {"Acosh", {UnaryOp::acosh}},
        {"Asin", {UnaryOp::asin}},
        {"Asinh", {UnaryOp::asinh}},
        {"Atan", {UnaryOp::atan}},
        {"Atanh", {UnaryOp::atanh}},
        {"BitwiseNot", {UnaryOp::bitwise_not}},
        {"Ceil", {UnaryOp::ceil}},
        {"Celu", {UnaryOp::celu, "alpha", 1.0}},
        {"Cos", {UnaryOp::cos}},
        {"Cosh", {UnaryOp::cosh}},
        {"Elu", {UnaryOp::elu, "alpha", 1.0}},
        {"Erf", {UnaryOp::erf}},
        {"Exp", {UnaryOp::exp}},
        {"Floor", {UnaryOp::floor}},
        {"HardSigmoid", {UnaryOp::hard_sigmoid, "alpha", 0.2, "beta", 0.5}},
        {"HardSwish", {UnaryOp::hard_swish}},
        {"IsInf", {UnaryOp::is_inf, "detect_positive", 1.0, "detect_negative", 1.0}},
        {"IsNaN", {UnaryOp::is_nan}},
        {"LeakyRelu", {UnaryOp::leaky_relu, "alpha", 0.01}},
        {"Log", {UnaryOp::log}},
        {"Mish", {UnaryOp::mish}},
        {"Neg", {UnaryOp::neg}},
        {"Not", {UnaryOp::logical_not}},
        {"Reciprocal", {UnaryOp::reciprocal}},
        {"Relu", {UnaryOp::relu}},
        {"Round", {UnaryOp::round}},
        {"Selu", {UnaryOp::selu, "alpha", 1.67326319217681884765625, "gamma", 1.05070102214813232421875}},
        {"Shrink", {UnaryOp::shrink, "bias", 0.0, "lambd", 0.5}},
        {"Sigmoid", {UnaryOp::sigmoid}},
        {"Sign", {UnaryOp::sign}},
        {"Sin", {UnaryOp::sin}},
        {"Sinh", {UnaryOp::sinh}},
        {"Softplus", {UnaryOp::softplus}},
        {"Softsign", {UnaryOp::softsign}},
        {"Sqrt", {UnaryOp::sqrt}},
        {"Swish", {UnaryOp::swish, "alpha", 1.0}},
        {"Tan", {UnaryOp::tan}},
        {"Tanh", {UnaryOp::tanh}},
        {"ThresholdedRelu", {UnaryOp::thresholded_relu, "alpha", 1.0}},
    };
    return kRows;
}

double attribute(const Node& node, const char* name, double fallback) {
    if (name == nullptr) return fallback;
    // IsInf's switches are integers.
    if (node.op_type == "IsInf") return static_cast<double>(node.attributes.get_int(name, 1));
    return node.attributes.get_float(name, fallback);
}

std::optional<UnaryFunction> clip_function(const Graph& graph, const Node& node) {
    UnaryFunction function{UnaryOp::clip, -std::numeric_limits<float>::infinity(),
                           std::numeric_limits<float>::infinity()};
    const auto bound = [&](std::size_t index, const char* name, float& value) {
        if (!node.has_input(index)) {
            value = static_cast<float>(node.attributes.get_float(name, static_cast<double>(value)));
            return true;
        }
        const Value& given = graph.value(node.inputs[index]);
        if (given.kind != ValueKind::constant || !given.data || given.dtype != DType::f32) return false;
        value = given.data->as<float>()[0];
        return true;
    };
    if (!bound(1, "min", function.alpha) || !bound(2, "max", function.beta)) return {};
    return function;
}

}  // namespace

std::optional<UnaryFunction> unary_function(const Graph& graph, const Node& node) {
    if (!node.domain.empty()) return {};
    if (node.op_type == "Clip") return clip_function(graph, node);
    if (node.op_type == "Gelu") {
        const bool tanh_form = node.attributes.get_string("approximate", "none") == "tanh";
        return UnaryFunction{tanh_form ? UnaryOp::gelu_tanh : UnaryOp::gelu, 0.0F, 0.0F};
    }
    const auto found = rows().find(node.op_type);
    if (found == rows().end()) return {};
    const Row& row = found->second;
    return UnaryFunction{row.op, static_cast<float>(attribute(node, row.alpha, row.alpha_default)),
                         static_cast<float>(attribute(node, row.beta, row.beta_default))};
}

std::optional<UnaryFunction> recurrent_activation(const std::string& name, double alpha, double beta) {
    static const std::map<std::string_view, UnaryOp> kNames{
        {"sigmoid", UnaryOp::sigmoid},
        {"tanh", UnaryOp::tanh},
        {"relu", UnaryOp::relu},
        {"affine", UnaryOp::affine},
        {"leakyrelu", UnaryOp::leaky_relu},
        {"thresholdedrelu", UnaryOp::thresholded_relu},
        {"scaledtanh", UnaryOp::scaled_tanh},
        {"hardsigmoid", UnaryOp::hard_sigmoid},
        {"elu", UnaryOp::elu},
        {"softsign", UnaryOp::softsign},
        {"softplus", UnaryOp::softplus},
    };
    const auto found = kNames.find(name);
    if (found == kNames.end()) return {};
    return UnaryFunction{found->second, static_cast<float>(alpha), static_cast<float>(beta)};
}

}  // namespace lossmap::cuda
