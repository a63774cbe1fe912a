#include "cuda/backend/program_builder.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/error.hpp"
#include "cuda/backend/kernel_shapes.hpp"
#include "cuda/backend/plans/problem_text.hpp"

namespace lossmap::cuda {
namespace {

constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();
/// Libraries read and write 16 bytes at a time, and start kernels of their own at such places.
constexpr std::size_t kBlockAlignment = 256;

std::size_t index_of(Phase phase) { return static_cast<std::size_t>(phase); }

Shape strides_for(const Shape& shape, Demand::Form form) {
    return form == Demand::Form::channels_last && shape.size() >= 3 ? channels_last_strides(shape, shape[1])
                                                                    : row_major_strides(shape);
}

std::int64_t rounded_up(std::int64_t value, std::int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

ProgramBuilder::ProgramBuilder(const Graph& graph, const Lowering& lowering, const ParameterSpace& space,
                               Planner& planner, std::size_t axes, const BuildOptions& options)
    : graph_(graph),
      lowering_(lowering),
      planner_(planner),
      options_(options),
      copies_(graph.values.size()),
      wide_(graph.values.size(), false) {
    const auto coordinates = static_cast<std::int64_t>(std::max<std::size_t>(axes, 1));
    theta_places_.states = temporary(Phase::theta, DType::f32, {std::max<std::int64_t>(space.states_size(), 1)}, true);
    theta_places_.coordinates = temporary(Phase::theta, DType::f32, {coordinates}, true).place;
    theta_places_.weight_flags = temporary(Phase::theta, DType::u32, {1}, true).place;
    theta_faults_ = temporary(Phase::theta, DType::u32, {1}, false);
    theta_places_.faults = theta_faults_.place;
    packer_ = std::make_unique<ThetaPacker>(kernels(), theta_places_, options.points);
    faults_ = temporary(Phase::constant, DType::u32, {1}, false);
    flags_ = temporary(Phase::tile, DType::u32, {options.tile_samples + 1}, true);
    there_from_the_start(flags_);
    const auto locate = [&](const std::vector<Parameter>& parameters, bool states) {
        for (const Parameter& parameter : parameters) {
            Located array;
            array.pristine = PristineTheta{states, parameter.offset};
            array.shape = *graph.value(parameter.value).shape;
            array.strides = row_major_strides(array.shape);
            copies(parameter.value).push_back(std::move(array));
        }
    };
    locate(space.weights, false);
    locate(space.states, true);
    // The first wave of weights stands in front of everything of its phase; it is put in at the end.
    operations_[index_of(Phase::theta)].push_back(nullptr);
    names_[index_of(Phase::theta)].push_back("weights");
}

const Shape& ProgramBuilder::shape(ValueId id) const {
    const auto& known = value(id).shape;
    if (!known) throw InternalError("value '{}' has no shape", value(id).name);
    return *known;
}

Phase ProgramBuilder::phase_of(ValueId id) const {
    switch (class_of(id)) {
        case ValueClass::constant: return Phase::constant;
        case ValueClass::theta: return Phase::theta;
        default: return Phase::tile;
    }
}

bool ProgramBuilder::per_point(ValueId id) const {
    return class_of(id) == ValueClass::theta || class_of(id) == ValueClass::both;
}

DType ProgramBuilder::activation_type() const {
    switch (options_.precision) {
        case Precision::fp16: return DType::f16;
        case Precision::bf16: return DType::bf16;
        default: return DType::f32;
    }
}

DType ProgramBuilder::storage(ValueId id) const {
    const DType type = value(id).dtype;
    // What does not depend on theta is computed once for all points: it may as well be exact.
    return type == DType::f32 && class_of(id) == ValueClass::both && !wide_[static_cast<std::size_t>(id)]
               ? activation_type()
               : type;
}

const Tensor* ProgramBuilder::constant(ValueId id) const {
    if (id == kNoValue || class_of(id) != ValueClass::constant) return nullptr;
    return value(id).data.get();
}

Place ProgramBuilder::new_block(Phase phase, std::size_t bytes) {
    auto& blocks = blocks_[index_of(phase)];
    blocks.push_back({std::max<std::size_t>(bytes, 1), -1, -1});
    return {phase, blocks.size() - 1};
}

Located ProgramBuilder::temporary(Phase phase, DType type, const Shape& shape, bool per_point) {
    return make_temporary(phase, type, shape, per_point, element_count(shape));
}

Located ProgramBuilder::aligned_temporary(Phase phase, DType type, const Shape& shape, bool per_point) {
    const auto unit = static_cast<std::int64_t>(kLibraryAlignment / size_of(type));
    return make_temporary(phase, type, shape, per_point, rounded_up(element_count(shape), unit));
}

Located ProgramBuilder::make_temporary(Phase phase, DType type, const Shape& shape, bool per_point,
                                       std::int64_t elements) {
    Located array;
    array.type = type;
    array.shape = shape;
    array.strides = row_major_strides(shape);
    array.point_stride = per_point ? elements : 0;
    const std::int64_t points = per_point ? options_.points : 1;
    array.place = new_block(phase, static_cast<std::size_t>(elements * points) * size_of(type));
    return array;
}

Located ProgramBuilder::constant_bytes(std::span<const std::byte> bytes, DType type, const Shape& shape) {
    Located array = temporary(Phase::constant, type, shape, false);
    initial_.push_back({array.place, {bytes.begin(), bytes.end()}});
    return array;
}

void ProgramBuilder::load_constant(ValueId id) {
    const Value& constant = value(id);
    if (!constant.data) throw InternalError("value '{}' is read before it is computed", constant.name);
    const auto* data = static_cast<const std::byte*>(constant.data->data());
    copies(id).push_back(constant_bytes({data, constant.data->size_bytes()}, constant.dtype, *constant.shape));
}

Located ProgramBuilder::find(ValueId id) {
    const auto encoded = encoded_.find(id);
    if (encoded != encoded_.end() && !encoded->second.is_decoded) {
        encoded->second.is_decoded = true;
        copies(id).push_back(decoded(encoded->second, {Demand::Form::dense, DType::f32}));
    }
    if (copies(id).empty()) load_constant(id);
    // The newest one that lies somewhere; pristine parameters only when there is no other.
    return copies(id).back();
}

Located ProgramBuilder::write(ValueId id, Demand::Form form) { return write(id, strides_for(shape(id), form)); }

Located ProgramBuilder::write(ValueId id, const Shape& strides) {
    Located array = temporary(phase_of(id), storage(id), shape(id), per_point(id));
    array.strides = strides;
    define(id, array);
    return array;
}

void ProgramBuilder::encode(ValueId id, const Located& bytes, const Located& table) {
    encoded_[id] = {bytes, table, false};
}

void ProgramBuilder::define(ValueId id, const Located& array) {
    if (id == kNoValue) return;
    copies(id).push_back(array);
    copies(id).back().shape = shape(id);
}

void ProgramBuilder::watch_in_place(const Located& array, Phase phase) {
    if (array.type != DType::f16 || !array.per_point() || phase != Phase::tile) return;
    auto operation = kernel<kernels::UnaryArgs>("unary", kernels().unary, options_.points);
    operation->args.count = element_count(array.shape);
    operation->read(operation->args.in, array);
    operation->write(operation->args.out, array);
    watch(*operation, array);
    add(std::move(operation), phase);
}

void ProgramBuilder::keep_wide(ValueId id) { wide_[static_cast<std::size_t>(id)] = true; }

void ProgramBuilder::train(std::span<const TrainingNorm> norms, std::int64_t states) {
    training_norms_ = norms;
    statistics_ = temporary(Phase::tile, DType::f64, {states}, true);
    there_from_the_start(statistics_);
}

const TrainingNorm* ProgramBuilder::training_norm(const Node& node) const {
    for (const TrainingNorm& norm : training_norms_) {
        if (&graph_.nodes[static_cast<std::size_t>(norm.node)] == &node) return &norm;
    }
    return nullptr;
}

void ProgramBuilder::there_from_the_start(const Located& array) {
    Block& block = blocks_[index_of(array.place.phase)].at(array.place.block);
    block.first = 0;
    block.last = std::max<std::int64_t>(block.last, 0);
}

void ProgramBuilder::use(const Place& place, Phase phase, std::int64_t index) {
    Block& block = blocks_[index_of(place.phase)].at(place.block);
    if (place.phase != phase) {
        if (place.phase > phase) throw InternalError("{} reads what is computed more often than it", name_);
        block.last = kForever;
        return;
    }
    block.first = block.first < 0 ? index : std::min(block.first, index);
    block.last = std::max(block.last, index);
}

void ProgramBuilder::add(std::unique_ptr<Operation> operation, Phase phase) {
    auto& list = operations_[index_of(phase)];
    std::int64_t touched = 0;
    for (const Place& place : operation->places()) {
        use(place, phase, static_cast<std::int64_t>(list.size()));
        if (phase == Phase::tile && place.phase == Phase::tile)
            touched += static_cast<std::int64_t>(blocks_[index_of(phase)].at(place.block).bytes);
    }
    traffic_bytes_ += touched;
    widest_bytes_ = std::max(widest_bytes_, touched);
    list.push_back(std::move(operation));
    names_[index_of(phase)].push_back(name_);
}

std::shared_ptr<ConvolutionPlan> ProgramBuilder::plan_convolution(const ConvolutionProblem& problem) {
    convolutions_.push_back(problem);
    if (options_.estimate) return nullptr;
    auto planned = planner_.convolution(problem, *options_.recorded);
    if (planned.plan != nullptr) ways_[text_of(problem)] = planned.way;
    return std::move(planned.plan);
}

std::shared_ptr<GemmPlan> ProgramBuilder::plan_gemm(const GemmProblem& problem) {
    products_.push_back(problem);
    if (options_.estimate) return planner_.estimated_gemm(problem);
    auto planned = planner_.gemm(problem, *options_.recorded);
    ways_[text_of(problem)] = planned.way;
    return std::move(planned.plan);
}

void ProgramBuilder::add_waves() {
    auto& list = operations_[index_of(Phase::theta)];
    const auto place_tables = [&](ThetaWave& wave) {
        std::array<Place, kThetaSets> tables;
        for (Place& table : tables) {
            table = new_block(Phase::constant, wave.table_bytes());
        }
        wave.use_tables(tables);
    };
    auto first = packer_->take_first();
    place_tables(*first);
    for (const Place& place : first->places())
        use(place, Phase::theta, 0);
    list[0] = std::move(first);
    auto last = packer_->take_last();
    if (last->empty()) return;
    place_tables(*last);
    begin("weights computed from parameters");
    add(std::move(last), Phase::theta);
}

ProgramBuilder::Result ProgramBuilder::finish(std::span<const Located> kept) {
    add_waves();
    for (const Located& array : kept)
        blocks_[index_of(array.place.phase)].at(array.place.block).last = kForever;
    Result result;
    for (std::size_t phase = 0; phase < kPhases; ++phase) {
        const auto end = static_cast<std::int64_t>(operations_[phase].size());
        std::vector<Lifetime> lives;
        for (const Block& block : blocks_[phase]) {
            // Constants stay; coordinates, flags and inputs are written in front of the first operation.
            const bool stays = phase == index_of(Phase::constant) || block.last == kForever;
            const std::int64_t first = stays && block.first < 0 ? 0 : std::max<std::int64_t>(block.first, 0);
            // What was planned for and then done otherwise.
            const bool unused = !stays && block.first < 0;
            lives.push_back({phase == index_of(Phase::constant) ? 0 : first, stays ? end : std::max(block.last, first),
                             unused ? 1 : block.bytes});
        }
        MemoryPlan plan = plan_memory(lives, kBlockAlignment);
        result.offsets[phase] = std::move(plan.offsets);
        result.arena_bytes[phase] = std::max<std::size_t>(plan.size_bytes, kBlockAlignment);
        result.operations[phase] = std::move(operations_[phase]);
        result.names[phase] = std::move(names_[phase]);
    }
    result.initial = std::move(initial_);
    result.convolutions = std::move(convolutions_);
    result.products = std::move(products_);
    result.ways = std::move(ways_);
    result.traffic_bytes = traffic_bytes_;
    result.widest_bytes = widest_bytes_;
    return result;
}

}  // namespace lossmap::cuda
