#include "plan/loss_spec.hpp"

#include "core/error.hpp"

namespace lossmap {

const char* name_of(LossKind kind) {
    switch (kind) {
        case LossKind::cross_entropy: return "cross_entropy";
        case LossKind::bce_with_logits: return "bce_with_logits";
        case LossKind::mse: return "mse";
        case LossKind::mae: return "mae";
        case LossKind::huber: return "huber";
        case LossKind::output: return "output";
    }
    throw InternalError("loss kind {} has no name", static_cast<int>(kind));
}

}  // namespace lossmap
