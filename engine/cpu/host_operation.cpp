#include "cpu/host_operation.hpp"

#include "core/error.hpp"

namespace lossmap::cpu {

HostOperation::HostOperation(Node node, HostKernel kernel, std::vector<HostOperand> inputs,
                             std::vector<HostOperand> outputs)
    : node_(std::move(node)), kernel_(kernel), inputs_(std::move(inputs)), outputs_(std::move(outputs)) {}

void HostOperation::attach(const Frame& frame) {
    if (views_.size() != frame.thread) throw InternalError("threads attach out of order");
    Views& views = views_.emplace_back();
    for (const HostOperand& input : inputs_) {
        views.inputs.emplace_back(input.dtype, input.shape, frame.readable(input.place));
    }
    for (const HostOperand& output : outputs_) {
        void* data = output.place.region == Place::Region::none ? nullptr : frame.writable(output.place);
        views.outputs.push_back({output.dtype, output.shape, data});
    }
}

void HostOperation::run(const Frame& frame) const {
    Views& views = views_[frame.thread];
    for (std::size_t k = 0; k < inputs_.size(); ++k) {
        if (inputs_[k].place.region == Place::Region::set) views.inputs[k].data = frame.readable(inputs_[k].place);
    }
    with_context(node_.describe(), [&] { kernel_(node_, views.inputs, views.outputs); });
}

}  // namespace lossmap::cpu
