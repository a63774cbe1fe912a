#include "cuda/runtime/buffer.hpp"

#include <utility>

#include <cuda_runtime_api.h>

#include "cuda/runtime/error.hpp"

namespace lossmap::cuda {
namespace {

/// Whether the current device has memory pools; virtual GPUs may have none.
bool has_pools() {
    int device = 0;
    int supported = 0;
    LOSSMAP_CUDA(cudaGetDevice(&device));
    LOSSMAP_CUDA(cudaDeviceGetAttribute(&supported, cudaDevAttrMemoryPoolsSupported, device));
    return supported != 0;
}

}  // namespace

DeviceBuffer::DeviceBuffer(std::size_t size_bytes, const Stream& stream)
    : size_bytes_(size_bytes), stream_(stream.get()) {
    if (size_bytes == 0) return;
    pooled_ = has_pools();
    if (pooled_) {
        LOSSMAP_CUDA(cudaMallocAsync(&data_, size_bytes, stream_));
    } else {
        LOSSMAP_CUDA(cudaMalloc(&data_, size_bytes));
    }
}

DeviceBuffer::~DeviceBuffer() {
    if (data_ == nullptr) return;
    static_cast<void>(pooled_ ? cudaFreeAsync(data_, stream_) : cudaFree(data_));
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)),
      stream_(other.stream_),
      pooled_(other.pooled_) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_bytes_, other.size_bytes_);
    std::swap(stream_, other.stream_);
    std::swap(pooled_, other.pooled_);
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
