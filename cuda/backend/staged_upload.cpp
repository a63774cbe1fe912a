#include "cuda/backend/staged_upload.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"

namespace lossmap::cuda {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{4} << 20;

}  // namespace

StagedUpload::StagedUpload(Device& device, Queue& queue) : queue_(queue) {
    for (Memory& buffer : buffers_)
        buffer = device.allocate_pinned(kBufferBytes);
}

void StagedUpload::copy(void* target, std::span<const std::byte> source) {
    produce(target, source.size(), 1, [&](std::byte* buffer, std::size_t offset, std::size_t count) {
        std::memcpy(buffer, source.data() + offset, count);
    });
}

void StagedUpload::produce(void* target, std::size_t bytes, std::size_t unit,
                           const std::function<void(std::byte*, std::size_t, std::size_t)>& fill) {
    if (unit == 0 || unit > kBufferBytes) throw InternalError("pieces of {} bytes do not fit a staging buffer", unit);
    const std::size_t piece = kBufferBytes / unit * unit;
    for (std::size_t offset = 0; offset < bytes; offset += piece) {
        const std::size_t count = std::min(piece, bytes - offset);
        std::byte* buffer = buffers_[next_].data();
        if (passed_[next_] != nullptr) passed_[next_]->synchronize();
        fill(buffer, offset, count);
        queue_.copy_to_device(static_cast<std::byte*>(target) + offset, buffer, count);
        passed_[next_] = queue_.mark();
        next_ = 1 - next_;
    }
}

}  // namespace lossmap::cuda
