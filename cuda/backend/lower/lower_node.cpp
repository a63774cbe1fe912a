#include <array>

#include "core/error.hpp"
#include "cuda/backend/lower/lowerings.hpp"

namespace lossmap::cuda {

void lower_node(ProgramBuilder& builder, const Node& node) {
    for (const ValueId id : node.outputs) {
        if (id != kNoValue && builder.value(id).dtype == DType::f64)
            throw UnsupportedError("arithmetic in f64 is not supported on the GPU");
    }
    using Lowering = bool (*)(ProgramBuilder&, const Node&);
    constexpr std::array<Lowering, 14> kWays{
        lower_view,      lower_move,     lower_resample, lower_unary,    lower_binary,        lower_reduction,
        lower_pool,      lower_product,  lower_einsum,   lower_indexing, lower_normalization, lower_direct_convolution,
        lower_recurrent, lower_attention};
    for (const Lowering way : kWays) {
        if (way(builder, node)) return;
    }
    throw UnsupportedError("not supported on the GPU");
}

}  // namespace lossmap::cuda
