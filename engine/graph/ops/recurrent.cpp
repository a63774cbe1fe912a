#include <algorithm>
#include <cmath>
#include <cstring>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"
#include "graph/ops/recurrent_activation.hpp"

namespace lossmap::ops {
namespace {

std::string lower(std::string text) {
    for (char& c : text)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
}

/// Parameters that an activation has by default; nullopt for an unknown name.
std::optional<std::pair<double, double>> default_parameters(const std::string& name) {
    if (name == "affine") return std::pair(1.0, 0.0);
    if (name == "leakyrelu") return std::pair(0.01, 0.0);
    if (name == "thresholdedrelu" || name == "elu") return std::pair(1.0, 0.0);
    if (name == "scaledtanh") return std::pair(1.0, 1.0);
    if (name == "hardsigmoid") return std::pair(0.2, 0.5);
    for (const char* plain : {"sigmoid", "tanh", "relu", "softsign", "softplus"}) {
        if (name == plain) return std::pair(0.0, 0.0);
    }
    return std::nullopt;
}

}  // namespace

double RecurrentActivation::operator()(double x) const {
    if (name == "sigmoid") return 1.0 / (1.0 + std::exp(-x));
    if (name == "tanh") return std::tanh(x);
    if (name == "relu") return x < 0 ? 0.0 : x;
    if (name == "affine") return alpha * x + beta;
    if (name == "leakyrelu") return x < 0 ? alpha * x : x;
    if (name == "thresholdedrelu") return x < alpha ? 0.0 : x;
    if (name == "scaledtanh") return alpha * std::tanh(beta * x);
    if (name == "hardsigmoid") return std::min(1.0, std::max(0.0, alpha * x + beta));
    if (name == "elu") return x < 0 ? alpha * std::expm1(x) : x;
    if (name == "softsign") return x / (1.0 + std::abs(x));
    return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));  // softplus
}

std::vector<RecurrentActivation> recurrent_activations(const Node& node, std::int64_t directions) {
    std::vector<std::string> names = node.attributes.get_strings("activations");
    const std::vector<std::string> defaults = node.op_type == "LSTM"
                                                  ? std::vector<std::string>{"Sigmoid", "Tanh", "Tanh"}
                                              : node.op_type == "GRU" ? std::vector<std::string>{"Sigmoid", "Tanh"}
                                                                      : std::vector<std::string>{"Tanh"};
    for (std::int64_t d = 0; names.size() < defaults.size() * static_cast<std::size_t>(directions) && d < directions;
         ++d) {
        names.insert(names.end(), defaults.begin(), defaults.end());
    }
    // The parameter lists hold entries only for the activations that take one, in order.
    const std::vector<double> alphas = node.attributes.get_floats("activation_alpha", {});
    const std::vector<double> betas = node.attributes.get_floats("activation_beta", {});
    std::size_t alpha = 0, beta = 0;
    std::vector<RecurrentActivation> result;
    for (const std::string& stated : names) {
        const std::string name = lower(stated);
        const auto parameters = default_parameters(name);
        require(parameters.has_value(), "activation '{}' is not known", stated);
        RecurrentActivation a{name, parameters->first, parameters->second};
        const bool has_beta = name == "affine" || name == "scaledtanh" || name == "hardsigmoid";
        if ((has_beta || a.alpha != 0) && alpha < alphas.size()) a.alpha = alphas[alpha++];
        if (has_beta && beta < betas.size()) a.beta = betas[beta++];
        result.push_back(a);
    }
    return result;
}

namespace {

std::int64_t gates_of(const Node& node) { return node.op_type == "LSTM" ? 4 : node.op_type == "GRU" ? 3 : 1; }

bool batch_first(const Node& node) { return node.attributes.get_int("layout", 0) != 0; }

/// Extents of a recurrent layer. Inputs: X, W [D, G*H, I], R [D, G*H, H], B [D, 2*G*H], sequence_lens [N], initial_h,
/// (LSTM) initial_c [D, N, H] and peepholes P [D, 3*H]. With layout 1 the batch comes first in X, Y and the states.
struct RecurrentShape {
    std::int64_t steps, batch, features, hidden, gates, directions;
};

RecurrentShape recurrent_shape(const Node& node, const Shape& x, const Shape& w, const Shape& r) {
    require(x.size() == 3 && w.size() == 3 && r.size() == 3,
            "inputs have shapes {}, {} and {}, expected 3 dimensions each", to_string(x), to_string(w), to_string(r));
    const bool first = batch_first(node);
    const RecurrentShape s{x[first ? 1 : 0], x[first ? 0 : 1], x[2], r[2], gates_of(node), w[0]};
    const std::string direction = node.attributes.get_string("direction", "forward");
    require(s.directions == (direction == "bidirectional" ? 2 : 1), "direction '{}' does not fit weights of shape {}",
            direction, to_string(w));
    require(w[2] == s.features, "input has {} features, weight expects {}", s.features, w[2]);
    require(w[1] == s.gates * s.hidden && r[0] == w[0] && r[1] == w[1], "weights of shapes {} and {} do not fit",
            to_string(w), to_string(r));
    require(node.attributes.get_int("hidden_size", s.hidden) == s.hidden, "hidden_size is not {}", s.hidden);
    return s;
}

Types infer_recurrent(const InferenceContext& context) {
    require_float(context);
    const Node& node = context.node;
    const RecurrentShape s =
        recurrent_shape(node, context.input(0).shape, context.input(1).shape, context.input(2).shape);
    const bool first = batch_first(node);
    const Shape state = first ? Shape{s.batch, s.directions, s.hidden} : Shape{s.directions, s.batch, s.hidden};
    const auto check = [&](std::size_t index, const Shape& expected) {
        if (!node.has_input(index)) return;
        require(context.input(index).shape == expected, "input {} has shape {}, expected {}", index,
                to_string(context.input(index).shape), to_string(expected));
    };
    check(3, {s.directions, 2 * s.gates * s.hidden});
    check(4, {s.batch});
    check(5, state);
    check(6, state);
    check(7, {s.directions, 3 * s.hidden});
    const Shape all =
        first ? Shape{s.batch, s.steps, s.directions, s.hidden} : Shape{s.steps, s.directions, s.batch, s.hidden};
    const DType dtype = context.input(0).dtype;
    Types types{{dtype, all}, {dtype, state}};
    if (node.op_type == "LSTM") types.push_back({dtype, state});
    return types;
}

std::string check_recurrent(const Node& node) {
    for (const std::string& name : node.attributes.get_strings("activations")) {
        if (!default_parameters(lower(name))) return fmt::format("activation '{}' is not supported", name);
    }
    return "";
}

/// One direction of one layer: weights as pointers, the state of one sample in fp64.
template <typename T>
struct Cell {
    const RecurrentShape& s;
    const T *w, *r, *bias, *peephole;  ///< bias and peephole may be null
    const RecurrentActivation* act;
    double clip;  ///< 0: none
    bool linear_before_reset, input_forget;

    [[nodiscard]] double clipped(double x) const { return clip > 0 ? std::clamp(x, -clip, clip) : x; }
    [[nodiscard]] double input_bias(std::int64_t row) const {
        return bias == nullptr ? 0.0 : static_cast<double>(bias[row]);
    }
    [[nodiscard]] double state_bias(std::int64_t row) const {
        return bias == nullptr ? 0.0 : static_cast<double>(bias[s.gates * s.hidden + row]);
    }
    [[nodiscard]] double from_input(std::int64_t row, const T* x) const {
        double sum = input_bias(row);
        for (std::int64_t i = 0; i < s.features; ++i)
            sum += static_cast<double>(w[row * s.features + i]) * static_cast<double>(x[i]);
        return sum;
    }
    [[nodiscard]] double from_state(std::int64_t row, const std::vector<double>& h) const {
        double sum = 0;
        for (std::int64_t i = 0; i < s.hidden; ++i)
            sum += static_cast<double>(r[row * s.hidden + i]) * h[static_cast<std::size_t>(i)];
        return sum;
    }
    [[nodiscard]] double gate(std::int64_t row, const T* x, const std::vector<double>& h) const {
        return from_input(row, x) + from_state(row, h) + state_bias(row);
    }
    [[nodiscard]] double peep(std::int64_t row, double c) const {
        return peephole == nullptr ? 0.0 : static_cast<double>(peephole[row]) * c;
    }

    void rnn_step(const T* x, std::vector<double>& h) const {
        std::vector<double> next(h.size());
        for (std::int64_t k = 0; k < s.hidden; ++k)
            next[static_cast<std::size_t>(k)] = act[0](clipped(gate(k, x, h)));
        h = next;
    }

    void gru_step(const T* x, std::vector<double>& h) const {
        const auto hidden = static_cast<std::size_t>(s.hidden);
        std::vector<double> update(hidden), reset(hidden), scaled(hidden), next(hidden);
        for (std::size_t k = 0; k < hidden; ++k) {
            const auto row = static_cast<std::int64_t>(k);
            update[k] = act[0](clipped(gate(row, x, h)));
            reset[k] = act[0](clipped(gate(s.hidden + row, x, h)));
            scaled[k] = reset[k] * h[k];
        }
        for (std::size_t k = 0; k < hidden; ++k) {
            const std::int64_t row = 2 * s.hidden + static_cast<std::int64_t>(k);
            const double state = linear_before_reset ? reset[k] * (from_state(row, h) + state_bias(row))
                                                     : from_state(row, scaled) + state_bias(row);
            const double candidate = act[1](clipped(from_input(row, x) + state));
            next[k] = (1.0 - update[k]) * candidate + update[k] * h[k];
        }
        h = next;
    }

    /// Gates in the order i, o, f, c.
    void lstm_step(const T* x, std::vector<double>& h, std::vector<double>& c) const {
        std::vector<double> next(h.size());
        for (std::int64_t k = 0; k < s.hidden; ++k) {
            const auto at = static_cast<std::size_t>(k);
            const double i = act[0](clipped(gate(k, x, h) + peep(k, c[at])));
            const double f =
                input_forget ? 1.0 - i : act[0](clipped(gate(2 * s.hidden + k, x, h) + peep(2 * s.hidden + k, c[at])));
            const double candidate = act[1](clipped(gate(3 * s.hidden + k, x, h)));
            c[at] = f * c[at] + i * candidate;
            const double o = act[0](clipped(gate(s.hidden + k, x, h) + peep(s.hidden + k, c[at])));
            next[at] = o * act[2](c[at]);
        }
        h = next;
    }
};

/// Offset of row [.., hidden] of a state (D, N) or of an output step (T, D, N) in either layout.
struct RowOffsets {
    const RecurrentShape& s;
    bool first;
    [[nodiscard]] std::int64_t state(std::int64_t d, std::int64_t n) const {
        return (first ? n * s.directions + d : d * s.batch + n) * s.hidden;
    }
    [[nodiscard]] std::int64_t output(std::int64_t t, std::int64_t d, std::int64_t n) const {
        return (first ? (n * s.steps + t) * s.directions + d : (t * s.directions + d) * s.batch + n) * s.hidden;
    }
    [[nodiscard]] std::int64_t input(std::int64_t t, std::int64_t n) const {
        return (first ? n * s.steps + t : t * s.batch + n) * s.features;
    }
};

template <typename T>
std::vector<double> initial_state(const Node& node, Inputs inputs, std::size_t index, std::int64_t offset,
                                  std::int64_t hidden) {
    std::vector<double> state(static_cast<std::size_t>(hidden), 0.0);
    if (node.has_input(index)) std::copy_n(raw<T>(inputs[index]) + offset, hidden, state.begin());
    return state;
}

template <typename T>
void store(const Node& node, Outputs outputs, std::size_t index, std::int64_t offset, const std::vector<double>& row) {
    if (!node.has_output(index)) return;
    T* out = raw<T>(outputs[index]) + offset;
    for (const double x : row)
        *out++ = static_cast<T>(x);
}

/// Runs one sample through one direction. Steps beyond the sample's length give zeros.
template <typename T>
void run_sequence(const Node& node, const Cell<T>& cell, std::int64_t d, std::int64_t n, std::int64_t length,
                  Inputs inputs, Outputs outputs) {
    const RecurrentShape& s = cell.s;
    const RowOffsets offsets{s, batch_first(node)};
    const bool backward = d == 1 || node.attributes.get_string("direction", "forward") == "reverse";
    std::vector<double> h = initial_state<T>(node, inputs, 5, offsets.state(d, n), s.hidden);
    std::vector<double> c = initial_state<T>(node, inputs, 6, offsets.state(d, n), s.hidden);
    for (std::int64_t step = 0; step < length; ++step) {
        const std::int64_t t = backward ? length - 1 - step : step;
        const T* x = raw<T>(inputs[0]) + offsets.input(t, n);
        if (s.gates == 4)
            cell.lstm_step(x, h, c);
        else if (s.gates == 3)
            cell.gru_step(x, h);
        else
            cell.rnn_step(x, h);
        store<T>(node, outputs, 0, offsets.output(t, d, n), h);
    }
    store<T>(node, outputs, 1, offsets.state(d, n), h);
    store<T>(node, outputs, 2, offsets.state(d, n), c);
}

void run_recurrent(const Node& node, Inputs inputs, Outputs outputs) {
    const RecurrentShape s = recurrent_shape(node, inputs[0].shape, inputs[1].shape, inputs[2].shape);
    const std::vector<RecurrentActivation> acts = recurrent_activations(node, s.directions);
    const std::size_t per_direction = acts.size() / static_cast<std::size_t>(s.directions);
    const Ints lengths = node.has_input(4) ? read_ints(inputs[4]) : Ints(static_cast<std::size_t>(s.batch), s.steps);
    visit_float(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if (node.has_output(0)) std::ranges::fill(outputs[0].as<T>(), T{0});
        for (std::int64_t d = 0; d < s.directions; ++d) {
            const std::int64_t rows = s.gates * s.hidden;
            const Cell<T> cell{s,
                               raw<T>(inputs[1]) + d * rows * s.features,
                               raw<T>(inputs[2]) + d * rows * s.hidden,
                               node.has_input(3) ? raw<T>(inputs[3]) + d * 2 * rows : nullptr,
                               node.has_input(7) ? raw<T>(inputs[7]) + d * 3 * s.hidden : nullptr,
                               acts.data() + static_cast<std::size_t>(d) * per_direction,
                               node.attributes.get_float("clip", 0.0),
                               node.attributes.get_int("linear_before_reset", 0) != 0,
                               node.attributes.get_int("input_forget", 0) != 0};
            for (std::int64_t n = 0; n < s.batch; ++n) {
                const std::int64_t length = lengths[static_cast<std::size_t>(n)];
                require(length >= 0 && length <= s.steps, "a sequence length is {}, the input has {} steps", length,
                        s.steps);
                run_sequence(node, cell, d, n, length, inputs, outputs);
            }
        }
    });
}

}  // namespace

Family recurrent_operators() {
    OperatorInfo rnn{.name = "RNN",
                     .domain = "",
                     .min_opset = 7,
                     .min_inputs = 3,
                     .max_inputs = 6,
                     .max_outputs = 2,
                     .infer = infer_recurrent,
                     .run = run_recurrent,
                     .check = check_recurrent,
                     .note = "every activation of the standard"};
    OperatorInfo gru = rnn;
    gru.name = "GRU";
    OperatorInfo lstm = rnn;
    lstm.name = "LSTM";
    lstm.max_inputs = 8;
    lstm.max_outputs = 3;
    return {gru, lstm, rnn};
}

}  // namespace lossmap::ops
