#include "cuda/backend/program.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "cuda/backend/lower/lowerings.hpp"

namespace lossmap::cuda {
namespace {

/// Lowers steps and collects what cannot be run, so that one message names it all.
class Compiler {
public:
    /// @param pools   whether pooling joins convolutions
    /// @param chains  whether dense layers behind each other run as one, where that pays
    Compiler(Program& program, ProgramBuilder& builder, bool pools, bool chains)
        : program_(program), builder_(builder), pools_(pools), chains_(chains) {}

    void theta_nodes() {
        for (const std::int32_t index : program_.lowering.theta_nodes) {
            const Node& node = builder_.node(index);
            attempt(node, node.outputs, [&] { lower_node(builder_, node); });
        }
    }

    /// @param kernels  for chains of convolutions, whose results in the middle are left out then
    void steps(std::vector<const StageKernel*> kernels) {
        const std::vector<Step>& steps = program_.lowering.steps;
        std::optional<StageChains> chains;
        if (!kernels.empty()) chains.emplace(builder_, program_.lowering, std::move(kernels));
        std::optional<DenseChains> dense;
        if (chains_) dense.emplace(builder_, program_.lowering);
        std::vector<bool> done(steps.size(), false);
        for (std::size_t index = 0; index < steps.size(); ++index) {
            if (done[index]) continue;
            const Step& step = steps[index];
            if (chains && stage(*chains, index, done)) continue;
            if (dense && dense_chain(*dense, index, done)) continue;
            const Node& node = builder_.node(step.node);
            // A layer in front of it has computed it as well.
            if (builder_.is_there(node.outputs[0])) continue;
            const std::vector<ValueId> outputs = results_of(step);
            attempt(node, outputs, [&] {
                if (!lower_convolution(builder_, step, pools_) && !lower_dense(builder_, step)) lower_separately(step);
            });
        }
    }

    void require_all() const {
        if (refusals_.empty()) return;
        std::string text;
        for (const std::string& refusal : refusals_)
            text += (text.empty() ? "" : "; ") + refusal;
        throw UnsupportedError(text);
    }

private:
    /// Lowers the chain that begins with a step, where there is one.
    bool stage(const StageChains& chains, std::size_t index, std::vector<bool>& done) {
        const Step& step = program_.lowering.steps[index];
        const auto chain = chains.from(index);
        if (!chain) {
            const std::string reason = chains.why_not(step);
            if (builder_.node(step.node).op_type == "Conv") {
                program_.outside_stages.emplace_back(builder_.node(step.node).name,
                                                     reason.empty() ? "no other layer goes with it" : reason);
            }
            return false;
        }
        std::vector<ValueId> outputs;
        std::vector<std::string> names;
        for (const std::size_t member : chain->members()) {
            const Step& one = program_.lowering.steps[member];
            outputs.push_back(builder_.node(one.last_node()).outputs[0]);
            names.push_back(builder_.node(one.node).name);
            done[member] = true;
        }
        program_.stages.push_back(std::move(names));
        program_.stage_arithmetic = chain->kernel->arithmetic;
        attempt(builder_.node(step.node), outputs, [&] { lower_stage(builder_, program_.lowering, *chain); });
        return true;
    }

    /// The same of dense layers.
    bool dense_chain(const DenseChains& chains, std::size_t index, std::vector<bool>& done) {
        const auto chain = chains.from(index);
        if (!chain) return false;
        std::vector<std::string> names;
        for (const DenseChain::Layer& layer : chain->layers)
            names.push_back(builder_.node(program_.lowering.steps[layer.step].node).name);
        for (const std::size_t member : chain->members())
            done[member] = true;
        program_.dense_chains.push_back(std::move(names));
        attempt(builder_.node(program_.lowering.steps[index].node), {chain->layers.back().output},
                [&] { program_.dense_times.push_back(lower_dense_chain(builder_, program_.lowering, *chain)); });
        return true;
    }

    template <typename Body>
    void attempt(const Node& node, const std::vector<ValueId>& outputs, const Body& body) {
        builder_.begin(node.name);
        try {
            body();
        } catch (const UnsupportedError& error) {
            refusals_.push_back(fmt::format("{}: {}", node.describe(), error.what()));
            // So that what reads them can be looked at, too.
            for (const ValueId id : outputs) {
                if (id != kNoValue) static_cast<void>(builder_.write(id));
            }
        } catch (const InputError& error) {
            throw InputError("{}: {}", node.describe(), error.what());
        }
    }

    [[nodiscard]] std::vector<ValueId> results_of(const Step& step) const {
        std::vector<ValueId> result;
        for (const std::int32_t index :
             {step.node, step.bias_add, step.batch_norm, step.residual_add, step.activation}) {
            if (index < 0) continue;
            const auto& outputs = builder_.node(index).outputs;
            result.insert(result.end(), outputs.begin(), outputs.end());
        }
        return result;
    }

    /// The joined nodes one after the other, where no way runs them together.
    void lower_separately(const Step& step) {
        for (const std::int32_t index :
             {step.node, step.bias_add, step.batch_norm, step.residual_add, step.activation}) {
            if (index >= 0) lower_node(builder_, builder_.node(index));
        }
    }

    Program& program_;
    ProgramBuilder& builder_;
    bool pools_;
    bool chains_;
    std::vector<std::string> refusals_;
};

void require_axes(const ExecutableRequest& request) {
    if (request.axes.size() <= static_cast<std::size_t>(kernels::kMaxAxes)) return;
    throw UnsupportedError("{} axes; the GPU's kernels take {}", request.axes.size(), kernels::kMaxAxes);
}

/// The loss reads the output in f32, and so everything that only renames it.
void keep_output_wide(const Graph& graph, ValueId output, ProgramBuilder& builder) {
    const auto producers = graph.producers();
    const auto consumers = graph.consumers();
    ValueId id = output;
    builder.keep_wide(id);
    while (producers[static_cast<std::size_t>(id)] >= 0) {
        const Node& node = graph.nodes[static_cast<std::size_t>(producers[static_cast<std::size_t>(id)])];
        const bool renames = node.op_type == "Reshape" || node.op_type == "Flatten" || node.op_type == "Squeeze" ||
                             node.op_type == "Unsqueeze" || node.op_type == "Identity" || node.op_type == "Transpose";
        if (!renames || consumers[static_cast<std::size_t>(node.inputs[0])].size() != 1) return;
        id = node.inputs[0];
        builder.keep_wide(id);
    }
}

void bind_inputs(Program& program, const std::vector<FieldInfo>& fields, ProgramBuilder& builder) {
    const Graph& graph = program.bound.graph;
    for (std::size_t k = 0; k < graph.inputs.size(); ++k) {
        const ValueId id = graph.inputs[k];
        ProgramInput input;
        input.field = program.bound.input_fields[k];
        if (const std::int64_t channels = fields[input.field].byte_channels; channels > 0) {
            input.array = builder.temporary(Phase::tile, DType::u8, builder.shape(id), false);
            input.table =
                builder.temporary(Phase::constant, DType::f32, {channels, std::int64_t{ByteTable::kEntries}}, false);
            builder.encode(id, input.array, *input.table);
        } else {
            input.array = builder.write(id);
        }
        builder.there_from_the_start(input.array);
        input.sample_elements = element_count(builder.shape(id)) / program.bound.tile_samples;
        program.inputs.push_back(input);
    }
}

/// Of every step whose result lies somewhere: inside a stage it does not.
void keep_results(Program& program, ProgramBuilder& builder) {
    for (const Step& step : program.lowering.steps) {
        const ValueId id = builder.node(step.last_node()).outputs[0];
        if (id == kNoValue || builder.value(id).dtype != DType::f32 || !builder.is_computed(id)) continue;
        program.kept.emplace_back(id, builder.read(id, {Demand::Form::dense, DType::f32}));
    }
}

nlohmann::ordered_json operations_of(const Program& program) {
    constexpr std::array<const char*, kPhases> kNames{"once", "per_point", "per_tile"};
    nlohmann::ordered_json record;
    for (std::size_t phase = 0; phase < kPhases; ++phase) {
        auto& list = record[kNames[phase]];
        list = nlohmann::ordered_json::array();
        for (std::size_t k = 0; k < program.parts.operations[phase].size(); ++k) {
            list.push_back({{"name", program.parts.names[phase][k]},
                            {"by", program.parts.operations[phase][k]->implementation()}});
        }
    }
    return record;
}

}  // namespace

std::int64_t Program::memory_bytes() const {
    return static_cast<std::int64_t>(arena_bytes(Phase::constant) + kThetaSets * arena_bytes(Phase::theta) +
                                     arena_bytes(Phase::tile));
}

std::unique_ptr<Program> build_program(const ExecutableRequest& request, BoundRequest bound, Planner& planner,
                                       const BuildOptions& options) {
    auto program = std::make_unique<Program>();
    program->options = options;
    program->passes = request.passes;
    program->bound = std::move(bound);
    const Graph& graph = program->bound.graph;
    PassSet passes = request.passes;
    if (options.training) {
        program->training_norms = training_norms(program->bound, *request.space);
        passes.batch_norm = false;
    }
    require_axes(request);
    program->lowering = lower(graph, passes);
    ProgramBuilder builder(graph, program->lowering, *request.space, planner, request.axes.size(), options);
    if (options.training) builder.train(program->training_norms, request.space->states_size());
    keep_output_wide(graph, program->bound.output, builder);
    bind_inputs(*program, request.inputs, builder);
    Compiler compiler(*program, builder, request.passes.pooling && !request.traceable,
                      request.passes.dense_chains && !request.traceable);
    compiler.theta_nodes();
    compiler.steps(stage_kernels(options, request.passes, builder.device().facts()));
    compiler.require_all();
    builder.begin("output");
    program->output = builder.read(program->bound.output, {Demand::Form::dense, DType::f32});
    if (request.traceable) keep_results(*program, builder);
    program->flags = builder.flags();
    program->faults = builder.faults(Phase::tile);
    program->theta = builder.theta_places();
    std::vector<Located> kept{program->output, program->flags};
    if (options.training) {
        program->statistics = builder.statistics();
        kept.push_back(program->statistics);
    }
    for (const auto& [id, array] : program->kept)
        kept.push_back(array);
    for (const Place& place : {program->theta.weight_flags, program->theta.faults}) {
        kept.emplace_back();
        kept.back().place = place;
    }
    program->parts = builder.finish(kept);
    program->macs_per_sample = builder.macs() / program->bound.tile_samples;
    return program;
}

std::string plan_record(const Program& program, std::span<const Program* const> training, const std::string& rescue,
                        const DeviceFacts& facts) {
    nlohmann::ordered_json record;
    record["backend"] = "cuda";
    record["precision"] = name_of(program.options.precision);
    record["tile_samples"] = program.options.tile_samples;
    record["points"] = program.options.points;
    if (!program.options.size_record.empty())
        record["size"] = nlohmann::ordered_json::parse(program.options.size_record);
    for (const PassInfo& pass : pass_table())
        record["passes"][std::string(pass.name)] = program.passes.*pass.enabled;
    if (!program.stages.empty()) record["stage_arithmetic"] = program.stage_arithmetic;
    for (const std::vector<std::string>& names : program.stages)
        record["stages"].push_back(names);
    for (const auto& [name, reason] : program.outside_stages)
        record["outside_stages"].push_back({{"name", name}, {"because", reason}});
    for (const std::vector<std::string>& names : program.dense_chains)
        record["dense_chains"].push_back(names);
    record["architecture"] = facts.architecture;
    record["libraries"] = facts.library_versions;
    record["operations"] = operations_of(program);
    record["ways"] = program.parts.ways;
    for (const Program* batch : training) {
        record["statistics"].push_back({{"batch_samples", batch->options.tile_samples},
                                        {"points", batch->options.points},
                                        {"operations", operations_of(*batch)},
                                        {"ways", batch->parts.ways}});
    }
    if (!rescue.empty()) record["rescue"] = nlohmann::ordered_json::parse(rescue);
    return record.dump();
}

}  // namespace lossmap::cuda
