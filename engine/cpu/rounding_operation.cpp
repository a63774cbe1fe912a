#include "cpu/rounding_operation.hpp"

#include <cstdint>

#include "cpu/elementwise.hpp"

namespace lossmap::cpu {

void RoundingOperation::run(const Frame& frame) const {
    const void* source = frame.readable(source_);
    void* target = frame.writable(target_);
    if (to_bf16_) return round_to_bf16(static_cast<std::uint16_t*>(target), static_cast<const float*>(source), count_);
    widen_bf16(static_cast<float*>(target), static_cast<const std::uint16_t*>(source), count_);
}

}  // namespace lossmap::cpu
