#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/error.hpp"
#include "cuda/runtime/stream.hpp"

namespace lossmap::cuda {

/// Device memory from the device's stream-ordered pool (cudaMallocAsync), or plain (cudaMalloc) on a device without
/// pools. Move-only. Freed in the order of the stream it was taken on, which has to outlive it; without pools freeing
/// blocks until the device is idle.
class DeviceBuffer {
public:
    DeviceBuffer() = default;
    /// Uninitialised bytes, usable by work queued on `stream` from now on. Throws DeviceMemoryError.
    DeviceBuffer(std::size_t size_bytes, const Stream& stream);
    ~DeviceBuffer();
    DeviceBuffer(DeviceBuffer&& other) noexcept;
    DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;

    [[nodiscard]] void* data() const { return data_; }
    [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }
    template <typename T>
    [[nodiscard]] T* as() const {
        return static_cast<T*>(data_);
    }

private:
    void* data_ = nullptr;
    std::size_t size_bytes_ = 0;
    cudaStream_t stream_ = nullptr;
    bool pooled_ = true;
};

/// Page-locked host memory: the only kind that copies overlap with. Move-only.
class PinnedBuffer {
public:
    PinnedBuffer() = default;
    explicit PinnedBuffer(std::size_t size_bytes);
    ~PinnedBuffer();
    PinnedBuffer(PinnedBuffer&& other) noexcept;
    PinnedBuffer& operator=(PinnedBuffer&& other) noexcept;

    [[nodiscard]] void* data() const { return data_; }
    [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }
    template <typename T>
    [[nodiscard]] T* as() const {
        return static_cast<T*>(data_);
    }

private:
    void* data_ = nullptr;
    std::size_t size_bytes_ = 0;
};

/// Queues a copy of `size_bytes` to the device. `source` must stay unchanged until the stream has passed it; with
/// pageable memory the call itself may block.
void copy_to_device(void* target, const void* source, std::size_t size_bytes, const Stream& stream);
/// Queues a copy to the host; the bytes are there once the stream has passed it.
void copy_to_host(void* target, const void* source, std::size_t size_bytes, const Stream& stream);
/// Queues a copy between two places of the device.
void copy_on_device(void* target, const void* source, std::size_t size_bytes, const Stream& stream);
/// Queues a fill with one byte value.
void fill_bytes(void* target, std::uint8_t value, std::size_t size_bytes, const Stream& stream);

/// A device copy of host values. Returns when the copy is done.
template <typename T>
[[nodiscard]] DeviceBuffer upload(std::span<const T> values, const Stream& stream) {
    DeviceBuffer buffer(values.size_bytes(), stream);
    copy_to_device(buffer.data(), values.data(), values.size_bytes(), stream);
    stream.synchronize();
    return buffer;
}

}  // namespace lossmap::cuda
