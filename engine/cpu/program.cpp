#include "cpu/program.hpp"

#include <algorithm>
#include <dnnl.hpp>
#include <utility>

#include "core/error.hpp"
#include "cpu/bf16_values.hpp"
#include "cpu/lowerings.hpp"
#include "cpu/program_builder.hpp"
#include "plan/memory_plan.hpp"

namespace lossmap::cpu {
namespace {

void lower_node(ProgramBuilder& builder, const Node& node) {
    const auto lower = node.domain.empty() ? find_lowering(node_lowerings(), node.op_type) : nullptr;
    if (lower == nullptr || !lower(builder, node)) lower_to_host_kernel(builder, node);
}

/// The joined nodes one after the other, where no way runs them together.
void lower_separately(ProgramBuilder& builder, const Step& step) {
    for (const std::int32_t index : {step.node, step.bias_add, step.batch_norm, step.residual_add, step.activation}) {
        if (index >= 0) lower_node(builder, builder.node(index));
    }
}

/// Fills in everything that follows from program->bound and program->training_norms.
void assemble(Program& program, const ExecutableRequest& request, std::shared_ptr<const ResidentState> state) {
    const Graph& graph = program.bound.graph;
    PassSet passes = request.passes;
    if (!program.training_norms.empty()) passes.batch_norm = false;
    program.lowering = lower(graph, passes);
    program.materializer =
        std::make_unique<Materializer>(graph, program.lowering, *request.space, std::move(state), *program.engine);
    ProgramBuilder builder(graph, program.lowering, *program.materializer,
                           {request.passes, program.training_norms, request.traceable, program.precision});
    for (std::size_t k = 0; k < graph.inputs.size(); ++k) {
        const ValueId id = graph.inputs[k];
        InputBinding input;
        input.field = program.bound.input_fields[k];
        input.place = builder.write(id, Layout::plain);
        input.dtype = graph.value(id).dtype;
        input.sample_elements = element_count(builder.shape(id)) / program.bound.tile_samples;
        program.inputs.push_back(input);
    }
    for (std::size_t index = 0; index < program.lowering.steps.size(); ++index) {
        const Step& step = program.lowering.steps[index];
        builder.begin_step(index);
        with_context(builder.node(step.node).describe(), [&] {
            const Node& node = builder.node(step.node);
            const auto lower = node.domain.empty() ? find_lowering(step_lowerings(), node.op_type) : nullptr;
            if (lower == nullptr || !lower(builder, step)) lower_separately(builder, step);
        });
    }
    if (request.traceable) program.kept = builder.kept_results();
    auto [plan, output] = builder.finish(program.bound.output);
    program.materializer->finish();
    program.output = output;
    program.blocks = std::move(plan.offsets);
    program.arena_bytes = plan.size_bytes;
    program.operation_names = builder.names();
    program.operations = builder.take_operations();
    program.macs_per_sample = builder.macs() / program.bound.tile_samples;
}

}  // namespace

Program::Program() : engine(std::make_unique<dnnl::engine>(dnnl::engine::kind::cpu, 0)) {}
Program::~Program() = default;

std::unique_ptr<Program> build_program(const ExecutableRequest& request, BoundRequest bound,
                                       std::shared_ptr<const ResidentState> state, Precision precision) {
    auto program = std::make_unique<Program>();
    program->bound = std::move(bound);
    program->precision = precision;
    assemble(*program, request, std::move(state));
    return program;
}

std::unique_ptr<Program> build_training_program(const ExecutableRequest& request, BoundRequest bound,
                                                std::shared_ptr<const ResidentState> state) {
    auto program = std::make_unique<Program>();
    program->bound = std::move(bound);
    program->training_norms = training_norms(program->bound, *request.space);
    assemble(*program, request, std::move(state));
    return program;
}

std::int64_t activation_bytes_per_sample(const BoundRequest& bound, const PassSet& passes, Precision precision) {
    const Lowering lowering = lower(bound.graph, passes);
    const std::vector<bool> bf16 = precision == Precision::bf16 ? bf16_values(bound.graph, lowering)
                                                                : std::vector<bool>(bound.graph.values.size(), false);
    std::vector<Lifetime> lives(bound.graph.values.size());
    std::vector<bool> used(lives.size(), false);
    const auto touch = [&](ValueId id, std::int64_t step) {
        if (id == kNoValue || !depends_on_samples(lowering.classes[static_cast<std::size_t>(id)])) return;
        Lifetime& life = lives[static_cast<std::size_t>(id)];
        if (!used[static_cast<std::size_t>(id)]) {
            const Value& value = bound.graph.value(id);
            const std::size_t element = size_of(bf16[static_cast<std::size_t>(id)] ? DType::bf16 : value.dtype);
            life = {step, step, static_cast<std::size_t>(element_count(value.shape.value())) * element};
            used[static_cast<std::size_t>(id)] = true;
        }
        life.last = step;
    };
    for (std::size_t index = 0; index < lowering.steps.size(); ++index) {
        const Step& step = lowering.steps[index];
        const auto now = static_cast<std::int64_t>(index);
        for (const ValueId id : bound.graph.nodes[static_cast<std::size_t>(step.node)].inputs)
            touch(id, now);
        touch(step.residual, now);
        for (const ValueId id : bound.graph.nodes[static_cast<std::size_t>(step.last_node())].outputs)
            touch(id, now);
    }
    std::vector<Lifetime> kept;
    for (std::size_t index = 0; index < lives.size(); ++index) {
        if (used[index]) kept.push_back(lives[index]);
    }
    return static_cast<std::int64_t>(plan_memory(kept).size_bytes) / bound.tile_samples;
}

}  // namespace lossmap::cpu
