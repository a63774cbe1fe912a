#include "device.hpp"

#include <cstring>
#include <new>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

namespace lossmap::kernels::test {

Input Device::input(const Tensor& tensor, std::int64_t points) {
    return {put(tensor.data(), tensor.size_bytes()), tensor.dtype(), points > 0 ? tensor.count() / points : 0};
}

Output Device::output(DType type, std::int64_t points, std::int64_t count) {
    return {room<unsigned char>(static_cast<std::size_t>(points * count) * size_of(type)), type, count};
}

Tensor Device::fetch(const Output& output, std::int64_t points, std::int64_t count) {
    Tensor tensor(output.type, {points, count});
    get(tensor.data(), output.data, tensor.size_bytes());
    return tensor;
}

GuardedBuffer::GuardedBuffer(std::size_t size_bytes) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t rounded = (size_bytes + 15) / 16 * 16;
    const std::size_t body = (rounded + page - 1) / page * page;
    pages_bytes_ = body + page;
    pages_ = mmap(nullptr, pages_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages_ == MAP_FAILED) throw std::bad_alloc();
    auto* first = static_cast<std::byte*>(pages_);
    if (mprotect(first + body, page, PROT_NONE) != 0) throw std::bad_alloc();
    data_ = first + (body - rounded);
    std::memset(data_, 0xff, rounded);
}

GuardedBuffer::~GuardedBuffer() {
    if (pages_ != nullptr) munmap(pages_, pages_bytes_);
}

GuardedBuffer::GuardedBuffer(GuardedBuffer&& other) noexcept
    : pages_(std::exchange(other.pages_, nullptr)), pages_bytes_(other.pages_bytes_), data_(other.data_) {}

void* HostDevice::put(const void* bytes, std::size_t size_bytes) {
    buffers_.emplace_back(size_bytes > 0 ? size_bytes : 1);
    if (size_bytes > 0) std::memcpy(buffers_.back().data(), bytes, size_bytes);
    return buffers_.back().data();
}

void HostDevice::get(void* target, const void* source, std::size_t size_bytes) {
    if (size_bytes > 0) std::memcpy(target, source, size_bytes);
}

}  // namespace lossmap::kernels::test
