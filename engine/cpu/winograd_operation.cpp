#include "cpu/winograd_operation.hpp"

#include <utility>

namespace lossmap::cpu {

WinogradOperation::WinogradOperation(const WinogradShape& shape, const Places& places, const Activation& activation,
                                     bool bf16, std::unique_ptr<Operation> direct)
    : shape_(shape), places_(places), activation_(activation), bf16_(bf16), direct_(std::move(direct)) {}

template <typename Element, typename Convolution, typename Apply>
void WinogradOperation::run_in(const Frame& frame, Convolution&& convolution, Apply&& apply) const {
    const auto elements = [&](const Place& place) { return static_cast<const Element*>(frame.readable(place)); };
    const bool relu = activation_.kind == Activation::Kind::relu;
    auto* target = static_cast<Element*>(frame.writable(places_.target));
    convolution(shape_, elements(places_.source), elements(places_.weights),
                static_cast<const float*>(frame.readable(places_.bias)), elements(places_.residual), relu, target,
                static_cast<float*>(frame.writable(places_.scratch)));
    if (!relu) apply(target, static_cast<std::size_t>(shape_.target_elements()));
}

void WinogradOperation::run(const Frame& frame) const {
    if (frame.exact) return direct_->run(frame);
    if (bf16_) {
        return run_in<std::uint16_t>(frame, winograd_convolution_bf16, [&](std::uint16_t* target, std::size_t count) {
            activation_.apply_to_bf16(target, count);
        });
    }
    run_in<float>(frame, winograd_convolution,
                  [&](float* target, std::size_t count) { activation_.apply(target, count); });
}

std::string WinogradOperation::implementation() const {
    return (bf16_ ? "winograd 2x2 avx512_bf16" : "winograd 2x2 avx512") + activation_.suffix() +
           ", exact: " + direct_->implementation();
}

}  // namespace lossmap::cpu
