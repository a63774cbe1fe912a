#include "data/sample_chunk.hpp"

#include <cstring>

#include "core/error.hpp"

namespace lossmap {

void SampleInput::decode(std::int64_t first, std::int64_t count, float* values) const {
    if (!is_bytes()) throw InternalError("values of {} decoded as if they were bytes", name_of(dtype()));
    const auto width = static_cast<std::size_t>(element_count(std::span(shape()).subspan(1)));
    const std::span<const std::byte> bytes(static_cast<const std::byte*>(data()), size_bytes());
    for (std::int64_t k = 0; k < count; ++k) {
        table->decode(bytes.subspan(static_cast<std::size_t>(first + k) * width, width),
                      {values + static_cast<std::size_t>(k) * width, width});
    }
}

SampleChunk rows_of(const SampleChunk& chunk, std::int64_t first, std::int64_t rows) {
    const auto slice = [&](const Tensor& whole) {
        Shape shape = whole.shape();
        shape[0] = rows;
        Tensor part(whole.dtype(), shape);
        const std::size_t width = chunk.count == 0 ? 0 : whole.size_bytes() / static_cast<std::size_t>(chunk.count);
        std::memcpy(part.data(), static_cast<const std::byte*>(whole.data()) + static_cast<std::size_t>(first) * width,
                    part.size_bytes());
        return part;
    };
    SampleChunk result;
    result.first = chunk.first + first;
    result.count = rows;
    for (const SampleInput& input : chunk.inputs)
        result.inputs.push_back({slice(input), input.table});
    result.target = slice(chunk.target);
    return result;
}

std::shared_ptr<const void> new_identity() { return std::make_shared<char>(); }

}  // namespace lossmap
