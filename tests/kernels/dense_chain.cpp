#include "dense_chain.hpp"

#include <cmath>
#include <cstring>

namespace lossmap::kernels::test {
namespace {

double applied(const UnaryFunction& function, double x) {
    const auto alpha = static_cast<double>(function.alpha), beta = static_cast<double>(function.beta);
    switch (function.op) {
        case UnaryOp::relu: return x < 0.0 ? 0.0 : x;
        case UnaryOp::clip: return std::fmin(std::fmax(x, alpha), beta);
        case UnaryOp::tanh: return std::tanh(x);
        case UnaryOp::sigmoid: return 1.0 / (1.0 + std::exp(-x));
        case UnaryOp::mish: return x * std::tanh(std::log1p(std::exp(x)));
        case UnaryOp::selu: return beta * (x < 0.0 ? alpha * std::expm1(x) : x);
        case UnaryOp::gelu: return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
        case UnaryOp::softsign: return x / (1.0 + std::fabs(x));
        case UnaryOp::softplus: return std::log1p(std::exp(x));
        default: return x;
    }
}

/// [points, inputs, outputs] as [points, inputs, stored outputs], zeros behind them.
Tensor padded(const Tensor& weights, std::int64_t inputs, std::int32_t outputs) {
    const std::int64_t points = weights.shape()[0], stored = stored_width(outputs);
    const auto width = static_cast<std::int64_t>(size_of(weights.dtype()));
    Tensor result(weights.dtype(), {points, inputs * stored});
    std::memset(result.data(), 0, result.size_bytes());
    for (std::int64_t row = 0; row < points * inputs; ++row)
        std::memcpy(static_cast<std::byte*>(result.data()) + row * stored * width,
                    static_cast<const std::byte*>(weights.data()) + row * outputs * width,
                    static_cast<std::size_t>(outputs * width));
    return result;
}

/// Rows of several tensors [points, ..] of one type behind each other, of some of the points.
Tensor joined(const std::vector<Tensor>& parts, std::int64_t first, std::int64_t points) {
    std::int64_t columns = 0;
    for (const Tensor& part : parts)
        columns += part.count() / part.shape()[0];
    Tensor result(parts.front().dtype(), {points, columns});
    auto* to = static_cast<std::byte*>(result.data());
    for (std::int64_t point = first; point < first + points; ++point) {
        for (const Tensor& part : parts) {
            const std::size_t bytes = part.size_bytes() / static_cast<std::size_t>(part.shape()[0]);
            std::memcpy(to, static_cast<const std::byte*>(part.data()) + static_cast<std::size_t>(point) * bytes,
                        bytes);
            to += bytes;
        }
    }
    return result;
}

}  // namespace

DenseChainJob::DenseChainJob(const Shape& shape)
    : shape_(shape),
      in_(as_storage(random_floats({shape.shared_input ? 1 : shape.points, shape.rows, shape.widths.front()}, 401),
                     shape.type)) {
    for (std::size_t k = 0; k + 1 < shape.widths.size(); ++k) {
        const std::int64_t inputs = shape.widths[k], outputs = shape.widths[k + 1];
        // Results of about 1, whatever the width.
        const double range = std::sqrt(3.0 / static_cast<double>(inputs));
        weights_.push_back(as_storage(random_floats({shape.points, inputs, outputs}, 402 + 2 * k, range), shape.type));
        biases_.push_back(random_floats({shape.points, outputs}, 403 + 2 * k));
    }
}

DenseChainArgs DenseChainJob::args(Device& device, std::int64_t first, std::int64_t points, std::int64_t rows) const {
    DenseChainArgs args;
    const auto width = static_cast<std::int64_t>(size_of(shape_.type));
    const std::int64_t stride = shape_.rows * shape_.widths.front();
    std::vector<std::byte> bytes(static_cast<std::size_t>(shape_.in_offset * width) + in_.size_bytes());
    std::memcpy(bytes.data() + shape_.in_offset * width, in_.data(), in_.size_bytes());
    const std::int64_t skipped = shape_.in_offset + (shape_.shared_input ? 0 : first * stride);
    args.in = {device.put(bytes) + skipped * width, shape_.type, shape_.shared_input ? 0 : stride};
    std::vector<Tensor> weights, biases;
    for (std::size_t k = 0; k < weights_.size(); ++k) {
        weights.push_back(padded(weights_[k], shape_.widths[k], shape_.widths[k + 1]));
        biases.push_back(padded(biases_[k], 1, shape_.widths[k + 1]));
        args.activations[k] = shape_.activations[k];
    }
    args.weights = device.input(joined(weights, first, points), points);
    args.bias = device.input(joined(biases, first, points), points);
    args.out = device.output(shape_.type, points, rows * outputs());
    args.points = points;
    args.rows = rows;
    args.layers = static_cast<int>(weights_.size());
    for (std::size_t k = 0; k < shape_.widths.size(); ++k)
        args.widths[k] = shape_.widths[k];
    return args;
}

std::vector<double> DenseChainJob::layer(std::size_t index, std::int64_t point, const std::vector<double>& x) const {
    const auto inputs = static_cast<std::size_t>(shape_.widths[index]);
    const auto width = static_cast<std::size_t>(shape_.widths[index + 1]);
    const std::vector<double> weights = numbers_of(weights_[index]), bias = numbers_of(biases_[index]);
    const auto at = static_cast<std::size_t>(point);
    std::vector<double> result;
    for (std::size_t row = 0; row < static_cast<std::size_t>(shape_.rows); ++row) {
        for (std::size_t column = 0; column < width; ++column) {
            double sum = bias[at * width + column];
            for (std::size_t k = 0; k < inputs; ++k)
                sum += x[row * inputs + k] * weights[(at * inputs + k) * width + column];
            result.push_back(applied(shape_.activations[index], sum));
        }
    }
    return result;
}

Tensor DenseChainJob::expected() const {
    const std::vector<double> in = numbers_of(in_);
    const std::int64_t size = shape_.rows * shape_.widths.front();
    std::vector<double> all;
    for (std::int64_t point = 0; point < shape_.points; ++point) {
        const auto begin = in.begin() + (shape_.shared_input ? 0 : point * size);
        std::vector<double> x(begin, begin + size);
        for (std::size_t k = 0; k < weights_.size(); ++k)
            x = layer(k, point, x);
        all.insert(all.end(), x.begin(), x.end());
    }
    return Tensor::from<double>(all, {shape_.points, shape_.rows * outputs()});
}

double DenseChainJob::tolerance() const {
    double terms = 0.0;
    for (const std::int32_t width : shape_.widths)
        terms += width;
    return 6e-8 * terms;
}

}  // namespace lossmap::kernels::test
