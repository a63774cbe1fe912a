#include "device.hpp"

#include <cstring>

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

void* HostDevice::put(const void* bytes, std::size_t size_bytes) {
    buffers_.emplace_back(size_bytes > 0 ? size_bytes : 1);
    if (size_bytes > 0) std::memcpy(buffers_.back().data(), bytes, size_bytes);
    return buffers_.back().data();
}

void HostDevice::get(void* target, const void* source, std::size_t size_bytes) {
    if (size_bytes > 0) std::memcpy(target, source, size_bytes);
}

}  // namespace lossmap::kernels::test
