#include "kernel_case.hpp"

#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "../graph/graph_builder.hpp"

namespace lossmap::kernels::test {
namespace {

std::uint64_t next_random(std::uint64_t& state) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 11;
}

/// Half a unit in the last place of the storage type, relative; the result is rounded to it once.
double rounding_of(DType type) {
    switch (type) {
        case DType::f16: return 0x1p-11;
        case DType::bf16: return 0x1p-8;
        default: return 0.0;
    }
}

Tensor point_of(const PointTensor& operand, std::int64_t point) {
    if (!operand.per_point) return operand.values->clone();
    const Shape& all = operand.values->shape();
    Tensor one(operand.values->dtype(), Shape(all.begin() + 1, all.end()));
    std::memcpy(one.data(), static_cast<const std::byte*>(operand.values->data()) + point * one.size_bytes(),
                one.size_bytes());
    return one;
}

}  // namespace

void PrintTo(const KernelCase& one, std::ostream* out) { *out << one.kernel << ' ' << one.name; }

std::string name_of_case(const ::testing::TestParamInfo<KernelCase>& tested) {
    std::string name = tested.param.kernel + "_" + tested.param.name;
    for (char& c : name)
        c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
    return name;
}

std::vector<double> numbers_of(const Tensor& tensor) {
    const auto count = static_cast<std::size_t>(tensor.count());
    std::vector<double> numbers(count);
    for (std::size_t k = 0; k < count; ++k) {
        const auto at = static_cast<std::int64_t>(k);
        const DType type = tensor.dtype();
        if (type == DType::f64)
            numbers[k] = static_cast<const double*>(tensor.data())[k];
        else if (is_floating_point(type))
            numbers[k] = static_cast<double>(load_float(tensor.data(), type, at));
        else
            numbers[k] = static_cast<double>(load_int(tensor.data(), type, at));
    }
    return numbers;
}

Tensor as_storage(const Tensor& values, DType type) {
    Tensor result(type, values.shape());
    for (std::int64_t k = 0; k < values.count(); ++k)
        store_float(result.data(), type, k, values.as<float>()[static_cast<std::size_t>(k)]);
    return result;
}

Tensor as_type(const Tensor& values, DType type) {
    Tensor result(type, values.shape());
    for (std::int64_t k = 0; k < values.count(); ++k)
        store_int(result.data(), type, k, load_int(values.data(), values.dtype(), k));
    return result;
}

Tensor as_floats(const Tensor& values) {
    Tensor result(DType::f32, values.shape());
    for (std::int64_t k = 0; k < values.count(); ++k)
        result.as<float>()[static_cast<std::size_t>(k)] = load_float(values.data(), values.dtype(), k);
    return result;
}

Tensor random_floats(Shape shape, std::uint64_t seed, double range) {
    Tensor tensor(DType::f32, std::move(shape));
    for (float& x : tensor.as<float>())
        x = static_cast<float>((static_cast<double>(next_random(seed)) * 0x1p-52 - 1.0) * range);
    return tensor;
}

Tensor random_ints(Shape shape, std::uint64_t seed, std::int64_t low, std::int64_t high) {
    Tensor tensor(DType::i64, std::move(shape));
    for (std::int64_t& x : tensor.as<std::int64_t>())
        x = low + static_cast<std::int64_t>(next_random(seed) % static_cast<std::uint64_t>(high - low));
    return tensor;
}

Tensor with_specials(Tensor values) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const float specials[] = {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity, -0.0F, 0.0F, 1e-30F};
    std::size_t k = 0;
    for (const float special : specials)
        values.as<float>()[k++] = special;
    return values;
}

Dims dims_of(const Shape& shape) {
    Dims dims;
    dims.rank = static_cast<int>(shape.size());
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
        dims.extents[axis] = shape[axis];
    return dims;
}

Strides broadcast_to(const Shape& shape, const Shape& target) {
    Strides strides;
    std::int64_t step = 1;
    for (std::size_t k = 0; k < shape.size(); ++k) {
        const std::size_t axis = shape.size() - 1 - k;
        if (shape[axis] != 1) strides.values[target.size() - 1 - k] = step;
        step *= shape[axis];
    }
    return strides;
}

PointTensor shared(const Tensor& values) { return {std::make_shared<const Tensor>(values.clone()), false}; }
PointTensor per_point(const Tensor& values) { return {std::make_shared<const Tensor>(values.clone()), true}; }

std::vector<Tensor> operator_at_points(const std::string& op_type, std::int64_t points,
                                       const std::vector<PointTensor>& inputs, const AttributeMap& attributes,
                                       std::int64_t opset, std::size_t outputs) {
    std::vector<Tensor> results;
    for (std::int64_t point = 0; point < points; ++point) {
        std::vector<Tensor> operands;
        for (const PointTensor& input : inputs) {
            Tensor one = point_of(input, point);
            operands.push_back(one.dtype() == DType::f16 || one.dtype() == DType::bf16 ? as_floats(one)
                                                                                       : std::move(one));
        }
        const auto ran = lossmap::test::run_node(op_type, std::move(operands), attributes, opset, outputs);
        for (std::size_t k = 0; k < ran.size(); ++k) {
            if (point == 0) {
                Shape shape = ran[k].shape();
                shape.insert(shape.begin(), points);
                results.emplace_back(ran[k].dtype(), shape);
            }
            std::memcpy(static_cast<std::byte*>(results[k].data()) + point * ran[k].size_bytes(), ran[k].data(),
                        ran[k].size_bytes());
        }
    }
    return results;
}

std::string difference_of(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected, double tolerance) {
    if (actual.size() != expected.size()) return fmt::format("{} results, expected {}", actual.size(), expected.size());
    for (std::size_t output = 0; output < actual.size(); ++output) {
        const std::vector<double> a = numbers_of(actual[output]);
        const std::vector<double> e = numbers_of(expected[output]);
        if (a.size() != e.size()) return fmt::format("result {}: {} elements, expected {}", output, a.size(), e.size());
        const DType type = actual[output].dtype();
        const double relative = tolerance + rounding_of(type) + rounding_of(expected[output].dtype());
        for (std::size_t k = 0; k < a.size(); ++k) {
            if (std::isnan(e[k]) && std::isnan(a[k])) continue;
            if (e[k] == a[k]) continue;
            // A value beyond the range of fp16 is stored as an infinity.
            if (type == DType::f16 && std::isinf(a[k]) && std::abs(e[k]) > 65504.0 && a[k] * e[k] > 0.0) continue;
            if (std::abs(a[k] - e[k]) <= relative * (1.0 + std::abs(e[k]))) continue;
            return fmt::format("result {}, element {} of {}: {} instead of {}", output, k, a.size(), a[k], e[k]);
        }
    }
    return "";
}

std::vector<KernelCase> all_cases() {
    std::vector<KernelCase> cases;
    for (auto* family :
         {theta_cases, algebra_cases, sample_cases, loss_cases, elementwise_cases, normalization_cases, reduction_cases,
          pool_cases, window_cases, matrix_cases, dense_cases, stage_cases, warpgroup_cases, split_cases,
          recurrent_cases, movement_cases, indexing_cases, overflow_cases}) {
        for (KernelCase& one : family())
            cases.push_back(std::move(one));
    }
    return cases;
}

}  // namespace lossmap::kernels::test
