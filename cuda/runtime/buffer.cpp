#include "cuda/runtime/buffer.hpp"

#include <utility>

#include <cuda_runtime_api.h>

#include "cuda/runtime/error.hpp"

namespace lossmap::cuda {

DeviceBuffer::DeviceBuffer(std::size_t size_bytes, const Stream& stream)
    : size_bytes_(size_bytes), stream_(stream.get()) {
    if (size_bytes > 0) LOSSMAP_CUDA(cudaMallocAsync(&data_, size_bytes, stream_));
}

DeviceBuffer::~DeviceBuffer() {
    if (data_ != nullptr) static_cast<void>(cudaFreeAsync(data_, stream_));
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)),
      stream_(other.stream_) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_bytes_, other.size_bytes_);
    std::swap(stream_, other.stream_);
    return *this;
}

PinnedBuffer::PinnedBuffer(std::size_t size_bytes) : size_bytes_(size_bytes) {
    if (size_bytes > 0) LOSSMAP_CUDA(cudaHostAlloc(&data_, size_bytes, cudaHostAllocDefault));
}

PinnedBuffer::~PinnedBuffer() {
    if (data_ != nullptr) static_cast<void>(cudaFreeHost(data_));
}

PinnedBuffer::PinnedBuffer(PinnedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}

PinnedBuffer& PinnedBuffer::operator=(PinnedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_bytes_, other.size_bytes_);
    return *this;
}

void copy_to_device(void* target, const void* source, std::size_t size_bytes, const Stream& stream) {
    LOSSMAP_CUDA(cudaMemcpyAsync(target, source, size_bytes, cudaMemcpyHostToDevice, stream.get()));
}

void copy_to_host(void* target, const void* source, std::size_t size_bytes, const Stream& stream) {
    LOSSMAP_CUDA(cudaMemcpyAsync(target, source, size_bytes, cudaMemcpyDeviceToHost, stream.get()));
}

void copy_on_device(void* target, const void* source, std::size_t size_bytes, const Stream& stream) {
    LOSSMAP_CUDA(cudaMemcpyAsync(target, source, size_bytes, cudaMemcpyDeviceToDevice, stream.get()));
}

void fill_bytes(void* target, std::uint8_t value, std::size_t size_bytes, const Stream& stream) {
    LOSSMAP_CUDA(cudaMemsetAsync(target, value, size_bytes, stream.get()));
}

}  // namespace lossmap::cuda
