#include "cuda/backend/padded_rows.hpp"

#include <algorithm>
#include <cstring>

#include "backend/chunk_checks.hpp"

namespace lossmap::cuda {

void PaddedRows::copy(std::size_t offset, std::span<std::byte> out) const {
    const std::size_t width = row_bytes();
    const std::size_t source_width = static_cast<std::size_t>(elements) * size_of(source.dtype());
    const auto* data = static_cast<const std::byte*>(source.data());
    while (!out.empty()) {
        const std::int64_t row = std::min(static_cast<std::int64_t>(offset / width), rows - 1);
        const std::byte* from = data + static_cast<std::size_t>(first + row) * source_width;
        const std::size_t within = offset % width;
        const std::size_t count = std::min(width - within, out.size());
        if (type == source.dtype()) {
            std::memcpy(out.data(), from + within, count);
        } else {
            convert_tokens(reinterpret_cast<const std::int64_t*>(from) + within / size_of(type),
                           reinterpret_cast<std::int32_t*>(out.data()),
                           static_cast<std::int64_t>(count / size_of(type)));
        }
        offset += count;
        out = out.subspan(count);
    }
}

}  // namespace lossmap::cuda
