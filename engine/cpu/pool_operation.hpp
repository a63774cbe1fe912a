#pragma once

#include <cstddef>
#include <string>

#include "cpu/operation.hpp"
#include "graph/ops/window.hpp"

namespace lossmap::cpu {

/// Max or average pooling in channels-last layout. NaN in a window is the result, as in PyTorch.
class PoolOperation final : public Operation {
public:
    enum class Kind : std::uint8_t { maximum, average, average_with_padding };

    PoolOperation(Kind kind, const ops::Window& window, std::size_t batch, std::size_t channels, Place source,
                  Place target);
    void run(const Frame& frame) const override;
    [[nodiscard]] std::string implementation() const override;

private:
    void pool_position(const float* image, float* result, const ops::Window::Extents& position) const;

    Kind kind_;
    ops::Window window_;
    std::size_t batch_;
    std::size_t channels_;
    Place source_;
    Place target_;
};

}  // namespace lossmap::cpu
