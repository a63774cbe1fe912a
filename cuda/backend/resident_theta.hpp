#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.hpp"
#include "cuda/backend/device.hpp"
#include "cuda/backend/device_directions.hpp"
#include "cuda/backend/staged_upload.hpp"

namespace lossmap::cuda {

/// Origin and axes: weights in device memory, where all programs of an executable read them and none writes; running
/// statistics on the host, as they are few and a point may bring its own.
class ResidentTheta {
public:
    /// Queues the upload; axes that were made on this device stay where they are.
    ResidentTheta(const ExecutableRequest& request, const std::shared_ptr<Device>& device, StagedUpload& staging);

    [[nodiscard]] std::size_t axes() const { return axes_.size(); }
    [[nodiscard]] std::size_t weights_bytes() const { return origin_.size_bytes(); }
    [[nodiscard]] const float* origin() const { return origin_.as<float>(); }
    /// nullptr where the axis does not move the weights.
    [[nodiscard]] const float* axis(std::size_t index) const { return axes_[index]->memory().as<float>(); }
    [[nodiscard]] std::size_t states() const { return origin_states_.size(); }
    /// Running statistics at a point: its own, or those of the origin moved along the axes.
    void fill_states(const Point& point, std::span<float> states) const;
    /// What a kernel that reads parameters has to declare.
    [[nodiscard]] std::vector<Access> accesses() const;

    /// Of device memory.
    [[nodiscard]] std::int64_t memory_bytes() const;
    /// Of device memory that those of a request will take.
    [[nodiscard]] static std::int64_t bytes_for(const ExecutableRequest& request);

private:
    Memory origin_;
    std::vector<std::shared_ptr<const DeviceWeights>> axes_;
    std::vector<float> origin_states_;
    std::vector<std::vector<float>> axis_states_;  ///< empty where an axis does not move them
};

}  // namespace lossmap::cuda
