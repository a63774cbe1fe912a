#include "tests/support/random_network.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "tests/support/layer_builder.hpp"

namespace lossmap::test {
namespace {

/// Elements of an activation at most: the emulation of a device is slow.
constexpr std::int64_t kMostElements = 2000;

class Builder : LayerBuilder {
public:
    explicit Builder(Random& random) : LayerBuilder(random) {}

    [[nodiscard]] RandomNetwork build(NetworkKind kind) {
        switch (kind) {
            case NetworkKind::image: finish_image(image_layers()); break;
            case NetworkKind::stages: finish_image(stage_layers()); break;
            case NetworkKind::sequence: sequence(); break;
            case NetworkKind::vector: finish_vector(vector_layers(start({random_.between(1, 20)}))); break;
        }
        return std::move(net_);
    }

private:
    // Layers of any shape.
    /// An earlier value of the same shape.
    std::optional<Handle> twin(const Handle& x) {
        std::vector<Handle> fitting;
        for (const Handle& one : seen_) {
            if (one.shape == x.shape && one.value != x.value) fitting.push_back(one);
        }
        if (fitting.empty()) return {};
        return fitting[static_cast<std::size_t>(random_.below(std::ssize(fitting)))];
    }
    Handle join(const Handle& x, const Handle& other, const char* op = "Add") {
        return random_.chance(0.5) ? add(op, {x.value, other.value}, x.shape)
                                   : add(op, {other.value, x.value}, x.shape);
    }
    /// What may stand behind a layer: norm, residual, activation.
    Handle rest(Handle x, bool may_norm = true) {
        if (may_norm && random_.chance(0.5)) x = batch_norm(x);
        const auto other = twin(x);
        if (other && random_.chance(0.6)) x = join(x, *other);
        if (random_.chance(0.75)) x = activation(x);
        seen_.push_back(x);
        return x;
    }

    // Images, [C, H, W].
    std::int64_t channels() { return random_.one_of<std::int64_t>({1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17}); }
    Handle convolution(const Handle& x, std::int64_t out, Ints kernel, std::int64_t stride, Ints pads,
                       std::int64_t groups = 1, std::int64_t dilation = 1, bool bias = false) {
        const std::int64_t in = x.shape[0] / groups;
        std::vector<ValueId> inputs{x.value, weight({out, in, kernel[0], kernel[1]}, in * kernel[0] * kernel[1])};
        if (bias) inputs.push_back(parameter({out}, Role::bias, 0.0, 0.5));
        Attributes attributes = ints({{"kernel_shape", kernel},
                                      {"strides", {stride, stride}},
                                      {"pads", pads},
                                      {"dilations", {dilation, dilation}}});
        attributes.set("group", groups);
        Shape shape{out};
        for (std::size_t k = 0; k < 2; ++k)
            shape.push_back((x.shape[k + 1] + pads[k] + pads[k + 2] - dilation * (kernel[k] - 1) - 1) / stride + 1);
        net_.text += " k" + to_string(kernel) + "s" + std::to_string(stride) + "p" + to_string(pads) + "g" +
                     std::to_string(groups) + "d" + std::to_string(dilation) + (bias ? "b" : "");
        return add("Conv", inputs, shape, attributes);
    }
    Handle random_convolution(const Handle& x) {
        const bool square = random_.chance(0.7);
        const std::int64_t dilation = random_.chance(0.15) ? 2 : 1;
        Ints kernel{random_.between(1, 3), random_.between(1, 3)};
        if (square) kernel[0] = kernel[1] = random_.one_of<std::int64_t>({1, 3, 3, 3, 2, 5});
        Ints pads(4);
        for (std::size_t k = 0; k < 2; ++k)
            pads[k] = pads[k + 2] = dilation * (kernel[k] - 1) / 2;
        if (random_.chance(0.2)) {
            for (std::int64_t& pad : pads)
                pad = random_.below(3);
        }
        for (std::size_t k = 0; k < 2; ++k) {
            const std::int64_t missing = dilation * (kernel[k] - 1) + 1 - x.shape[k + 1] - pads[k] - pads[k + 2];
            if (missing > 0) pads[k] += missing;
        }
        std::int64_t groups = 1;
        std::int64_t out = random_.chance(0.4) ? x.shape[0] : channels();
        if (random_.chance(0.25)) {
            Ints divisors;
            for (std::int64_t d = 2; d <= x.shape[0]; ++d) {
                if (x.shape[0] % d == 0) divisors.push_back(d);
            }
            if (!divisors.empty()) groups = divisors[static_cast<std::size_t>(random_.below(std::ssize(divisors)))];
            out = groups * random_.between(1, 2);
        }
        const std::int64_t stride = random_.chance(0.2) ? 2 : 1;
        out = std::max<std::int64_t>(std::min(out, kMostElements / (x.shape[1] * x.shape[2])) / groups, 1) * groups;
        return convolution(x, out, kernel, stride, pads, groups, dilation, random_.chance(0.4));
    }
    Handle transposed_convolution(const Handle& x) {
        const std::int64_t out = random_.between(1, 5);
        const std::int64_t kernel = random_.between(1, 3);
        const std::int64_t stride = random_.between(1, 2);
        std::vector<ValueId> inputs{x.value, weight({x.shape[0], out, kernel, kernel}, x.shape[0] * kernel * kernel)};
        if (random_.chance(0.5)) inputs.push_back(parameter({out}, Role::bias, 0.0, 0.5));
        const auto extent = [&](std::int64_t size) { return (size - 1) * stride + kernel; };
        return add("ConvTranspose", inputs, {out, extent(x.shape[1]), extent(x.shape[2])},
                   ints({{"kernel_shape", {kernel, kernel}}, {"strides", {stride, stride}}}));
    }
    Handle pool(const Handle& x) {
        const bool maximum = random_.chance(0.5);
        const std::int64_t most = std::min(x.shape[1], x.shape[2]);
        const std::int64_t kernel = std::min(random_.between(1, 3), most);
        const std::int64_t stride = random_.between(1, 2);
        const std::int64_t pad = kernel > 1 && random_.chance(0.4) ? kernel / 2 : 0;
        const auto extent = [&](std::int64_t size) { return (size + 2 * pad - kernel) / stride + 1; };
        Attributes attributes =
            ints({{"kernel_shape", {kernel, kernel}}, {"strides", {stride, stride}}, {"pads", {pad, pad, pad, pad}}});
        if (!maximum) attributes.set("count_include_pad", random_.below(2));
        return add(maximum ? "MaxPool" : "AveragePool", {x.value}, {x.shape[0], extent(x.shape[1]), extent(x.shape[2])},
                   attributes);
    }
    Handle excitation(const Handle& x) {
        const Handle mean =
            add(random_.chance(0.7) ? "GlobalAveragePool" : "GlobalMaxPool", {x.value}, {x.shape[0], 1, 1});
        const Handle gate =
            add("Sigmoid", {convolution(mean, x.shape[0], {1, 1}, 1, {0, 0, 0, 0}, 1, 1, true).value}, mean.shape);
        return add("Mul", {x.value, gate.value}, x.shape);
    }
    Handle shortcut(const Handle& x) {
        const std::int64_t far = std::numeric_limits<std::int64_t>::max();
        const Shape half{x.shape[0], (x.shape[1] + 1) / 2, (x.shape[2] + 1) / 2};
        const Handle sliced =
            add("Slice", {x.value, integers({0, 0}), integers({far, far}), integers({2, 3}), integers({2, 2})}, half);
        const std::int64_t front = random_.below(3);
        const std::int64_t behind = random_.below(3);
        return add("Pad", {sliced.value, integers({0, front, 0, 0, 0, behind, 0, 0})},
                   {half[0] + front + behind, half[1], half[2]});
    }
    Handle channel_norm(const Handle& x) {
        const Shape affine{x.shape[0]};
        if (random_.chance(0.5) || x.shape[0] % 2 != 0) {
            return add(
                "InstanceNormalization",
                {x.value, parameter(affine, Role::norm_scale, 1.0, 0.5), parameter(affine, Role::norm_shift, 0.0, 0.5)},
                x.shape);
        }
        return layer_norm(x);
    }
    Handle concatenated(const Handle& x) {
        std::vector<Handle> fitting;
        for (const Handle& one : seen_) {
            if (one.shape.size() == 3 && one.shape[1] == x.shape[1] && one.shape[2] == x.shape[2])
                fitting.push_back(one);
        }
        if (fitting.empty()) return x;
        const Handle& other = fitting[static_cast<std::size_t>(random_.below(std::ssize(fitting)))];
        if (element_count(x.shape) + element_count(other.shape) > kMostElements) return x;
        Attributes attributes;
        attributes.set("axis", std::int64_t{1});
        return add("Concat", {x.value, other.value}, {x.shape[0] + other.shape[0], x.shape[1], x.shape[2]}, attributes);
    }
    Handle image_layer(const Handle& x) {
        switch (random_.below(16)) {
            case 0: return rest(pool(x), false);
            case 1: return excitation(x);
            case 2: return element_count(x.shape) < 300 ? rest(transposed_convolution(x)) : rest(pool(x), false);
            case 3: return shortcut(x);
            case 4: return channel_norm(x);
            case 5: return concatenated(x);
            case 6: {
                const auto other = twin(x);
                return other ? join(x, *other, random_.one_of<const char*>({"Mul", "Sub", "Max"})) : rest(x);
            }
            default: return rest(random_convolution(x));
        }
    }
    Handle image_layers() {
        Handle x =
            start({random_.one_of<std::int64_t>({1, 2, 3, 3, 5, 8}), random_.between(3, 11), random_.between(3, 11)});
        seen_.push_back(x);
        const std::int64_t count = random_.between(1, 6);
        for (std::int64_t k = 0; k < count; ++k) {
            x = image_layer(x);
            seen_.push_back(x);
        }
        return x;
    }

    // Residual networks whose layers stage kernels take.
    Handle square(const Handle& x, std::int64_t out, std::int64_t stride = 1) {
        return convolution(x, out, {3, 3}, stride, {1, 1, 1, 1}, 1, 1, random_.chance(0.3));
    }
    Handle normed(const Handle& x) { return random_.chance(0.8) ? batch_norm(x) : x; }
    Handle residual_block(const Handle& x, std::int64_t out, std::int64_t stride) {
        Handle y = normed(square(x, out, stride));
        y = random_.chance(0.9) ? relu(y) : activation(y);
        y = normed(square(y, out));
        if (y.shape == x.shape) {
            y = join(y, x);
        } else if (random_.chance(0.6)) {
            const std::int64_t kernel = random_.chance(0.9) ? 1 : 3;
            const std::int64_t pad = kernel / 2;
            y = join(y, normed(convolution(x, out, {kernel, kernel}, stride, {pad, pad, pad, pad})));
        }
        return random_.chance(0.9) ? relu(y) : y;
    }
    Handle stage_layers() {
        const bool large = random_.chance(0.25);
        const auto side =
            large ? random_.one_of<std::int64_t>({32, 16, 8, 28}) : random_.one_of<std::int64_t>({14, 14, 7});
        std::int64_t width = random_.one_of<std::int64_t>({4, 8, 16, 16, 5});
        if (large) width = side == 16 ? 32 : side == 8 ? 64 : 16;
        Handle x = start({random_.one_of<std::int64_t>({1, 3, 3, 8}), side, side});
        x = normed(square(x, width));
        if (random_.chance(0.9)) x = relu(x);
        const std::int64_t blocks = large ? random_.between(0, 1) : random_.between(0, 2);
        for (std::int64_t k = 0; k < blocks; ++k)
            x = residual_block(x, width, 1);
        if (random_.chance(large ? 0.3 : 0.6)) {
            x = residual_block(x, random_.chance(0.8) ? 2 * width : width, 2);
            if (random_.chance(0.5)) x = residual_block(x, x.shape[0], 1);
        }
        return x;
    }

    // Vectors.
    Handle dense(const Handle& x, std::int64_t out) {
        const std::int64_t in = x.shape[0];
        if (random_.chance(0.5)) {
            const Handle product = add("MatMul", {x.value, weight({in, out}, in)}, {out});
            if (random_.chance(0.2)) return product;
            return join(product, {parameter({out}, Role::bias, 0.0, 0.5), {out}});
        }
        const bool transposed = random_.chance(0.7);
        std::vector<ValueId> inputs{x.value, weight(transposed ? Shape{out, in} : Shape{in, out}, in)};
        if (random_.chance(0.8)) inputs.push_back(parameter({out}, Role::bias, 0.0, 0.5));
        Attributes attributes;
        attributes.set("transB", std::int64_t{transposed});
        if (random_.chance(0.2)) attributes.set("alpha", 0.5);
        if (random_.chance(0.2)) attributes.set("beta", 2.0);
        return add("Gemm", inputs, {out}, attributes);
    }
    Handle vector_layers(Handle x) {
        seen_.push_back(x);
        const std::int64_t count = random_.between(0, 4);
        for (std::int64_t k = 0; k < count; ++k) {
            x = random_.chance(0.15) ? layer_norm(x)
                                     : rest(dense(x, random_.chance(0.4) ? x.shape[0] : random_.between(1, 24)));
            seen_.push_back(x);
        }
        return x;
    }

    // Sequences, [T, D].
    Handle linear(const Handle& x, std::int64_t out) {
        const std::int64_t in = x.shape[1];
        const Shape shape{x.shape[0], out};
        const Handle product = add("MatMul", {x.value, weight({in, out}, in)}, shape);
        if (random_.chance(0.3)) return product;
        return add("Add", {product.value, parameter({out}, Role::bias, 0.0, 0.5)}, shape);
    }
    Handle heads(const Handle& x, std::int64_t count, const Ints& order) {
        const std::int64_t width = x.shape[1] / count;
        const Handle split =
            add("Reshape", {x.value, integers({random_.chance(0.5) ? 0 : -1, x.shape[0], count, width})},
                {x.shape[0], count, width});
        Shape shape;
        for (std::size_t k = 1; k < order.size(); ++k)
            shape.push_back(split.shape[static_cast<std::size_t>(order[k] - 1)]);
        return add("Transpose", {split.value}, shape, ints({{"perm", order}}));
    }
    Handle attention(const Handle& x) {
        const std::int64_t tokens = x.shape[0];
        const std::int64_t width = x.shape[1];
        const std::int64_t count = width % 4 == 0 && random_.chance(0.5) ? 4 : width % 2 == 0 ? 2 : 1;
        const Handle query = heads(linear(x, width), count, {0, 2, 1, 3});
        const Handle key = heads(linear(x, width), count, {0, 2, 3, 1});
        const Handle values = heads(linear(x, width), count, {0, 2, 1, 3});
        const Shape square{count, tokens, tokens};
        Handle scores = add("MatMul", {query.value, key.value}, square);
        scores = add("Div", {scores.value, number(std::sqrt(static_cast<float>(width / count)))}, square);
        Attributes attributes;
        attributes.set("axis", std::int64_t{-1});
        const Handle shares = add("Softmax", {scores.value}, square, attributes);
        Handle y = add("MatMul", {shares.value, values.value}, {count, tokens, width / count});
        y = add("Transpose", {y.value}, {tokens, count, width / count}, ints({{"perm", {0, 2, 1, 3}}}));
        y = add("Reshape", {y.value, integers({-1, tokens, width})}, x.shape);
        return join(linear(y, width), x);
    }
    /// Computes with tokens in front of samples, [T, N, D], as recurrent layers and attention of PyTorch lie.
    Handle tokens_first(const Handle& x) {
        const Attributes swapped = ints({{"perm", {1, 0, 2}}});
        Handle y = add("Transpose", {x.value}, x.shape, swapped);
        const Handle wide = activation_of_tokens(linear(y, random_.between(2, 12)));
        y = linear(wide, x.shape[1]);
        if (random_.chance(0.5)) y = activation_of_tokens(y);
        return add("Transpose", {y.value}, x.shape, swapped);
    }
    Handle activation_of_tokens(const Handle& x) {
        return add(random_.one_of<const char*>({"Relu", "Tanh", "Gelu", "Softplus"}), {x.value}, x.shape);
    }
    Handle sequence_layers() {
        const std::int64_t tokens = random_.between(1, 6);
        const std::int64_t width = random_.one_of<std::int64_t>({3, 4, 6, 8, 10, 16});
        Handle x;
        if (random_.chance(0.5)) {
            net_.vocabulary = random_.between(2, 9);
            const Handle ids = start({tokens}, DType::i64);
            x = add("Gather", {weight({net_.vocabulary, width}, 3), ids.value}, {tokens, width});
            if (random_.chance(0.5))
                x = add("Add", {x.value, parameter({tokens, width}, Role::other, 0.0, 0.5)}, x.shape);
        } else {
            x = start({tokens, width});
        }
        const std::int64_t count = random_.between(0, 3);
        for (std::int64_t k = 0; k < count; ++k) {
            switch (random_.below(5)) {
                case 0: x = attention(x); break;
                case 2: x = tokens_first(x); break;
                case 1: {
                    Attributes attributes;
                    attributes.set("axis", std::int64_t{-1});
                    x = add("LayerNormalization",
                            {x.value, parameter({width}, Role::norm_scale, 1.0, 0.5),
                             parameter({width}, Role::norm_shift, 0.0, 0.5)},
                            x.shape, attributes);
                    break;
                }
                default: {
                    const Handle y = activation(linear(x, random_.between(2, 12)));
                    x = random_.chance(0.7) ? join(linear(y, width), x) : linear(y, width);
                }
            }
        }
        return x;
    }
    void sequence() {
        const Handle x = sequence_layers();
        if (random_.chance(0.5)) {
            const Handle y = linear(x, random_.between(1, 7));
            return finish(y, 2);
        }
        Attributes attributes;
        attributes.set("keepdims", std::int64_t{0});
        finish_vector(add("ReduceMean", {x.value, integers({1})}, {x.shape[1]}, attributes));
    }

    // Heads.
    void finish(const Handle& x, std::int64_t class_axis = 1) {
        net_.graph.outputs = {x.value};
        net_.output = x.shape;
        net_.class_axis = class_axis;
    }
    void finish_vector(const Handle& x) {
        if (random_.chance(0.12)) {
            const Handle y = dense(x, 1);
            if (random_.chance(0.5)) return finish(y);
            return finish(add("Reshape", {y.value, integers({-1})}, {}));
        }
        // From 64 classes on several threads share a sample's loss.
        finish(dense(x, random_.chance(0.1) ? random_.between(60, 80) : random_.between(1, 12)));
    }
    void finish_image(const Handle& x) {
        const double choice = random_.unit();
        if (choice < 0.25 && element_count(x.shape) < 1000) {
            const bool pointwise = random_.chance(0.5);
            return finish(convolution(x, random_.between(1, 6), pointwise ? Ints{1, 1} : Ints{3, 3}, 1,
                                      pointwise ? Ints{0, 0, 0, 0} : Ints{1, 1, 1, 1}, 1, 1, random_.chance(0.5)));
        }
        if (choice < 0.6) {
            const Handle mean = add("GlobalAveragePool", {x.value}, {x.shape[0], 1, 1});
            return finish_vector(add("Flatten", {mean.value}, {x.shape[0]}));
        }
        finish_vector(add("Flatten", {x.value}, {element_count(x.shape)}));
    }

    std::vector<Handle> seen_;
};

}  // namespace

RandomNetwork random_network(Random& random, NetworkKind kind) { return Builder(random).build(kind); }

}  // namespace lossmap::test
