#include "cuda/backend/library_operations.hpp"

#include <cstddef>
#include <type_traits>

namespace lossmap::cuda {
namespace {

Access access_of(const Frame& frame, const Located& array, std::int64_t points, bool writes) {
    return {frame.address(array), array.span_bytes(points), writes};
}

template <typename T>
T* at_point(T* base, const Located& array, std::int64_t point) {
    using Byte = std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>;
    const auto step = array.point_stride * static_cast<std::int64_t>(size_of(array.type));
    return static_cast<Byte*>(base) + point * step;
}

const float* bias_at(const float* base, const Located& bias, std::int64_t point) {
    return base + point * bias.point_stride;
}

}  // namespace

std::vector<Place> GemmOperation::places() const {
    std::vector<Place> result{operands_.a.place, operands_.b.place, operands_.result.place, operands_.workspace.place};
    if (operands_.bias) result.push_back(operands_.bias->place);
    return result;
}

void GemmOperation::queue(const Frame& frame) const {
    const Operands& o = operands_;
    std::vector<Access> accesses{access_of(frame, o.a, points_, false),
                                 access_of(frame, o.b, points_, false),
                                 access_of(frame, o.result, points_, true),
                                 {frame.address(o.workspace), plan_->workspace_bytes(), true}};
    GemmOperands first{frame.address(o.a), frame.address(o.b), nullptr, frame.address(o.result),
                       frame.address(o.workspace)};
    if (o.bias) {
        first.bias = reinterpret_cast<const float*>(frame.address(*o.bias));
        accesses.push_back(access_of(frame, *o.bias, points_, false));
    }
    frame.queue->launch("gemm", accesses, [plan = plan_, o, first, launches = launches_](void* stream) {
        for (std::int64_t point = 0; point < launches; ++point) {
            GemmOperands own = first;
            own.a = at_point(first.a, o.a, point);
            own.b = at_point(first.b, o.b, point);
            own.d = at_point(first.d, o.result, point);
            if (o.bias) own.bias = bias_at(first.bias, *o.bias, point);
            plan->run(own, stream);
        }
    });
}

std::vector<Place> ConvolutionOperation::places() const {
    std::vector<Place> result{operands_.images.place, operands_.weights.place, operands_.result.place,
                              operands_.workspace.place};
    if (operands_.bias) result.push_back(operands_.bias->place);
    if (operands_.residual) result.push_back(operands_.residual->place);
    return result;
}

void ConvolutionOperation::queue(const Frame& frame) const {
    const Operands& o = operands_;
    std::vector<Access> accesses{access_of(frame, o.images, points_, false),
                                 access_of(frame, o.weights, points_, false),
                                 access_of(frame, o.result, points_, true),
                                 {frame.address(o.workspace), plan_->workspace_bytes(), true}};
    ConvolutionOperands first{frame.address(o.images), frame.address(o.weights),  nullptr, nullptr,
                              frame.address(o.result), frame.address(o.workspace)};
    if (o.bias) {
        first.bias = reinterpret_cast<const float*>(frame.address(*o.bias));
        accesses.push_back(access_of(frame, *o.bias, points_, false));
    }
    if (o.residual) {
        first.residual = frame.address(*o.residual);
        accesses.push_back(access_of(frame, *o.residual, points_, false));
    }
    frame.queue->launch("convolution", accesses, [plan = plan_, o, first, points = points_](void* stream) {
        for (std::int64_t point = 0; point < points; ++point) {
            ConvolutionOperands own = first;
            own.images = at_point(first.images, o.images, point);
            own.weights = at_point(first.weights, o.weights, point);
            own.result = at_point(first.result, o.result, point);
            if (o.bias) own.bias = bias_at(first.bias, *o.bias, point);
            if (o.residual) own.residual = at_point(first.residual, *o.residual, point);
            plan->run(own, stream);
        }
    });
}

}  // namespace lossmap::cuda
