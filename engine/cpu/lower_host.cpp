#include <memory>
#include <optional>

#include "core/error.hpp"
#include "cpu/host_form.hpp"
#include "cpu/host_operation.hpp"
#include "cpu/lowerings.hpp"
#include "graph/operator_table.hpp"

namespace lossmap::cpu {
namespace {

HostOperand input_operand(ProgramBuilder& builder, const HostForm& form, std::size_t index) {
    HostOperand operand;
    operand.shape = form.inputs[index];
    if (form.replaced[index] != nullptr) {
        operand.owned = form.replaced[index];
        operand.dtype = operand.owned->dtype();
        operand.place = {Place::Region::constant, 0, operand.owned->data()};
        return operand;
    }
    const ValueId id = form.node.inputs[index];
    if (id == kNoValue) return operand;
    operand.dtype = builder.value(id).dtype;
    operand.place = builder.read(id, form.input_layouts[index]);
    return operand;
}

}  // namespace

void lower_to_host_kernel(ProgramBuilder& builder, const Node& node) {
    const OperatorInfo* info = find_operator(node.domain, node.op_type);
    if (info == nullptr || info->run == nullptr) throw UnsupportedError("{} has no kernel", node.describe());
    std::optional<HostForm> found = layout_free_form(builder, node);
    HostForm form = found ? std::move(*found) : plain_form(builder, node);
    std::vector<HostOperand> inputs;
    for (std::size_t k = 0; k < form.inputs.size(); ++k)
        inputs.push_back(input_operand(builder, form, k));
    std::vector<HostOperand> outputs;
    for (std::size_t k = 0; k < form.outputs.size(); ++k) {
        HostOperand operand;
        operand.shape = form.outputs[k];
        if (form.node.has_output(k)) {
            operand.dtype = builder.value(form.node.outputs[k]).dtype;
            operand.place = builder.write(form.node.outputs[k], form.layout);
        }
        outputs.push_back(std::move(operand));
    }
    const std::string name = node.name;
    builder.add(std::make_unique<HostOperation>(std::move(form.node), info->run, std::move(inputs), std::move(outputs)),
                name);
}

}  // namespace lossmap::cpu
