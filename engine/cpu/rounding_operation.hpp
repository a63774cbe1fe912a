#pragma once

#include <cstddef>

#include "cpu/operation.hpp"

namespace lossmap::cpu {

/// Rounds f32 to bf16 (to nearest, ties to even; NaN stays NaN), or widens bf16, element by element.
class RoundingOperation final : public Operation {
public:
    /// @param to_bf16  from f32; otherwise from bf16 to f32.
    RoundingOperation(Place source, Place target, std::size_t count, bool to_bf16)
        : source_(source), target_(target), count_(count), to_bf16_(to_bf16) {}

    void run(const Frame& frame) const override;
    [[nodiscard]] std::string implementation() const override { return to_bf16_ ? "loop to bf16" : "loop to fp32"; }

private:
    Place source_;
    Place target_;
    std::size_t count_;
    bool to_bf16_;
};

}  // namespace lossmap::cpu
