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

    /// @param bf16  of source and target; maximum only.
    PoolOperation(Kind kind, const ops::Window& window, std::size_t batch, std::size_t channels, Place source,
                  Place target, bool bf16);
    void run(const Frame& frame) const override;
    [[nodiscard]] std::string implementation() const override;

private:
    /// pool(image, result, position) for every position of the output.
    template <typename Element, typename Pool>
    void for_each_position(const Frame& frame, Pool&& pool) const;
    /// visit(offset) for every pixel of the input in the window at `position`: of its first channel.
    template <typename Visit>
    void for_each_pixel(const ops::Window::Extents& position, Visit&& visit) const;
    template <typename Element>
    void take_maximum(const Element* image, Element* result, const ops::Window::Extents& position) const;
    void take_average(const float* image, float* result, const ops::Window::Extents& position) const;

    Kind kind_;
    ops::Window window_;
    std::size_t batch_;
    std::size_t channels_;
    Place source_;
    Place target_;
    bool bf16_;
};

}  // namespace lossmap::cpu
