#include "cpu/joined_nodes.hpp"

#include "core/error.hpp"

namespace lossmap::cpu {

ValueId JoinedNodes::output() const { return builder_.node(step_.last_node()).outputs[0]; }

std::optional<FoldedNorm> JoinedNodes::norm() const {
    if (step_.batch_norm < 0) return {};
    const Node& node = builder_.node(step_.batch_norm);
    return FoldedNorm{node.inputs[1], node.inputs[2], node.inputs[3], node.inputs[4],
                      node.attributes.get_float("epsilon", 1e-5)};
}

Activation JoinedNodes::activation() const {
    if (step_.activation < 0) return {};
    const Node& node = builder_.node(step_.activation);
    const auto activation = activation_of(builder_.graph(), node);
    if (!activation) throw InternalError("{} was joined but is no activation", node.describe());
    return *activation;
}

JoinedNodes::Target JoinedNodes::target(Form form, const Place& keep_apart) const {
    if (!has_residual()) return {builder_.write(output(), form), {}};
    const Place residual = builder_.read(step_.residual, form);
    const Place shared = builder_.overwrite(step_.residual, output(), form, keep_apart);
    if (shared.region != Place::Region::none) return {shared, {}};
    return {builder_.write(output(), form), residual};
}

}  // namespace lossmap::cpu
