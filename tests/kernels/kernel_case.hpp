#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/tensor.hpp"
#include "device.hpp"
#include "graph/graph.hpp"

namespace lossmap::kernels::test {

/// One launch (or a few) on given data, and what it must give. The same cases run on the host table, on the reversed
/// host table and on CUDA.
struct KernelCase {
    std::string kernel;  ///< entry of the table
    std::string name;
    std::function<std::vector<Tensor>(Device&)> run;
    /// Computed independently of the kernels; every case has it.
    std::function<std::vector<Tensor>()> expected;
    /// |actual - expected| <= tolerance * (1 + |expected|), and a rounding of the storage type.
    double tolerance = 1e-6;
    /// The same between a device and the host, where they sum in another order: tensor cores.
    double tolerance_between_devices = 1e-6;
};

/// For GoogleTest's messages and names.
void PrintTo(const KernelCase& one, std::ostream* out);
[[nodiscard]] std::string name_of_case(const ::testing::TestParamInfo<KernelCase>& tested);

[[nodiscard]] std::vector<KernelCase> theta_cases();
[[nodiscard]] std::vector<KernelCase> algebra_cases();
[[nodiscard]] std::vector<KernelCase> sample_cases();
[[nodiscard]] std::vector<KernelCase> loss_cases();
[[nodiscard]] std::vector<KernelCase> elementwise_cases();
[[nodiscard]] std::vector<KernelCase> normalization_cases();
[[nodiscard]] std::vector<KernelCase> reduction_cases();
[[nodiscard]] std::vector<KernelCase> pool_cases();
[[nodiscard]] std::vector<KernelCase> window_cases();
[[nodiscard]] std::vector<KernelCase> matrix_cases();
[[nodiscard]] std::vector<KernelCase> dense_cases();
[[nodiscard]] std::vector<KernelCase> stage_cases();
[[nodiscard]] std::vector<KernelCase> warpgroup_cases();
[[nodiscard]] std::vector<KernelCase> split_cases();
[[nodiscard]] std::vector<KernelCase> recurrent_cases();
[[nodiscard]] std::vector<KernelCase> movement_cases();
[[nodiscard]] std::vector<KernelCase> indexing_cases();
[[nodiscard]] std::vector<KernelCase> overflow_cases();
[[nodiscard]] std::vector<KernelCase> all_cases();

/// Elements of any type as fp64.
[[nodiscard]] std::vector<double> numbers_of(const Tensor& tensor);
/// fp32 values as f32, f16 or bf16.
[[nodiscard]] Tensor as_storage(const Tensor& values, DType type);
/// Integers as another integer type or bool.
[[nodiscard]] Tensor as_type(const Tensor& values, DType type);
/// The same numbers as fp32: what a reference computes on.
[[nodiscard]] Tensor as_floats(const Tensor& values);
/// Reproducible fp32 numbers in [-range, range).
[[nodiscard]] Tensor random_floats(Shape shape, std::uint64_t seed, double range = 1.0);
/// Reproducible i64 numbers in [low, high).
[[nodiscard]] Tensor random_ints(Shape shape, std::uint64_t seed, std::int64_t low, std::int64_t high);
/// Puts NaN, infinities, -0 and the smallest numbers into the first elements.
[[nodiscard]] Tensor with_specials(Tensor values);
[[nodiscard]] Dims dims_of(const Shape& shape);
/// Strides of an operand broadcast to `target`.
[[nodiscard]] Strides broadcast_to(const Shape& shape, const Shape& target);

template <typename... Tensors>
[[nodiscard]] std::vector<Tensor> list_of(Tensors... tensors) {
    std::vector<Tensor> list;
    (list.push_back(std::move(tensors)), ...);
    return list;
}

using AttributeMap = std::map<std::string, Attribute>;

/// An operand of an operator: the same at all points, or with a first dimension that counts them.
struct PointTensor {
    std::shared_ptr<const Tensor> values;
    bool per_point = false;
};
[[nodiscard]] PointTensor shared(const Tensor& values);
[[nodiscard]] PointTensor per_point(const Tensor& values);

/// An operator of the graph's table, run point by point with its host kernel; floating-point operands are taken as
/// fp32. Results [points, ..], one an output.
[[nodiscard]] std::vector<Tensor> operator_at_points(const std::string& op_type, std::int64_t points,
                                                     const std::vector<PointTensor>& inputs,
                                                     const AttributeMap& attributes = {}, std::int64_t opset = 17,
                                                     std::size_t outputs = 1);

/// "" when `actual` agrees with `expected`, else a sentence about the first element that does not.
[[nodiscard]] std::string difference_of(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected,
                                        double tolerance);

}  // namespace lossmap::kernels::test
