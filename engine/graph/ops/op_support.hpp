#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "graph/operator_table.hpp"

/// What the operator families share: checks for shape rules, dispatch over element types, loops over strided tensors.
namespace lossmap::ops {

using Ints = std::vector<std::int64_t>;
using Types = std::vector<TensorType>;
using Inputs = std::span<const ConstTensorView>;
using Outputs = std::span<const TensorView>;

/// Throws InputError with the formatted sentence unless `condition` holds.
template <typename... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
    if (!condition) throw InputError(fmt::format(format, std::forward<Args>(args)...));
}

/// Axis of a tensor as an index into its shape.
[[nodiscard]] inline std::size_t axis_index(std::int64_t axis, std::size_t rank) {
    return static_cast<std::size_t>(normalize_axis(axis, rank));
}

/// Product of extents [begin, end).
[[nodiscard]] std::int64_t extent_product(std::span<const std::int64_t> shape, std::size_t begin, std::size_t end);

/// Type and shape of input 0.
[[nodiscard]] Types same_as_first(const InferenceContext& context);
/// The same; refuses element types that are not floating point.
[[nodiscard]] Types same_float(const InferenceContext& context);
/// Throws InputError unless input `index` is f32 or f64.
void require_float(const InferenceContext& context, std::size_t index = 0);
/// Throws InputError unless all given inputs have the element type of input 0.
void require_same_dtype(const InferenceContext& context, std::size_t count);

/// Integers of an i32 or i64 tensor. Throws InputError for other element types.
[[nodiscard]] Ints read_ints(const ConstTensorView& view);
/// First element as fp64, whatever the element type. Throws InputError for an empty tensor.
[[nodiscard]] double read_scalar(const ConstTensorView& view);
/// All elements as fp64.
[[nodiscard]] std::vector<double> read_doubles(const ConstTensorView& view);

/// An integer list that is an attribute in old operator sets and an input in new ones; nullopt when absent.
[[nodiscard]] std::optional<Ints> ints_of(const InferenceContext& context, const std::string& attribute,
                                          std::size_t input_index);
[[nodiscard]] std::optional<Ints> ints_of(const Node& node, Inputs inputs, const std::string& attribute,
                                          std::size_t input_index);

/// Element type of an ONNX TensorProto.DataType number, as stored in attributes `to` and `dtype`. f16 and bf16 are
/// computed in f32, and so is f64 (initializers are converted on import, results must fit them). Throws
/// UnsupportedError for strings, complex and 4- or 8-bit floating-point types.
[[nodiscard]] DType dtype_from_onnx(std::int64_t number);

/// Converts elements; floating-point to integer truncates and saturates (NaN gives 0), to bool compares with zero,
/// integer to narrower integer wraps.
void convert_elements(const ConstTensorView& from, const TensorView& to);

template <typename T>
struct TypeTag {
    using type = T;
};

/// Calls `function(TypeTag<T>{})` for f32 or f64. Throws UnsupportedError for other types.
template <typename Function>
void visit_float(DType dtype, Function&& function) {
    switch (dtype) {
        case DType::f32: return function(TypeTag<float>{});
        case DType::f64: return function(TypeTag<double>{});
        default: throw UnsupportedError("element type {} is not supported, f32 is", name_of(dtype));
    }
}

/// The type in which integer arithmetic on `dtype` is done: narrow types go through i32 or u64, results wrap back.
[[nodiscard]] DType wide_type(DType dtype);

/// Calls `function` with the C++ type of a wide_type().
template <typename Function>
void visit_wide(DType dtype, Function&& function) {
    switch (dtype) {
        case DType::f32: return function(TypeTag<float>{});
        case DType::f64: return function(TypeTag<double>{});
        case DType::i32: return function(TypeTag<std::int32_t>{});
        case DType::i64: return function(TypeTag<std::int64_t>{});
        case DType::u64: return function(TypeTag<std::uint64_t>{});
        default: throw UnsupportedError("element type {} is not supported", name_of(dtype));
    }
}

/// Calls `function` with the C++ type of any element type but f16 and bf16.
template <typename Function>
void visit_any(DType dtype, Function&& function) {
    switch (dtype) {
        case DType::i8: return function(TypeTag<std::int8_t>{});
        case DType::i16: return function(TypeTag<std::int16_t>{});
        case DType::u8: return function(TypeTag<std::uint8_t>{});
        case DType::u16: return function(TypeTag<std::uint16_t>{});
        case DType::u32: return function(TypeTag<std::uint32_t>{});
        case DType::boolean: return function(TypeTag<bool>{});
        default: return visit_wide(dtype, std::forward<Function>(function));
    }
}

/// Calls `function` with an unsigned integer type as wide as an element: for operators that only move data.
template <typename Function>
void visit_size(DType dtype, Function&& function) {
    switch (size_of(dtype)) {
        case 1: return function(TypeTag<std::uint8_t>{});
        case 2: return function(TypeTag<std::uint16_t>{});
        case 4: return function(TypeTag<std::uint32_t>{});
        default: return function(TypeTag<std::uint64_t>{});
    }
}

/// Runs `body(inputs, outputs)` with every input and output of element type wide_type(), converting in front and behind
/// where a tensor has a narrow type. Outputs listed in `keep` (comparison results) keep their type.
void run_widened(const Node& node, Inputs inputs, Outputs outputs, HostKernel body);

/// Elements of a view without the element-type check of `as`: for data movement through visit_size.
template <typename T>
[[nodiscard]] const T* raw(const ConstTensorView& view) {
    return static_cast<const T*>(view.data);
}
template <typename T>
[[nodiscard]] T* raw(const TensorView& view) {
    return static_cast<T*>(view.data);
}

/// Copies all bytes of `from` to `to` (equal element counts and element sizes).
void copy_bytes(const ConstTensorView& from, const TensorView& to);

/// A loop over a row-major output with operands of given strides (in elements; 0 repeats), adjacent dimensions merged
/// where all operands allow.
struct StridedLoop {
    Shape shape;
    std::vector<Shape> strides;  ///< one an operand

    StridedLoop(Shape shape_in, std::vector<Shape> strides_in);
};

/// Strides of `operand` broadcast to `target` (0 in repeated dimensions).
[[nodiscard]] Shape broadcast_strides(std::span<const std::int64_t> operand, std::span<const std::int64_t> target);

/// Calls `row(output begin, operand begins, operand steps, count)` for each innermost row.
template <std::size_t N, typename Row>
void for_each_row(const StridedLoop& loop, Row&& row) {
    if (element_count(loop.shape) == 0) return;
    std::array<std::int64_t, N> begins{};
    std::array<std::int64_t, N> steps{};
    if (loop.shape.empty()) return row(std::int64_t{0}, begins, steps, std::int64_t{1});
    const std::size_t last = loop.shape.size() - 1;
    for (std::size_t k = 0; k < N; ++k)
        steps[k] = loop.strides[k][last];
    const std::int64_t count = loop.shape[last];
    Shape index(last, 0);
    std::int64_t output = 0;
    while (true) {
        row(output, begins, steps, count);
        output += count;
        std::size_t axis = last;
        while (axis-- > 0) {
            ++index[axis];
            for (std::size_t k = 0; k < N; ++k)
                begins[k] += loop.strides[k][axis];
            if (index[axis] < loop.shape[axis]) break;
            for (std::size_t k = 0; k < N; ++k)
                begins[k] -= loop.strides[k][axis] * loop.shape[axis];
            index[axis] = 0;
        }
        if (axis == static_cast<std::size_t>(-1)) return;
    }
}

/// output[i0, i1, ..] = input[maps[0][i0], maps[1][i1], ..]; where any map entry is -1 the output gets `fill` (bytes of
/// one element; may be nullptr when there is no -1). Slice, Pad, Tile and nearest-neighbour resizing are this.
void remap(const ConstTensorView& input, std::span<const Ints> maps, const void* fill, const TensorView& output);

/// output (row-major, its shape) = input read with the given strides, in elements.
void copy_strided(const ConstTensorView& input, Shape strides, const TensorView& output);

}  // namespace lossmap::ops
