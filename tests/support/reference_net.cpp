#include "tests/support/reference_net.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/graph_values.hpp"

namespace lossmap::test {
namespace {

using Values = ReferenceNet::Values;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }
double number(float value) { return static_cast<double>(value); }

/// Convolution of one sample, [C, H, W] with weights [O, C/groups, k, k].
struct ConvolutionLoops {
    Shape in, out;
    std::int64_t kernel, stride, pad, groups, dilation;
    std::size_t weights, bias;
    bool has_bias;

    Values operator()(const StateVector& state, const std::vector<const Values*>& reads) const {
        const Values& x = *reads[0];
        Values y(at(out[0] * out[1] * out[2]));
        const std::int64_t in_group = in[0] / groups;
        const std::int64_t out_group = out[0] / groups;
        for (std::int64_t o = 0; o < out[0]; ++o) {
            for (std::int64_t i = 0; i < out[1] * out[2]; ++i) {
                double sum = has_bias ? number(state.weights[bias + at(o)]) : 0.0;
                for (std::int64_t c = 0; c < in_group; ++c) {
                    for (std::int64_t k = 0; k < kernel * kernel; ++k) {
                        const std::int64_t h = i / out[2] * stride - pad + k / kernel * dilation;
                        const std::int64_t w = i % out[2] * stride - pad + k % kernel * dilation;
                        if (h < 0 || w < 0 || h >= in[1] || w >= in[2]) continue;
                        const std::int64_t channel = o / out_group * in_group + c;
                        sum += number(state.weights[weights + at((o * in_group + c) * kernel * kernel + k)]) *
                               x[at((channel * in[1] + h) * in[2] + w)];
                    }
                }
                y[at(o * out[1] * out[2] + i)] = sum;
            }
        }
        return y;
    }
};

/// Pooling of one sample.
struct PoolLoops {
    Shape in, out;
    std::int64_t kernel, stride, pad;
    bool maximum, count_padding;

    Values operator()(const StateVector&, const std::vector<const Values*>& reads) const {
        Values y(at(out[0] * out[1] * out[2]));
        for (std::int64_t i = 0; i < out[0] * out[1] * out[2]; ++i) {
            const std::int64_t c = i / (out[1] * out[2]);
            double result = maximum ? -HUGE_VAL : 0.0;
            std::int64_t seen = 0;
            for (std::int64_t k = 0; k < kernel * kernel; ++k) {
                const std::int64_t h = i / out[2] % out[1] * stride - pad + k / kernel;
                const std::int64_t w = i % out[2] * stride - pad + k % kernel;
                if (h < 0 || w < 0 || h >= in[1] || w >= in[2]) continue;
                const double value = (*reads[0])[at((c * in[1] + h) * in[2] + w)];
                ++seen;
                if (!maximum)
                    result += value;
                else if (value > result || std::isnan(value))
                    result = value;
            }
            y[at(i)] = maximum ? result : result / static_cast<double>(count_padding ? kernel * kernel : seen);
        }
        return y;
    }
};

Attributes ints(std::initializer_list<std::pair<const char*, std::vector<std::int64_t>>> entries) {
    Attributes attributes;
    for (const auto& [name, values] : entries)
        attributes.set(name, values);
    return attributes;
}

template <typename Function>
auto elementwise(Function function) {
    return [function](const StateVector&, const std::vector<const Values*>& reads) {
        Values y = *reads[0];
        for (double& value : y)
            value = function(value);
        return y;
    };
}

}  // namespace

ReferenceNet::ReferenceNet(Shape sample_shape, std::uint64_t seed) : random_state_(seed * 0x9E3779B97F4A7C15u + 1) {
    graph_.opset = 13;
    graph_.ir_version = 8;
    Value input;
    input.name = "input";
    input.kind = ValueKind::input;
    input.has_declared = true;
    input.declared.push_back({-1, "batch"});
    for (const std::int64_t extent : sample_shape)
        input.declared.push_back({extent, ""});
    graph_.inputs.push_back(graph_.add_value(std::move(input)));
    nodes_.push_back({std::move(sample_shape), graph_.inputs[0], {}, {}});
}

double ReferenceNet::random() {
    random_state_ = random_state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(random_state_ >> 11) * 0x1p-52 - 1.0;
}

ReferenceNet::Slot ReferenceNet::parameter(const std::string& name, const Shape& shape, Role role, double center,
                                           double spread) {
    const Parameter& parameter =
        add_parameter(graph_, space_, origin_, name, shape, role, [&] { return center + spread * random(); });
    return {parameter.value, at(parameter.offset)};
}

ValueId ReferenceNet::constant(Tensor tensor) { return add_constant(graph_, std::move(tensor)); }

ValueId ReferenceNet::add_node(const std::string& op_type, std::vector<ValueId> inputs, Attributes attributes) {
    lossmap::Node node;
    node.op_type = op_type;
    node.name = op_type + "_" + std::to_string(graph_.nodes.size());
    node.opset = graph_.opset;
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    Value result;
    result.name = node.name + "_output";
    node.outputs = {graph_.add_value(std::move(result))};
    graph_.nodes.push_back(node);
    return node.outputs[0];
}

ReferenceNet::Handle ReferenceNet::add_result(Shape shape, ValueId value, std::vector<Handle> reads, Compute compute) {
    nodes_.push_back({std::move(shape), value, std::move(reads), std::move(compute)});
    return nodes_.size() - 1;
}

ReferenceNet::Handle ReferenceNet::conv(Handle x, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                                        std::int64_t pad, std::int64_t groups, bool bias, std::int64_t dilation) {
    const Shape in = shape(x);
    const std::int64_t fan_in = in[0] / groups * kernel * kernel;
    const double spread = 1.7 / std::sqrt(static_cast<double>(fan_in));
    const Slot weights = parameter("weight", {out, in[0] / groups, kernel, kernel}, Role::filter_weight, 0.0, spread);
    const Slot biases = bias ? parameter("bias", {out}, Role::bias, 0.0, 0.5) : Slot{};
    Attributes attributes = ints({{"kernel_shape", {kernel, kernel}},
                                  {"strides", {stride, stride}},
                                  {"pads", {pad, pad, pad, pad}},
                                  {"dilations", {dilation, dilation}}});
    attributes.set("group", groups);
    std::vector<ValueId> inputs{value(x), weights.value};
    if (bias) inputs.push_back(biases.value);
    const auto extent = [&](std::int64_t size) { return (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1; };
    const Shape result{out, extent(in[1]), extent(in[2])};
    return add_result(
        result, add_node("Conv", inputs, attributes), {x},
        ConvolutionLoops{in, result, kernel, stride, pad, groups, dilation, weights.offset, biases.offset, bias});
}

ReferenceNet::Handle ReferenceNet::batch_norm(Handle x) {
    const std::int64_t channels = shape(x)[0];
    const Slot gamma = parameter("gamma", {channels}, Role::norm_scale, 1.0, 0.5);
    const Slot beta = parameter("beta", {channels}, Role::norm_shift, 0.0, 0.5);
    const Slot mean = parameter("mean", {channels}, Role::running_mean, 0.0, 0.3);
    const Slot variance = parameter("variance", {channels}, Role::running_variance, 1.0, 0.8);
    Attributes attributes;
    attributes.set("epsilon", 1e-3);
    const ValueId y =
        add_node("BatchNormalization", {value(x), gamma.value, beta.value, mean.value, variance.value}, attributes);
    const auto pixels = at(element_count(shape(x)) / channels);
    const auto normalise = [=](const StateVector& state, const std::vector<const Values*>& reads) {
        Values result = *reads[0];
        for (std::size_t k = 0; k < result.size(); ++k) {
            const std::size_t c = k / pixels;
            result[k] = (result[k] - number(state.states[mean.offset + c])) /
                            std::sqrt(number(state.states[variance.offset + c]) + 1e-3) *
                            number(state.weights[gamma.offset + c]) +
                        number(state.weights[beta.offset + c]);
        }
        return result;
    };
    const Handle norm = add_result(shape(x), y, {x}, normalise);
    nodes_[norm].statistics = {mean.offset, variance.offset};
    return norm;
}

ReferenceNet::Handle ReferenceNet::relu(Handle x) {
    return add_result(shape(x), add_node("Relu", {value(x)}), {x},
                      elementwise([](double v) { return v < 0.0 ? 0.0 : v; }));
}

ReferenceNet::Handle ReferenceNet::clip(Handle x, float low, float high) {
    const ValueId minimum = constant(Tensor::scalar<float>(low));
    const ValueId maximum = constant(Tensor::scalar<float>(high));
    return add_result(shape(x), add_node("Clip", {value(x), minimum, maximum}), {x}, elementwise([=](double v) {
                          return v < number(low) ? number(low) : v > number(high) ? number(high) : v;
                      }));
}

ReferenceNet::Handle ReferenceNet::sigmoid(Handle x) {
    return add_result(shape(x), add_node("Sigmoid", {value(x)}), {x},
                      elementwise([](double v) { return 1.0 / (1.0 + std::exp(-v)); }));
}

ReferenceNet::Handle ReferenceNet::add(Handle a, Handle b) {
    return add_result(shape(a), add_node("Add", {value(a), value(b)}), {a, b},
                      [](const StateVector&, const std::vector<const Values*>& reads) {
                          Values y = *reads[0];
                          for (std::size_t k = 0; k < y.size(); ++k)
                              y[k] += (*reads[1])[k];
                          return y;
                      });
}

ReferenceNet::Handle ReferenceNet::scale_channels(Handle x, Handle s) {
    const auto pixels = at(shape(x)[1] * shape(x)[2]);
    return add_result(shape(x), add_node("Mul", {value(x), value(s)}), {x, s},
                      [pixels](const StateVector&, const std::vector<const Values*>& reads) {
                          Values y = *reads[0];
                          for (std::size_t k = 0; k < y.size(); ++k)
                              y[k] *= (*reads[1])[k / pixels];
                          return y;
                      });
}

ReferenceNet::Handle ReferenceNet::concat(Handle a, Handle b) {
    Attributes attributes;
    attributes.set("axis", std::int64_t{1});
    Shape result = shape(a);
    result[0] += shape(b)[0];
    return add_result(result, add_node("Concat", {value(a), value(b)}, attributes), {a, b},
                      [](const StateVector&, const std::vector<const Values*>& reads) {
                          Values y = *reads[0];
                          y.insert(y.end(), reads[1]->begin(), reads[1]->end());
                          return y;
                      });
}

ReferenceNet::Handle ReferenceNet::max_pool(Handle x, std::int64_t kernel, std::int64_t stride, std::int64_t pad) {
    const Shape in = shape(x);
    const auto extent = [&](std::int64_t size) { return (size + 2 * pad - kernel) / stride + 1; };
    const Shape result{in[0], extent(in[1]), extent(in[2])};
    Attributes attributes =
        ints({{"kernel_shape", {kernel, kernel}}, {"strides", {stride, stride}}, {"pads", {pad, pad, pad, pad}}});
    return add_result(result, add_node("MaxPool", {value(x)}, attributes), {x},
                      PoolLoops{in, result, kernel, stride, pad, true, false});
}

ReferenceNet::Handle ReferenceNet::average_pool(Handle x, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                                                bool count_padding) {
    const Shape in = shape(x);
    const auto extent = [&](std::int64_t size) { return (size + 2 * pad - kernel) / stride + 1; };
    const Shape result{in[0], extent(in[1]), extent(in[2])};
    Attributes attributes =
        ints({{"kernel_shape", {kernel, kernel}}, {"strides", {stride, stride}}, {"pads", {pad, pad, pad, pad}}});
    attributes.set("count_include_pad", std::int64_t{count_padding});
    return add_result(result, add_node("AveragePool", {value(x)}, attributes), {x},
                      PoolLoops{in, result, kernel, stride, pad, false, count_padding});
}

ReferenceNet::Handle ReferenceNet::global_average_pool(Handle x) {
    const std::int64_t pixels = shape(x)[1] * shape(x)[2];
    return add_result({shape(x)[0], 1, 1}, add_node("GlobalAveragePool", {value(x)}), {x},
                      [pixels](const StateVector&, const std::vector<const Values*>& reads) {
                          Values y(reads[0]->size() / at(pixels), 0.0);
                          for (std::size_t k = 0; k < reads[0]->size(); ++k)
                              y[k / at(pixels)] += (*reads[0])[k];
                          for (double& value : y)
                              value /= static_cast<double>(pixels);
                          return y;
                      });
}

ReferenceNet::Handle ReferenceNet::padded_shortcut(Handle x, std::int64_t channels) {
    const Shape in = shape(x);
    const auto integers = [&](std::vector<std::int64_t> values) {
        const auto count = static_cast<std::int64_t>(values.size());
        return constant(Tensor::from<std::int64_t>(values, {count}));
    };
    const std::int64_t far = std::numeric_limits<std::int64_t>::max();
    const ValueId sliced =
        add_node("Slice", {value(x), integers({0, 0}), integers({far, far}), integers({2, 3}), integers({2, 2})});
    const std::int64_t front = (channels - in[0]) / 2;
    const std::int64_t behind = channels - in[0] - front;
    const ValueId padded = add_node("Pad", {sliced, integers({0, front, 0, 0, 0, behind, 0, 0})});
    const Shape result{channels, (in[1] + 1) / 2, (in[2] + 1) / 2};
    return add_result(result, padded, {x}, [=](const StateVector&, const std::vector<const Values*>& reads) {
        Values y(at(element_count(result)), 0.0);
        for (std::int64_t c = 0; c < in[0]; ++c) {
            for (std::int64_t k = 0; k < result[1] * result[2]; ++k) {
                y[at((c + front) * result[1] * result[2] + k)] =
                    (*reads[0])[at((c * in[1] + k / result[2] * 2) * in[2] + k % result[2] * 2)];
            }
        }
        return y;
    });
}

ReferenceNet::Handle ReferenceNet::flatten(Handle x) {
    return add_result({element_count(shape(x))}, add_node("Flatten", {value(x)}), {x},
                      elementwise([](double v) { return v; }));
}

ReferenceNet::Handle ReferenceNet::gemm(Handle x, std::int64_t out, bool transposed, float alpha, float beta) {
    const std::int64_t in = shape(x)[0];
    const double spread = 1.7 / std::sqrt(static_cast<double>(in));
    const Shape weights_shape = transposed ? Shape{out, in} : Shape{in, out};
    const Slot weights = parameter("weight", weights_shape, Role::filter_weight, 0.0, spread);
    const Slot bias = parameter("bias", {out}, Role::bias, 0.0, 0.5);
    Attributes attributes;
    attributes.set("transB", std::int64_t{transposed});
    attributes.set("alpha", number(alpha));
    attributes.set("beta", number(beta));
    return add_result(
        {out}, add_node("Gemm", {value(x), weights.value, bias.value}, attributes), {x},
        [=](const StateVector& state, const std::vector<const Values*>& reads) {
            Values y(at(out));
            for (std::int64_t o = 0; o < out; ++o) {
                double sum = 0.0;
                for (std::int64_t i = 0; i < in; ++i) {
                    sum += number(state.weights[weights.offset + at(transposed ? o * in + i : i * out + o)]) *
                           (*reads[0])[at(i)];
                }
                y[at(o)] = number(alpha) * sum + number(beta) * number(state.weights[bias.offset + at(o)]);
            }
            return y;
        });
}

ReferenceNet::Handle ReferenceNet::linear(Handle x, std::int64_t out) {
    const std::int64_t in = shape(x)[0];
    const Slot weights =
        parameter("weight", {in, out}, Role::filter_weight, 0.0, 1.7 / std::sqrt(static_cast<double>(in)));
    const Slot bias = parameter("bias", {out}, Role::bias, 0.0, 0.5);
    const ValueId product = add_node("MatMul", {value(x), weights.value});
    return add_result({out}, add_node("Add", {bias.value, product}), {x},
                      [=](const StateVector& state, const std::vector<const Values*>& reads) {
                          Values y(at(out));
                          for (std::int64_t o = 0; o < out; ++o) {
                              y[at(o)] = number(state.weights[bias.offset + at(o)]);
                              for (std::int64_t i = 0; i < in; ++i) {
                                  y[at(o)] +=
                                      number(state.weights[weights.offset + at(i * out + o)]) * (*reads[0])[at(i)];
                              }
                          }
                          return y;
                      });
}

ReferenceNet::Handle ReferenceNet::tokens_in_front(Handle x, std::int64_t out) {
    const Shape in = shape(x);
    const Slot added = parameter("added", {in[0], 1, in[1]}, Role::other, 0.0, 0.5);
    const Slot weights = parameter("weight", {in[1], out}, Role::filter_weight, 0.0, 1.0);
    const Attributes swapped = ints({{"perm", {1, 0, 2}}});
    const ValueId sum = add_node("Add", {add_node("Transpose", {value(x)}, swapped), added.value});
    const ValueId product = add_node("MatMul", {sum, weights.value});
    return add_result({in[0], out}, add_node("Transpose", {product}, swapped), {x},
                      [=](const StateVector& state, const std::vector<const Values*>& reads) {
                          Values y(at(in[0] * out));
                          for (std::size_t k = 0; k < reads[0]->size(); ++k) {
                              const double input = (*reads[0])[k] + number(state.weights[added.offset + k]);
                              const std::size_t token = k / at(in[1]);
                              for (std::size_t o = 0; o < at(out); ++o) {
                                  const std::size_t weight = k % at(in[1]) * at(out) + o;
                                  y[token * at(out) + o] += input * number(state.weights[weights.offset + weight]);
                              }
                          }
                          return y;
                      });
}

void ReferenceNet::output(Handle x) {
    output_ = x;
    graph_.outputs = {value(x)};
}

ReferenceNet::Values ReferenceNet::forward(const StateVector& state, const Values& sample) const {
    std::vector<Values> results(nodes_.size());
    results[0] = sample;
    for (std::size_t k = 1; k < nodes_.size(); ++k) {
        std::vector<const Values*> reads;
        for (const Handle handle : nodes_[k].reads)
            reads.push_back(&results[handle]);
        results[k] = nodes_[k].compute(state, reads);
    }
    return results[output_];
}

}  // namespace lossmap::test
