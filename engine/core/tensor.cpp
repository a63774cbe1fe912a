#include "core/tensor.hpp"

#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

namespace lossmap {
namespace {
constexpr std::size_t kAlignment = 64;  // one cache line and one AVX-512 register
}

AlignedBuffer::AlignedBuffer(std::size_t size_bytes) : size_bytes_(size_bytes) {
    if (size_bytes == 0) return;
    if (size_bytes > std::numeric_limits<std::size_t>::max() - kAlignment) throw std::bad_alloc();
    const std::size_t rounded = (size_bytes + kAlignment - 1) / kAlignment * kAlignment;
    data_.reset(std::aligned_alloc(kAlignment, rounded));
    if (!data_) throw Error("out of memory: {} bytes were asked for", size_bytes);
}

void AlignedBuffer::Free::operator()(void* pointer) const noexcept { std::free(pointer); }

Tensor::Tensor(DType dtype, Shape shape) : dtype_(dtype), shape_(std::move(shape)), count_(element_count(shape_)) {
    if (static_cast<std::uint64_t>(count_) > std::numeric_limits<std::size_t>::max() / size_of(dtype) / 2) {
        throw InputError("a tensor of shape {} does not fit in memory", to_string(shape_));
    }
    buffer_ = AlignedBuffer(size_bytes());
}

Tensor Tensor::clone() const {
    Tensor copy(dtype_, shape_);
    if (count_ > 0) std::memcpy(copy.data(), data(), size_bytes());
    return copy;
}

}  // namespace lossmap
