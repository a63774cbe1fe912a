#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel_case.hpp"

/// Dense chains on random data, and what they give by loops in fp64.
namespace lossmap::kernels::test {

/// A chain, its numbers, and the launch of it.
class DenseChainJob {
public:
    struct Shape {
        std::string name;
        std::int64_t rows = 1;
        std::vector<std::int32_t> widths;  ///< of the input, then of results
        std::vector<UnaryFunction> activations;
        DType type = DType::f32;  ///< of input, weights and results
        bool shared_input = true;
        std::int64_t points = 2;
        std::int64_t in_offset = 0;  ///< elements in front of the input, so that it is aligned to nothing
    };

    explicit DenseChainJob(const Shape& shape);

    [[nodiscard]] const Shape& shape() const { return shape_; }
    /// Arguments for points `first` .. `first + points` and the first `rows` rows.
    [[nodiscard]] DenseChainArgs args(Device& device, std::int64_t first, std::int64_t points, std::int64_t rows) const;
    [[nodiscard]] DenseChainArgs args(Device& device) const { return args(device, 0, shape_.points, shape_.rows); }
    /// fp64, [points, rows, last width].
    [[nodiscard]] Tensor expected() const;
    /// Bound of the error of sums, a rounding a term.
    [[nodiscard]] double tolerance() const;

private:
    [[nodiscard]] std::int64_t outputs() const { return shape_.widths.back(); }
    [[nodiscard]] std::vector<double> layer(std::size_t index, std::int64_t point, const std::vector<double>& x) const;

    Shape shape_;
    Tensor in_;                    ///< [points or 1, rows, widths[0]]
    std::vector<Tensor> weights_;  ///< of each layer [points, inputs, outputs]
    std::vector<Tensor> biases_;   ///< [points, outputs]
};

}  // namespace lossmap::kernels::test
