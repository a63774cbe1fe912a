#include "graph/ops/families.hpp"

namespace lossmap::ops {

/// Operators without rule and kernel: specialize() resolves them, they never run.
Family rewritten_operators() {
    constexpr std::string_view kNote =
        "resolved while shapes are fixed: lengths, positions and conditions must be constant";
    const auto rewritten = [&](std::string_view name, std::int64_t min_opset, int min_inputs, int max_inputs,
                               int max_outputs = 1) {
        return OperatorInfo{.name = name,
                            .domain = "",
                            .min_opset = min_opset,
                            .min_inputs = min_inputs,
                            .max_inputs = max_inputs,
                            .max_outputs = max_outputs,
                            .note = kNote};
    };
    return {
        rewritten("ConcatFromSequence", 11, 1, 1), rewritten("If", 1, 1, 1, -1),
        rewritten("Loop", 1, 0, -1, -1),           rewritten("SequenceAt", 11, 2, 2),
        rewritten("SequenceConstruct", 11, 1, -1), rewritten("SequenceEmpty", 11, 0, 0),
        rewritten("SequenceErase", 11, 1, 2),      rewritten("SequenceInsert", 11, 2, 3),
        rewritten("SequenceLength", 11, 1, 1),     rewritten("SplitToSequence", 11, 1, 2),
    };
}

}  // namespace lossmap::ops
