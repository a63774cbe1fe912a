#include "cuda/backend/resident_theta.hpp"

#include <algorithm>

namespace lossmap::cuda {
namespace {

Memory uploaded(std::span<const float> values, Device& device, StagedUpload& staging) {
    Memory memory = device.allocate(values.size_bytes());
    staging.copy(memory.data(), std::as_bytes(values));
    return memory;
}

/// Made on this device, as long as the axis; nullptr otherwise.
std::shared_ptr<const DeviceWeights> made_here(const AxisView& axis, const Device& device) {
    auto made = std::dynamic_pointer_cast<const DeviceWeights>(axis.resident);
    const bool here = made != nullptr && &made->device() == &device;
    return here && made->memory().size_bytes() == axis.weights.size_bytes() ? made : nullptr;
}

}  // namespace

ResidentTheta::ResidentTheta(const ExecutableRequest& request, const std::shared_ptr<Device>& device,
                             StagedUpload& staging)
    : origin_(uploaded(request.origin->weights, *device, staging)), origin_states_(request.origin->states) {
    for (const AxisView& axis : request.axes) {
        auto weights = made_here(axis, *device);
        if (weights == nullptr)
            weights = std::make_shared<DeviceWeights>(device, uploaded(axis.weights, *device, staging));
        axes_.push_back(std::move(weights));
        axis_states_.emplace_back(axis.states.begin(), axis.states.end());
    }
}

void ResidentTheta::fill_states(const Point& point, std::span<float> states) const {
    if (!point.states.empty()) {
        std::copy(point.states.begin(), point.states.end(), states.begin());
        return;
    }
    for (std::size_t k = 0; k < states.size(); ++k) {
        // The offset is rounded before it is added, each product and sum by itself: the bits of the other backends.
        float offset = 0.0F;
        bool moved = false;
        for (std::size_t axis = 0; axis < axis_states_.size(); ++axis) {
            if (axis_states_[axis].empty()) continue;
            const float step = axis_states_[axis][k] * static_cast<float>(point.coordinates[axis]);
            offset = moved ? offset + step : step;
            moved = true;
        }
        states[k] = moved ? origin_states_[k] + offset : origin_states_[k];
    }
}

std::vector<Access> ResidentTheta::accesses() const {
    std::vector<Access> result{{origin_.data(), origin_.size_bytes(), false}};
    for (const auto& axis : axes_)
        result.push_back({axis->memory().data(), axis->memory().size_bytes(), false});
    return result;
}

std::int64_t ResidentTheta::memory_bytes() const {
    std::size_t bytes = origin_.size_bytes();
    for (const auto& axis : axes_)
        bytes += axis->memory().size_bytes();
    return static_cast<std::int64_t>(bytes);
}

std::int64_t ResidentTheta::bytes_for(const ExecutableRequest& request) {
    std::size_t bytes = request.origin->weights.size() * sizeof(float);
    for (const AxisView& axis : request.axes)
        bytes += axis.weights.size_bytes();
    return static_cast<std::int64_t>(bytes);
}

}  // namespace lossmap::cuda
