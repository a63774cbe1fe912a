#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "cuda/backend/device.hpp"

namespace lossmap::cuda {

/// Copies host memory of any kind to the device through two page-locked buffers in turn: one is filled while the other
/// one travels.
class StagedUpload {
public:
    StagedUpload(Device& device, Queue& queue);

    /// Queues the copy; `source` may change afterwards.
    void copy(void* target, std::span<const std::byte> source);
    /// Queues `bytes` that `fill(buffer, offset, count)` makes, piece by piece; pieces begin and end at multiples of
    /// `unit` bytes.
    void produce(void* target, std::size_t bytes, std::size_t unit,
                 const std::function<void(std::byte* buffer, std::size_t offset, std::size_t count)>& fill);

private:
    Queue& queue_;
    std::array<Memory, 2> buffers_;
    std::array<std::shared_ptr<Mark>, 2> passed_;
    std::size_t next_ = 0;
};

}  // namespace lossmap::cuda
