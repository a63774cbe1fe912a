#include "cpu/winograd_operation.hpp"

#include <utility>

namespace lossmap::cpu {

WinogradOperation::WinogradOperation(const WinogradShape& shape, const Places& places, const Activation& activation,
                                     std::unique_ptr<Operation> direct)
    : shape_(shape), places_(places), activation_(activation), direct_(std::move(direct)) {}

void WinogradOperation::run(const Frame& frame) const {
    if (frame.exact) return direct_->run(frame);
    const auto floats = [&](const Place& place) { return static_cast<const float*>(frame.readable(place)); };
    const bool relu = activation_.kind == Activation::Kind::relu;
    auto* target = static_cast<float*>(frame.writable(places_.target));
    winograd_convolution(shape_, floats(places_.source), floats(places_.weights), floats(places_.bias),
                         floats(places_.residual), relu, target, static_cast<float*>(frame.writable(places_.scratch)));
    if (relu) return;
    activation_.apply(
        target, static_cast<std::size_t>(shape_.batch * shape_.out_height * shape_.out_width * shape_.out_channels));
}

std::string WinogradOperation::implementation() const {
    return "winograd 2x2 avx512" + activation_.suffix() + ", exact: " + direct_->implementation();
}

}  // namespace lossmap::cpu
