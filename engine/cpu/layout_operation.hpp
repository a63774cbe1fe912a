#pragma once

#include <cstddef>

#include "cpu/operation.hpp"

namespace lossmap::cpu {

/// Converts [N, C, ..] between row-major and channels-last.
class LayoutOperation final : public Operation {
public:
    /// @param shape  [N, C, spatial ..]; @param to  the layout of the target.
    LayoutOperation(Place source, Place target, const Shape& shape, std::size_t element_bytes, Layout to);
    void run(const Frame& frame) const override;
    [[nodiscard]] std::string implementation() const override { return "transpose"; }

private:
    Place source_;
    Place target_;
    std::size_t batch_ = 0;
    std::size_t rows_ = 0;  ///< of the source
    std::size_t columns_ = 0;
    std::size_t element_bytes_ = 0;
};

}  // namespace lossmap::cpu
