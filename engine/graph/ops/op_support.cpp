#include "graph/ops/op_support.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace lossmap::ops {

std::int64_t extent_product(std::span<const std::int64_t> shape, std::size_t begin, std::size_t end) {
    return element_count(shape.subspan(begin, end - begin));
}

Types same_as_first(const InferenceContext& context) { return {context.input(0)}; }

Types same_float(const InferenceContext& context) {
    require_float(context);
    return {context.input(0)};
}

void require_float(const InferenceContext& context, std::size_t index) {
    const DType dtype = context.input(index).dtype;
    require(dtype == DType::f32 || dtype == DType::f64, "input {} has element type {}, expected floating point", index,
            name_of(dtype));
}

void require_same_dtype(const InferenceContext& context, std::size_t count) {
    const DType first = context.input(0).dtype;
    for (std::size_t index = 1; index < count; ++index) {
        if (!context.node.has_input(index)) continue;
        const DType other = context.input(index).dtype;
        require(other == first, "input {} has element type {}, input 0 has {}", index, name_of(other), name_of(first));
    }
}

Ints read_ints(const ConstTensorView& view) {
    if (view.dtype == DType::i64) {
        const auto values = view.as<std::int64_t>();
        return {values.begin(), values.end()};
    }
    if (view.dtype == DType::i32) {
        const auto values = view.as<std::int32_t>();
        return {values.begin(), values.end()};
    }
    throw InputError("integers are expected, the element type is {}", name_of(view.dtype));
}

std::vector<double> read_doubles(const ConstTensorView& view) {
    Tensor wide(DType::f64, view.shape);
    convert_elements(view, wide.view());
    const auto values = wide.as<double>();
    return {values.begin(), values.end()};
}

double read_scalar(const ConstTensorView& view) {
    const std::vector<double> values = read_doubles(view);
    require(!values.empty(), "a scalar is expected, the tensor is empty");
    return values.front();
}

std::optional<Ints> ints_of(const InferenceContext& context, const std::string& attribute, std::size_t input_index) {
    if (context.node.attributes.has(attribute)) return context.node.attributes.get_ints(attribute, {});
    if (context.node.has_input(input_index)) return context.constant_ints(input_index);
    return std::nullopt;
}

std::optional<Ints> ints_of(const Node& node, Inputs inputs, const std::string& attribute, std::size_t input_index) {
    if (node.attributes.has(attribute)) return node.attributes.get_ints(attribute, {});
    if (node.has_input(input_index)) return read_ints(inputs[input_index]);
    return std::nullopt;
}

DType dtype_from_onnx(std::int64_t number) {
    switch (number) {  // TensorProto.DataType, onnx.proto
        case 1:
        case 10:
        case 11:
        case 16: return DType::f32;
        case 2: return DType::u8;
        case 3: return DType::i8;
        case 4: return DType::u16;
        case 5: return DType::i16;
        case 6: return DType::i32;
        case 7: return DType::i64;
        case 9: return DType::boolean;
        case 12: return DType::u32;
        case 13: return DType::u64;
        case 8: throw UnsupportedError("strings are not supported");
        case 14:
        case 15: throw UnsupportedError("complex numbers are not supported");
        default: throw UnsupportedError("element type number {} is not supported", number);
    }
}

namespace {

template <typename To, typename From>
To convert(From value) {
    if constexpr (std::is_same_v<To, bool>) {
        return value != From{};
    } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
        if (std::isnan(value)) return To{};
        // 2^digits is exact in both floating-point types, max() itself is not.
        const From limit = std::ldexp(From{1}, std::numeric_limits<To>::digits);
        if (value >= limit) return std::numeric_limits<To>::max();
        if (value <= static_cast<From>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
        return static_cast<To>(value);
    } else {
        return static_cast<To>(value);
    }
}

}  // namespace

void convert_elements(const ConstTensorView& from, const TensorView& to) {
    if (from.dtype == to.dtype) return copy_bytes(from, to);
    const std::int64_t count = to.count();
    if (from.dtype == DType::f16 || from.dtype == DType::bf16) {
        Tensor single(DType::f32, from.shape);
        const auto expand = from.dtype == DType::f16 ? half_to_float : bfloat16_to_float;
        for (std::int64_t i = 0; i < count; ++i)
            single.as<float>()[i] = expand(raw<std::uint16_t>(from)[i]);
        return convert_elements(std::as_const(single).view(), to);
    }
    visit_any(from.dtype, [&](auto from_tag) {
        using From = typename decltype(from_tag)::type;
        visit_any(to.dtype, [&](auto to_tag) {
            using To = typename decltype(to_tag)::type;
            const From* source = raw<From>(from);
            To* target = raw<To>(to);
            for (std::int64_t i = 0; i < count; ++i)
                target[i] = convert<To>(source[i]);
        });
    });
}

DType wide_type(DType dtype) {
    switch (dtype) {
        case DType::i8:
        case DType::i16:
        case DType::boolean: return DType::i32;
        case DType::u8:
        case DType::u16:
        case DType::u32: return DType::u64;
        default: return dtype;
    }
}

void run_widened(const Node& node, Inputs inputs, Outputs outputs, HostKernel body) {
    std::vector<Tensor> storage;
    storage.reserve(inputs.size() + outputs.size());  // views below point into it
    std::vector<ConstTensorView> wide_inputs(inputs.begin(), inputs.end());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!node.has_input(i) || wide_type(inputs[i].dtype) == inputs[i].dtype) continue;
        Tensor& wide = storage.emplace_back(wide_type(inputs[i].dtype), inputs[i].shape);
        convert_elements(inputs[i], wide.view());
        wide_inputs[i] = std::as_const(wide).view();
    }
    std::vector<TensorView> wide_outputs(outputs.begin(), outputs.end());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        if (!node.has_output(i) || wide_type(outputs[i].dtype) == outputs[i].dtype) continue;
        wide_outputs[i] = storage.emplace_back(wide_type(outputs[i].dtype), outputs[i].shape).view();
    }
    body(node, wide_inputs, wide_outputs);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        if (wide_outputs[i].data != outputs[i].data) convert_elements(wide_outputs[i], outputs[i]);
    }
}

void copy_bytes(const ConstTensorView& from, const TensorView& to) {
    const std::int64_t count = to.count();
    if (from.count() != count || size_of(from.dtype) != size_of(to.dtype)) {
        throw InternalError("copy of shape {} to shape {}", to_string(from.shape), to_string(to.shape));
    }
    if (count > 0) std::memcpy(to.data, from.data, static_cast<std::size_t>(count) * size_of(to.dtype));
}

StridedLoop::StridedLoop(Shape shape_in, std::vector<Shape> strides_in) : strides(strides_in.size()) {
    for (std::size_t axis = 0; axis < shape_in.size(); ++axis) {
        if (shape_in[axis] == 1) continue;
        bool merge = !shape.empty();
        for (std::size_t k = 0; k < strides.size() && merge; ++k) {
            merge = strides[k].back() == strides_in[k][axis] * shape_in[axis];
        }
        if (merge) {
            shape.back() *= shape_in[axis];
            for (std::size_t k = 0; k < strides.size(); ++k)
                strides[k].back() = strides_in[k][axis];
        } else {
            shape.push_back(shape_in[axis]);
            for (std::size_t k = 0; k < strides.size(); ++k)
                strides[k].push_back(strides_in[k][axis]);
        }
    }
}

Shape broadcast_strides(std::span<const std::int64_t> operand, std::span<const std::int64_t> target) {
    const Shape own = row_major_strides(operand);
    Shape strides(target.size(), 0);
    const std::size_t lead = target.size() - operand.size();
    for (std::size_t axis = 0; axis < operand.size(); ++axis) {
        strides[lead + axis] = operand[axis] == 1 ? 0 : own[axis];
    }
    return strides;
}

void remap(const ConstTensorView& input, std::span<const Ints> maps, const void* fill, const TensorView& output) {
    const Shape strides = row_major_strides(input.shape);
    const std::size_t rank = input.shape.size();
    const std::int64_t count = output.count();
    if (count == 0) return;
    visit_size(input.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* source = raw<T>(input);
        T* target = raw<T>(output);
        const T filler = fill == nullptr ? T{} : *static_cast<const T*>(fill);
        if (rank == 0) {
            *target = *source;
            return;
        }
        Shape index(rank, 0);
        const Ints& last = maps[rank - 1];
        for (std::int64_t done = 0; done < count;) {
            std::int64_t base = 0;
            bool outside = false;
            for (std::size_t axis = 0; axis + 1 < rank; ++axis) {
                const std::int64_t at = maps[axis][static_cast<std::size_t>(index[axis])];
                outside = outside || at < 0;
                base += at * strides[axis];
            }
            for (const std::int64_t at : last)
                *target++ = outside || at < 0 ? filler : source[base + at];
            done += static_cast<std::int64_t>(last.size());
            for (std::size_t axis = rank - 1; axis-- > 0;) {
                if (++index[axis] < output.shape[axis]) break;
                index[axis] = 0;
            }
        }
    });
}

void copy_strided(const ConstTensorView& input, Shape strides, const TensorView& output) {
    const StridedLoop loop(output.shape, {std::move(strides)});
    visit_size(input.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* source = raw<T>(input);
        T* target = raw<T>(output);
        for_each_row<1>(loop, [&](std::int64_t out, const auto& begin, const auto& step, std::int64_t count) {
            const T* from = source + begin[0];
            if (step[0] == 1) {
                std::memcpy(target + out, from, static_cast<std::size_t>(count) * sizeof(T));
            } else {
                for (std::int64_t i = 0; i < count; ++i)
                    target[out + i] = from[i * step[0]];
            }
        });
    });
}

}  // namespace lossmap::ops
