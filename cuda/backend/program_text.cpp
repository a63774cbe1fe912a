#include "cuda/backend/program_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cuda/backend/plans/problem_text.hpp"
#include "io/hash.hpp"

namespace lossmap::cuda {

std::string hash_of(const Program& program, const LossSpec& loss) {
    const Graph& graph = program.bound.graph;
    std::string text = fmt::format("{} {} of {} samples\n", name_of(program.options.precision), name_of(loss.kind),
                                   program.options.tile_samples);
    for (const ProgramInput& input : program.inputs)
        text += fmt::format("input {} {}\n", name_of(input.array.type), input.sample_elements);
    for (const Node& node : graph.nodes) {
        text += node.op_type;
        for (const ValueId id : node.outputs) {
            if (id == kNoValue) continue;
            const Value& value = graph.values[static_cast<std::size_t>(id)];
            if (value.shape) text += fmt::format(" {} {}", name_of(value.dtype), fmt::join(*value.shape, "x"));
        }
        text += '\n';
    }
    for (std::size_t phase = 0; phase < kPhases; ++phase) {
        text += fmt::format("phase of {} bytes\n", program.parts.arena_bytes[phase]);
        for (const auto& operation : program.parts.operations[phase])
            text += operation->implementation() + '\n';
    }
    text += fmt::format("{} bytes of traffic, {} at once\n", program.parts.traffic_bytes, program.parts.widest_bytes);
    for (const ConvolutionProblem& problem : program.parts.convolutions)
        text += text_of(problem) + '\n';
    for (const GemmProblem& problem : program.parts.products)
        text += text_of(problem) + '\n';
    return hash_bytes(std::as_bytes(std::span(text)));
}

}  // namespace lossmap::cuda
