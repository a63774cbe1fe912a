#include "cpu/pool_operation.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/error.hpp"
#include "cpu/elementwise.hpp"

namespace lossmap::cpu {
namespace {

// One name for both element types.
void raise(float* y, const float* x, std::size_t count) { maximum(y, x, count); }
void raise(std::uint16_t* y, const std::uint16_t* x, std::size_t count) { maximum_bf16(y, x, count); }
void raise_to_four(float* y, const std::array<const float*, 4>& x, std::size_t count) {
    maximum_of_four(y, x[0], x[1], x[2], x[3], count);
}
void raise_to_four(std::uint16_t* y, const std::array<const std::uint16_t*, 4>& x, std::size_t count) {
    maximum_of_four_bf16(y, x[0], x[1], x[2], x[3], count);
}

}  // namespace

PoolOperation::PoolOperation(Kind kind, const ops::Window& window, std::size_t batch, std::size_t channels,
                             Place source, Place target, bool bf16)
    : kind_(kind), window_(window), batch_(batch), channels_(channels), source_(source), target_(target), bf16_(bf16) {
    if (bf16 && kind != Kind::maximum) throw InternalError("an average of bf16");
}

std::string PoolOperation::implementation() const {
    switch (kind_) {
        case Kind::maximum: return "max pool";
        case Kind::average: return "average pool";
        case Kind::average_with_padding: return "average pool, padding counted";
    }
    throw InternalError("pool kind {} has no name", static_cast<int>(kind_));
}

template <typename Visit>
void PoolOperation::for_each_pixel(const ops::Window::Extents& position, Visit&& visit) const {
    const ops::Window& w = window_;
    ops::Window::Extents start{};
    for (std::size_t axis = 0; axis < 3; ++axis)
        start[axis] = position[axis] * w.stride[axis] - w.pad_begin[axis];
    for (std::int64_t kd = 0; kd < w.kernel[0]; ++kd) {
        const std::int64_t d = start[0] + kd * w.dilation[0];
        if (d < 0 || d >= w.input[0]) continue;
        for (std::int64_t kh = 0; kh < w.kernel[1]; ++kh) {
            const std::int64_t h = start[1] + kh * w.dilation[1];
            if (h < 0 || h >= w.input[1]) continue;
            for (std::int64_t kx = 0; kx < w.kernel[2]; ++kx) {
                const std::int64_t x = start[2] + kx * w.dilation[2];
                if (x < 0 || x >= w.input[2]) continue;
                visit(static_cast<std::size_t>((d * w.input[1] + h) * w.input[2] + x) * channels_);
            }
        }
    }
}

template <typename Element>
void PoolOperation::take_maximum(const Element* image, Element* result, const ops::Window::Extents& position) const {
    // The first four together: most windows have no more.
    std::array<const Element*, 4> first{};
    std::size_t inside = 0;
    for_each_pixel(position, [&](std::size_t offset) {
        if (inside >= first.size()) return raise(result, image + offset, channels_);
        first[inside] = image + offset;
        if (++inside == first.size()) raise_to_four(result, first, channels_);
    });
    if (inside == first.size()) return;
    std::copy_n(first[0], channels_, result);
    for (std::size_t k = 1; k < inside; ++k)
        raise(result, first[k], channels_);
}

void PoolOperation::take_average(const float* image, float* result, const ops::Window::Extents& position) const {
    const ops::Window& w = window_;
    std::int64_t padded = 1;  // positions within input and padding
    for (std::size_t axis = 0; axis < 3; ++axis) {
        const std::int64_t start = position[axis] * w.stride[axis] - w.pad_begin[axis];
        const std::int64_t room = w.input[axis] + w.pad_end[axis] - start;
        padded *= std::min(w.kernel[axis], (room + w.dilation[axis] - 1) / w.dilation[axis]);
    }
    std::int64_t inside = 0;
    for_each_pixel(position, [&](std::size_t offset) {
        if (inside++ == 0) {
            std::copy_n(image + offset, channels_, result);
        } else {
            add(result, image + offset, channels_);
        }
    });
    const std::int64_t divisor = kind_ == Kind::average ? inside : padded;
    if (inside == 0) std::fill_n(result, channels_, 0.0F);
    for (std::size_t c = 0; c < channels_; ++c)
        result[c] /= static_cast<float>(divisor);
}

template <typename Element, typename Pool>
void PoolOperation::for_each_position(const Frame& frame, Pool&& pool) const {
    const auto* source = static_cast<const Element*>(frame.readable(source_));
    auto* target = static_cast<Element*>(frame.writable(target_));
    const auto pixels = static_cast<std::size_t>(ops::Window::count(window_.input));
    for (std::size_t n = 0; n < batch_; ++n) {
        const Element* image = source + n * pixels * channels_;
        for (std::int64_t d = 0; d < window_.output[0]; ++d) {
            for (std::int64_t h = 0; h < window_.output[1]; ++h) {
                for (std::int64_t x = 0; x < window_.output[2]; ++x) {
                    pool(image, target, ops::Window::Extents{d, h, x});
                    target += channels_;
                }
            }
        }
    }
}

void PoolOperation::run(const Frame& frame) const {
    const auto maximum = [this](const auto* image, auto* result, const ops::Window::Extents& position) {
        take_maximum(image, result, position);
    };
    if (bf16_) return for_each_position<std::uint16_t>(frame, maximum);
    if (kind_ == Kind::maximum) return for_each_position<float>(frame, maximum);
    for_each_position<float>(frame, [this](const float* image, float* result, const ops::Window::Extents& position) {
        take_average(image, result, position);
    });
}

}  // namespace lossmap::cpu
