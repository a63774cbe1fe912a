#include "tests/support/host_arithmetic.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "core/error.hpp"

namespace lossmap::test {
namespace {

/// Nearest number of 10 bits of mantissa, ties to even; infinities and NaN stay.
float round_to_tf32(float value) {
    if (!std::isfinite(value)) return value;
    std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    bits += 0xFFFU + ((bits >> 13) & 1U);
    return std::bit_cast<float>(bits & ~0x1FFFU);
}

float load(const void* data, DType type, std::size_t index) {
    switch (type) {
        case DType::f32: return static_cast<const float*>(data)[index];
        case DType::f16: return half_to_float(static_cast<const std::uint16_t*>(data)[index]);
        case DType::bf16: return bfloat16_to_float(static_cast<const std::uint16_t*>(data)[index]);
        default: throw InternalError("a product of {}", name_of(type));
    }
}

void store(void* data, DType type, std::size_t index, float value) {
    switch (type) {
        case DType::f32: static_cast<float*>(data)[index] = value; return;
        case DType::f16: static_cast<std::uint16_t*>(data)[index] = float_to_half(value); return;
        case DType::bf16: static_cast<std::uint16_t*>(data)[index] = float_to_bfloat16(value); return;
        default: throw InternalError("a product in {}", name_of(type));
    }
}

std::vector<float> operand(const void* data, DType type, Precision precision, std::size_t count) {
    std::vector<float> values(count);
    for (std::size_t k = 0; k < count; ++k) {
        values[k] = load(data, type, k);
        if (precision == Precision::tf32) values[k] = round_to_tf32(values[k]);
    }
    return values;
}

/// NaN stays NaN.
float relu(float value) { return value < 0.0F ? 0.0F : value; }

const void* advance(const void* data, DType type, std::int64_t elements) {
    return static_cast<const std::byte*>(data) + elements * static_cast<std::int64_t>(size_of(type));
}

/// [rows, columns] of a matrix that is stored transposed.
std::vector<float> transposed(const std::vector<float>& values, std::size_t rows, std::size_t columns) {
    std::vector<float> result(values.size());
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < columns; ++c)
            result[r * columns + c] = values[c * rows + r];
    }
    return result;
}

}  // namespace

void multiply(const cuda::GemmProblem& problem, bool joined, const cuda::GemmOperands& operands) {
    const auto rows = static_cast<std::size_t>(problem.rows);
    const auto columns = static_cast<std::size_t>(problem.columns);
    const auto inner = static_cast<std::size_t>(problem.inner);
    std::vector<float> sums(columns);
    for (std::int64_t item = 0; item < problem.batch; ++item) {
        auto a = operand(advance(operands.a, problem.type, item * problem.stride_a), problem.type, problem.precision,
                         rows * inner);
        auto b = operand(advance(operands.b, problem.type, item * problem.stride_b), problem.type, problem.precision,
                         inner * columns);
        if (problem.transpose_a) a = transposed(a, rows, inner);
        if (problem.transpose_b) b = transposed(b, inner, columns);
        for (std::size_t r = 0; r < rows; ++r) {
            std::fill(sums.begin(), sums.end(), 0.0F);
            for (std::size_t k = 0; k < inner; ++k) {
                const float factor = a[r * inner + k];
                const float* row = b.data() + k * columns;
                for (std::size_t c = 0; c < columns; ++c)
                    sums[c] += factor * row[c];
            }
            for (std::size_t c = 0; c < columns; ++c) {
                float value = sums[c];
                if (joined && problem.bias) {
                    value += operands.bias[item * problem.stride_bias + static_cast<std::int64_t>(c)];
                }
                if (joined && problem.relu) value = relu(value);
                const auto index = static_cast<std::size_t>(item * problem.stride_d) + r * columns + c;
                store(operands.d, problem.result_type, index, value);
            }
        }
    }
}

namespace {

/// Weights [K, taps, C / groups] as [taps, C / groups, K], so that the innermost loop runs over K.
std::vector<float> taps_outermost(const std::vector<float>& weights, std::size_t out, std::size_t row) {
    std::vector<float> result(weights.size());
    for (std::size_t k = 0; k < out; ++k) {
        for (std::size_t i = 0; i < row; ++i)
            result[i * out + k] = weights[k * row + i];
    }
    return result;
}

/// Sums of one output position, [K].
class Position {
public:
    Position(const cuda::ConvolutionProblem& problem, const std::vector<float>& images,
             const std::vector<float>& weights)
        : p_(problem), images_(images), weights_(weights), sums_(static_cast<std::size_t>(problem.out_channels)) {}

    const std::vector<float>& compute(std::int64_t image, std::int64_t z, std::int64_t y, std::int64_t x) {
        std::fill(sums_.begin(), sums_.end(), 0.0F);
        std::int64_t tap = 0;
        for (std::int64_t kz = 0; kz < p_.kernel[0]; ++kz) {
            for (std::int64_t ky = 0; ky < p_.kernel[1]; ++ky) {
                for (std::int64_t kx = 0; kx < p_.kernel[2]; ++kx, ++tap) {
                    const std::array<std::int64_t, 3> at{place(0, z, kz), place(1, y, ky), place(2, x, kx)};
                    if (inside(at)) add_tap(image, at, tap);
                }
            }
        }
        return sums_;
    }

private:
    [[nodiscard]] std::int64_t place(std::size_t axis, std::int64_t position, std::int64_t tap) const {
        return position * p_.stride[axis] - p_.pad_begin[axis] + tap * p_.dilation[axis];
    }
    [[nodiscard]] bool inside(const std::array<std::int64_t, 3>& at) const {
        for (std::size_t axis = 0; axis < 3; ++axis) {
            if (at[axis] < 0 || at[axis] >= p_.input[axis]) return false;
        }
        return true;
    }
    void add_tap(std::int64_t image, const std::array<std::int64_t, 3>& at, std::int64_t tap) {
        const std::int64_t pixel = ((image * p_.input[0] + at[0]) * p_.input[1] + at[1]) * p_.input[2] + at[2];
        const float* source = images_.data() + pixel * p_.channels;
        const std::int64_t in_group = p_.channels / p_.groups;
        const std::int64_t out_group = p_.out_channels / p_.groups;
        for (std::int64_t g = 0; g < p_.groups; ++g) {
            float* sums = sums_.data() + g * out_group;
            for (std::int64_t c = 0; c < in_group; ++c) {
                const float value = source[g * in_group + c];
                const float* row = weights_.data() + (tap * in_group + c) * p_.out_channels + g * out_group;
                for (std::int64_t k = 0; k < out_group; ++k)
                    sums[k] += value * row[k];
            }
        }
    }

    const cuda::ConvolutionProblem& p_;
    const std::vector<float>& images_;
    const std::vector<float>& weights_;
    std::vector<float> sums_;
};

}  // namespace

void convolve(const cuda::ConvolutionProblem& problem, bool joined, const cuda::ConvolutionOperands& operands) {
    const std::int64_t in_pixels = problem.input[0] * problem.input[1] * problem.input[2];
    const std::int64_t taps = problem.kernel[0] * problem.kernel[1] * problem.kernel[2];
    const auto row = static_cast<std::size_t>(taps * problem.channels / problem.groups);
    const auto out = static_cast<std::size_t>(problem.out_channels);
    const auto images = operand(operands.images, problem.type, problem.precision,
                                static_cast<std::size_t>(problem.images * in_pixels * problem.channels));
    const auto weights =
        taps_outermost(operand(operands.weights, problem.type, problem.precision, out * row), out, row);
    Position position(problem, images, weights);
    std::size_t index = 0;
    for (std::int64_t n = 0; n < problem.images; ++n) {
        for (std::int64_t z = 0; z < problem.output[0]; ++z) {
            for (std::int64_t y = 0; y < problem.output[1]; ++y) {
                for (std::int64_t x = 0; x < problem.output[2]; ++x) {
                    const std::vector<float>& sums = position.compute(n, z, y, x);
                    for (std::size_t k = 0; k < out; ++k, ++index) {
                        float value = sums[k];
                        if (joined && problem.bias) value += operands.bias[k];
                        if (joined && problem.residual) value += load(operands.residual, problem.type, index);
                        if (joined && problem.relu) value = relu(value);
                        store(operands.result, problem.type, index, value);
                    }
                }
            }
        }
    }
}

namespace {

/// A symmetric matrix with rotations of its columns gathered beside it.
class Rotations {
public:
    Rotations(std::size_t order, double* matrix) : n_(order), matrix_(matrix), vectors_(order * order, 0.0) {
        for (std::size_t k = 0; k < n_; ++k)
            vectors_[k * n_ + k] = 1.0;
    }

    /// Turns all pairs of rows once; whether anything was left to turn.
    bool sweep() {
        bool turned = false;
        for (std::size_t p = 0; p < n_; ++p) {
            for (std::size_t q = p + 1; q < n_; ++q) {
                const double off = at(p, q);
                if (std::abs(off) <= 1e-17 * std::sqrt(std::abs(at(p, p) * at(q, q))) || std::abs(off) < 1e-300)
                    continue;
                turn(p, q, off);
                turned = true;
            }
        }
        return turned;
    }

    [[nodiscard]] double value(std::size_t k) const { return matrix_[k * n_ + k]; }
    /// Component `row` of vector k.
    [[nodiscard]] double entry(std::size_t row, std::size_t k) const { return vectors_[row * n_ + k]; }

private:
    [[nodiscard]] double& at(std::size_t row, std::size_t column) { return matrix_[row * n_ + column]; }

    void turn(std::size_t p, std::size_t q, double off) {
        const double theta = (at(q, q) - at(p, p)) / (2.0 * off);
        const double t = (theta < 0.0 ? -1.0 : 1.0) / (std::abs(theta) + std::hypot(theta, 1.0));
        const double c = 1.0 / std::hypot(t, 1.0);
        const double s = t * c;
        const auto rotate = [c, s](double& x, double& y) {
            const double first = c * x - s * y;
            y = s * x + c * y;
            x = first;
        };
        for (std::size_t k = 0; k < n_; ++k)
            rotate(at(k, p), at(k, q));
        for (std::size_t k = 0; k < n_; ++k)
            rotate(at(p, k), at(q, k));
        for (std::size_t k = 0; k < n_; ++k)
            rotate(vectors_[k * n_ + p], vectors_[k * n_ + q]);
        at(p, q) = at(q, p) = 0.0;
    }

    std::size_t n_;
    double* matrix_;
    std::vector<double> vectors_;
};

}  // namespace

void find_eigenvectors(std::int64_t order, double* matrix, double* values) {
    const auto n = static_cast<std::size_t>(order);
    Rotations rotations(n, matrix);
    for (int sweeps = 0; sweeps < 60 && rotations.sweep(); ++sweeps) {
    }
    std::vector<std::size_t> ascending(n);
    std::iota(ascending.begin(), ascending.end(), std::size_t{0});
    std::sort(ascending.begin(), ascending.end(),
              [&](std::size_t a, std::size_t b) { return rotations.value(a) < rotations.value(b); });
    for (std::size_t k = 0; k < n; ++k)
        values[k] = rotations.value(ascending[k]);
    for (std::size_t k = 0; k < n; ++k) {
        double largest = 0.0;
        for (std::size_t row = 0; row < n; ++row) {
            const double entry = rotations.entry(row, ascending[k]);
            if (std::abs(entry) > std::abs(largest)) largest = entry;
        }
        const double sign = (largest < 0.0) == (k % 2 == 0) ? 1.0 : -1.0;
        for (std::size_t row = 0; row < n; ++row)
            matrix[k * n + row] = sign * rotations.entry(row, ascending[k]);
    }
}

}  // namespace lossmap::test
