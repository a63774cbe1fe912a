#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "cpu/operation.hpp"
#include "graph/operator_table.hpp"

namespace lossmap::cpu {

/// An operand of a host kernel.
struct HostOperand {
    Place place;
    DType dtype = DType::f32;
    Shape shape;
    std::shared_ptr<const Tensor> owned;  ///< what `place` points to, when nobody else keeps it
};

/// Runs the kernel of the operator table on a tile.
class HostOperation final : public Operation {
public:
    HostOperation(Node node, HostKernel kernel, std::vector<HostOperand> inputs, std::vector<HostOperand> outputs);

    void attach(const Frame& frame) override;
    void run(const Frame& frame) const override;
    [[nodiscard]] std::string implementation() const override { return "host " + node_.op_type; }

private:
    struct Views {
        std::vector<ConstTensorView> inputs;
        std::vector<TensorView> outputs;
    };

    Node node_;
    HostKernel kernel_ = nullptr;
    std::vector<HostOperand> inputs_;
    std::vector<HostOperand> outputs_;
    mutable std::vector<Views> views_;  ///< one a thread; only pointers to the point's weights change while running
};

}  // namespace lossmap::cpu
