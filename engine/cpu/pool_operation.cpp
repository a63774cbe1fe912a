#include "cpu/pool_operation.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "cpu/elementwise.hpp"

namespace lossmap::cpu {

PoolOperation::PoolOperation(Kind kind, const ops::Window& window, std::size_t batch, std::size_t channels,
                             Place source, Place target)
    : kind_(kind), window_(window), batch_(batch), channels_(channels), source_(source), target_(target) {}

std::string PoolOperation::implementation() const {
    switch (kind_) {
        case Kind::maximum: return "max pool";
        case Kind::average: return "average pool";
        case Kind::average_with_padding: return "average pool, padding counted";
    }
    throw InternalError("pool kind {} has no name", static_cast<int>(kind_));
}

void PoolOperation::pool_position(const float* image, float* result, const ops::Window::Extents& position) const {
    const ops::Window& w = window_;
    ops::Window::Extents start{};
    std::int64_t padded = 1;  // positions within input and padding
    for (std::size_t axis = 0; axis < 3; ++axis) {
        start[axis] = position[axis] * w.stride[axis] - w.pad_begin[axis];
        const std::int64_t room = w.input[axis] + w.pad_end[axis] - start[axis];
        padded *= std::min(w.kernel[axis], (room + w.dilation[axis] - 1) / w.dilation[axis]);
    }
    std::int64_t inside = 0;
    for (std::int64_t kd = 0; kd < w.kernel[0]; ++kd) {
        const std::int64_t d = start[0] + kd * w.dilation[0];
        if (d < 0 || d >= w.input[0]) continue;
        for (std::int64_t kh = 0; kh < w.kernel[1]; ++kh) {
            const std::int64_t h = start[1] + kh * w.dilation[1];
            if (h < 0 || h >= w.input[1]) continue;
            for (std::int64_t kx = 0; kx < w.kernel[2]; ++kx) {
                const std::int64_t x = start[2] + kx * w.dilation[2];
                if (x < 0 || x >= w.input[2]) continue;
                const float* pixel =
                    image + static_cast<std::size_t>((d * w.input[1] + h) * w.input[2] + x) * channels_;
                if (inside++ == 0) {
                    std::copy_n(pixel, channels_, result);
                } else if (kind_ == Kind::maximum) {
                    maximum(result, pixel, channels_);
                } else {
                    add(result, pixel, channels_);
                }
            }
        }
    }
    if (kind_ == Kind::maximum) return;
    const std::int64_t divisor = kind_ == Kind::average ? inside : padded;
    if (inside == 0) std::fill_n(result, channels_, 0.0F);
    for (std::size_t c = 0; c < channels_; ++c)
        result[c] /= static_cast<float>(divisor);
}

void PoolOperation::run(const Frame& frame) const {
    const auto* source = static_cast<const float*>(frame.readable(source_));
    auto* target = static_cast<float*>(frame.writable(target_));
    const auto pixels = static_cast<std::size_t>(ops::Window::count(window_.input));
    for (std::size_t n = 0; n < batch_; ++n) {
        const float* image = source + n * pixels * channels_;
        for (std::int64_t d = 0; d < window_.output[0]; ++d) {
            for (std::int64_t h = 0; h < window_.output[1]; ++h) {
                for (std::int64_t x = 0; x < window_.output[2]; ++x) {
                    pool_position(image, target, {d, h, x});
                    target += channels_;
                }
            }
        }
    }
}

}  // namespace lossmap::cpu
