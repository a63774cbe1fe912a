#include "cpu/layout_operation.hpp"

#include <algorithm>
#include <cstdint>

#include "core/error.hpp"

namespace lossmap::cpu {
namespace {

/// target[c, r] = source[r, c], in squares that stay in the first-level cache.
template <typename T>
void transpose(const T* source, T* target, std::size_t rows, std::size_t columns) {
    constexpr std::size_t kSquare = 16;
    for (std::size_t r0 = 0; r0 < rows; r0 += kSquare) {
        const std::size_t r1 = std::min(rows, r0 + kSquare);
        for (std::size_t c0 = 0; c0 < columns; c0 += kSquare) {
            const std::size_t c1 = std::min(columns, c0 + kSquare);
            for (std::size_t c = c0; c < c1; ++c) {
                for (std::size_t r = r0; r < r1; ++r)
                    target[c * rows + r] = source[r * columns + c];
            }
        }
    }
}

template <typename T>
void transpose_all(const void* source, void* target, std::size_t batch, std::size_t rows, std::size_t columns) {
    for (std::size_t n = 0; n < batch; ++n) {
        const std::size_t offset = n * rows * columns;
        transpose(static_cast<const T*>(source) + offset, static_cast<T*>(target) + offset, rows, columns);
    }
}

}  // namespace

LayoutOperation::LayoutOperation(Place source, Place target, const Shape& shape, std::size_t element_bytes, Layout to)
    : source_(source), target_(target), batch_(static_cast<std::size_t>(shape.at(0))), element_bytes_(element_bytes) {
    const auto channels = static_cast<std::size_t>(shape.at(1));
    const auto pixels = static_cast<std::size_t>(element_count(std::span(shape).subspan(2)));
    rows_ = to == Layout::channels_last ? channels : pixels;
    columns_ = to == Layout::channels_last ? pixels : channels;
}

void LayoutOperation::run(const Frame& frame) const {
    const void* source = frame.readable(source_);
    void* target = frame.writable(target_);
    switch (element_bytes_) {
        case 1: return transpose_all<std::uint8_t>(source, target, batch_, rows_, columns_);
        case 2: return transpose_all<std::uint16_t>(source, target, batch_, rows_, columns_);
        case 4: return transpose_all<std::uint32_t>(source, target, batch_, rows_, columns_);
        case 8: return transpose_all<std::uint64_t>(source, target, batch_, rows_, columns_);
        default: throw InternalError("elements of {} bytes", element_bytes_);
    }
}

}  // namespace lossmap::cpu
