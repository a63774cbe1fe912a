#pragma once

#include <cstdint>
#include <span>

#include "data/sample_chunk.hpp"

namespace lossmap {

/// Bytes of all inputs of one sample, as chunks hold them.
[[nodiscard]] inline std::int64_t input_bytes(std::span<const FieldInfo> inputs) {
    std::int64_t bytes = 0;
    for (const FieldInfo& input : inputs)
        bytes += input.sample_bytes();
    return bytes;
}

}  // namespace lossmap
