#pragma once

#include <memory>
#include <string>

#include "cpu/activation.hpp"
#include "cpu/operation.hpp"
#include "cpu/winograd_kernel.hpp"

namespace lossmap::cpu {

/// A 3x3 convolution by winograd_convolution; in exact passes (Frame::exact) by a direct one.
class WinogradOperation final : public Operation {
public:
    struct Places {
        Place source;
        Place weights;   ///< transformed
        Place bias;      ///< may be none
        Place residual;  ///< may be none, or the target itself
        Place target;
        Place scratch;
    };

    /// @param bf16  source, residual, target and weights are.
    WinogradOperation(const WinogradShape& shape, const Places& places, const Activation& activation, bool bf16,
                      std::unique_ptr<Operation> direct);

    void attach(const Frame& frame) override { direct_->attach(frame); }
    void run(const Frame& frame) const override;
    [[nodiscard]] std::string implementation() const override;

private:
    /// Convolves elements of a type with the kernel for them and applies an activation that the kernel does not know.
    template <typename Element, typename Convolution, typename Apply>
    void run_in(const Frame& frame, Convolution&& convolution, Apply&& apply) const;

    WinogradShape shape_;
    Places places_;
    Activation activation_;
    bool bf16_;
    std::unique_ptr<Operation> direct_;
};

}  // namespace lossmap::cpu
