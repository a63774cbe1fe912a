#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/dtype.hpp"
#include "core/error.hpp"
#include "core/shape.hpp"

namespace lossmap {

/// Dense row-major tensor that somebody else owns; the shape is copied, the elements are borrowed.
struct TensorView {
    DType dtype = DType::f32;
    Shape shape;
    void* data = nullptr;

    [[nodiscard]] std::int64_t count() const { return element_count(shape); }

    /// Elements as T. Throws InternalError when T is not the element type.
    template <typename T>
    [[nodiscard]] std::span<T> as() const {
        if (dtype != dtype_of<T>)
            throw InternalError("tensor holds {}, read as {}", name_of(dtype), name_of(dtype_of<T>));
        return {static_cast<T*>(data), static_cast<std::size_t>(count())};
    }
};

/// The same, read only.
struct ConstTensorView {
    DType dtype = DType::f32;
    Shape shape;
    const void* data = nullptr;

    ConstTensorView() = default;
    ConstTensorView(DType dtype_in, Shape shape_in, const void* data_in)
        : dtype(dtype_in), shape(std::move(shape_in)), data(data_in) {}
    ConstTensorView(const TensorView& view)
        : dtype(view.dtype), shape(view.shape), data(view.data) {}  // NOLINT: implicit

    [[nodiscard]] std::int64_t count() const { return element_count(shape); }

    template <typename T>
    [[nodiscard]] std::span<const T> as() const {
        if (dtype != dtype_of<T>)
            throw InternalError("tensor holds {}, read as {}", name_of(dtype), name_of(dtype_of<T>));
        return {static_cast<const T*>(data), static_cast<std::size_t>(count())};
    }
};

/// Bytes aligned to 64, uninitialised; move-only.
class AlignedBuffer {
public:
    AlignedBuffer() = default;
    explicit AlignedBuffer(std::size_t size_bytes);

    [[nodiscard]] void* data() { return data_.get(); }
    [[nodiscard]] const void* data() const { return data_.get(); }
    [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }

private:
    struct Free {
        void operator()(void* pointer) const noexcept;
    };
    std::unique_ptr<void, Free> data_;
    std::size_t size_bytes_ = 0;
};

/// Owning dense row-major tensor, 64-byte aligned; move-only, `clone` copies.
class Tensor {
public:
    Tensor() = default;
    /// Uninitialised elements. Throws InputError when the size does not fit.
    Tensor(DType dtype, Shape shape);

    /// A tensor with the given elements; `values.size()` must be the shape's element count.
    template <typename T>
    [[nodiscard]] static Tensor from(std::span<const T> values, Shape shape) {
        Tensor tensor(dtype_of<T>, std::move(shape));
        if (static_cast<std::int64_t>(values.size()) != tensor.count()) {
            throw InternalError("{} values for shape {}", values.size(), to_string(tensor.shape()));
        }
        std::copy(values.begin(), values.end(), tensor.as<T>().begin());
        return tensor;
    }
    template <typename T>
    [[nodiscard]] static Tensor scalar(T value) {
        return from<T>(std::span<const T>(&value, 1), {});
    }

    [[nodiscard]] DType dtype() const { return dtype_; }
    [[nodiscard]] const Shape& shape() const { return shape_; }
    [[nodiscard]] std::int64_t count() const { return count_; }
    [[nodiscard]] std::size_t size_bytes() const { return static_cast<std::size_t>(count_) * size_of(dtype_); }
    [[nodiscard]] void* data() { return buffer_.data(); }
    [[nodiscard]] const void* data() const { return buffer_.data(); }

    template <typename T>
    [[nodiscard]] std::span<T> as() {
        return view().as<T>();
    }
    template <typename T>
    [[nodiscard]] std::span<const T> as() const {
        return view().as<T>();
    }

    [[nodiscard]] TensorView view() { return {dtype_, shape_, buffer_.data()}; }
    [[nodiscard]] ConstTensorView view() const { return {dtype_, shape_, buffer_.data()}; }
    [[nodiscard]] Tensor clone() const;

private:
    DType dtype_ = DType::f32;
    Shape shape_;
    std::int64_t count_ = 0;
    AlignedBuffer buffer_;
};

}  // namespace lossmap
