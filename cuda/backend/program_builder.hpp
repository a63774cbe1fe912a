#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.hpp"
#include "backend/training_norms.hpp"
#include "cuda/backend/device.hpp"
#include "cuda/backend/kernel_operation.hpp"
#include "cuda/backend/located.hpp"
#include "cuda/backend/operation.hpp"
#include "cuda/backend/plans/planner.hpp"
#include "cuda/backend/theta_packer.hpp"
#include "plan/fusion.hpp"
#include "plan/memory_plan.hpp"

namespace lossmap::cuda {

struct BuildOptions {
    std::int64_t points = 1;        ///< a pass
    std::int64_t tile_samples = 1;  ///< a pass, for each point
    Precision precision = Precision::fp32;
    bool estimate = false;  ///< only to see what runs and what memory it takes: no library is asked for plans
    bool training = false;  ///< a tile is a batch, whose statistics batch norms use and hand out
    /// What an earlier part of the run chose for the problems of this program.
    std::shared_ptr<const RecordedWays> recorded = std::make_shared<const RecordedWays>();
    std::string size_record{};  ///< JSON: how points and samples were chosen, for the recorded plan; "": not said
};

/// What an operation wants of an operand.
struct Demand {
    enum class Form : std::uint8_t {
        pristine,       ///< a parameter as it lies in the origin, where it is one
        any,            ///< any strides
        compact,        ///< no gaps, dimensions in any order
        dense,          ///< row-major
        channels_last,  ///< [N, C, ..] with the channels innermost
    };
    Form form = Form::dense;
    std::optional<DType> type;          ///< as it is stored when absent
    std::int64_t channel_multiple = 1;  ///< channels_last: zeros behind the channels up to a multiple of this
};

/// Bytes that a block of the constant phase starts with.
struct InitialBytes {
    Place place;
    std::vector<std::byte> bytes;
};

/// Turns steps into operations and keeps account of which value lies where, in which form, and how long. Used by the
/// lowerings: they ask for operands and results and then add operations.
class ProgramBuilder {
public:
    ProgramBuilder(const Graph& graph, const Lowering& lowering, const ParameterSpace& space, Planner& planner,
                   std::size_t axes, const BuildOptions& options);

    [[nodiscard]] Device& device() const { return planner_.device(); }
    [[nodiscard]] const kernels::KernelTable& kernels() const { return device().kernels(); }
    [[nodiscard]] const BuildOptions& options() const { return options_; }
    [[nodiscard]] const Graph& graph() const { return graph_; }
    [[nodiscard]] const Node& node(std::int32_t index) const { return graph_.nodes[static_cast<std::size_t>(index)]; }
    [[nodiscard]] const Value& value(ValueId id) const { return graph_.value(id); }
    [[nodiscard]] const Shape& shape(ValueId id) const;
    [[nodiscard]] ValueClass class_of(ValueId id) const { return lowering_.classes[static_cast<std::size_t>(id)]; }
    [[nodiscard]] Phase phase_of(ValueId id) const;
    [[nodiscard]] bool per_point(ValueId id) const;
    /// Points that a launch computing `id` covers.
    [[nodiscard]] std::int64_t points_of(ValueId id) const { return per_point(id) ? options_.points : 1; }
    /// Element type in which `id` is stored.
    [[nodiscard]] DType storage(ValueId id) const;
    /// f32, f16 or bf16: of activations that depend on theta and samples.
    [[nodiscard]] DType activation_type() const;
    /// The values of a constant, kept by the graph; nullptr for all others.
    [[nodiscard]] const Tensor* constant(ValueId id) const;

    /// Whether a value has been computed.
    [[nodiscard]] bool is_there(ValueId id) const {
        return id != kNoValue && (!copies_[static_cast<std::size_t>(id)].empty() || encoded_.contains(id));
    }
    /// Where a value lies already, in the form that was made first. Throws InternalError when it has not been computed.
    [[nodiscard]] Located find(ValueId id);
    /// Whether `id` lies somewhere already; inside a stage values never do.
    [[nodiscard]] bool is_computed(ValueId id) { return !copies(id).empty(); }
    /// The value in the form that is asked for; converted first when need be, in the phase of the value.
    [[nodiscard]] Located read(ValueId id, const Demand& demand);
    /// `array` in the form that is asked for; the conversion is added to `phase`.
    [[nodiscard]] Located convert(const Located& array, const Demand& demand, Phase phase);
    /// New memory for a result.
    [[nodiscard]] Located write(ValueId id, Demand::Form form = Demand::Form::dense);
    [[nodiscard]] Located write(ValueId id, const Shape& strides);
    /// Stores `id` as f32 whatever the precision: what the loss reads.
    void keep_wide(ValueId id);
    /// Makes batch norms use the statistics of their batch, a tile, and hand them out.
    /// @param states  of the parameter space
    void train(std::span<const TrainingNorm> norms, std::int64_t states);
    /// A block that is written in front of the first operation of its phase.
    void there_from_the_start(const Located& array);
    /// `id`, f32, is what `bytes`, u8 of the same shape, stand for by `table` [channels, 256]: decoded where it is
    /// read, straight into the form that is asked for.
    void encode(ValueId id, const Located& bytes, const Located& table);
    /// `id` is what lies at `array` (a view of another value, or a result that was written).
    void define(ValueId id, const Located& array);
    /// New memory that no value names.
    [[nodiscard]] Located temporary(Phase phase, DType type, const Shape& shape, bool per_point);
    /// The same, each point's part starting at a multiple of kLibraryAlignment.
    [[nodiscard]] Located aligned_temporary(Phase phase, DType type, const Shape& shape, bool per_point);
    /// Constant bytes made by a lowering (index maps, tables).
    [[nodiscard]] Located constant_bytes(std::span<const std::byte> bytes, DType type, const Shape& shape);
    template <typename T>
    [[nodiscard]] Located constant_array(const std::vector<T>& values) {
        return constant_bytes(std::as_bytes(std::span(values)), dtype_of<T>,
                              {static_cast<std::int64_t>(values.size())});
    }

    template <typename Args>
    [[nodiscard]] std::unique_ptr<KernelOperation<Args>> kernel(const char* name,
                                                                typename KernelOperation<Args>::Launch launch,
                                                                std::int64_t points) const {
        auto operation = kernel_of<Args>(name, launch, points);
        operation->args.points = points;
        return operation;
    }
    /// For arguments that hold their points elsewhere.
    template <typename Args>
    [[nodiscard]] std::unique_ptr<KernelOperation<Args>> kernel_of(const char* name,
                                                                   typename KernelOperation<Args>::Launch launch,
                                                                   std::int64_t points) const {
        return std::make_unique<KernelOperation<Args>>(name, launch, points);
    }
    /// New memory for a result whose kernel does not convert elements: it keeps the type of its operand.
    template <typename Args>
    void write_as(KernelOperation<Args>& operation, kernels::Output& slot, ValueId id, DType type) {
        Located out = temporary(phase_of(id), type, shape(id), per_point(id));
        define(id, out);
        operation.write(slot, out);
    }
    void add(std::unique_ptr<Operation> operation, Phase phase);
    /// Names operations that are added from now on.
    void begin(std::string name) { name_ = std::move(name); }

    /// Makes a kernel that stores `result` flag what f16 does not hold: of its sample where that is known, of the whole
    /// tile otherwise. (All of a tile is computed again; samples only spread the flags.)
    template <typename Args>
    void watch(KernelOperation<Args>& operation, const Located& result) {
        if (result.type != DType::f16 || !result.per_point() || result.place.phase != Phase::tile) return;
        watch_samples(operation);
        operation.args.overflow.elements_per_sample = has_samples_outermost(result, options_.tile_samples)
                                                          ? element_count(result.shape) / options_.tile_samples
                                                          : 0;
    }
    /// Makes a kernel flag samples of which it computes something that its arithmetic does not hold.
    template <typename Args>
    void watch_samples(KernelOperation<Args>& operation) {
        operation.args.overflow.samples = options_.tile_samples;
        operation.bind(operation.args.overflow.data, flags_, true);
    }
    /// Adds a kernel that looks through `array` for what f16 does not hold, where it is of that type: for results of
    /// libraries, which do not watch.
    void watch_in_place(const Located& array, Phase phase);
    /// Word in which kernels of a phase say what is wrong with the data.
    [[nodiscard]] const Located& faults(Phase phase) const { return phase == Phase::theta ? theta_faults_ : faults_; }
    /// u32 [points, tile_samples + 1] of samples with values that f16, or two halves, do not hold; cleared by the first
    /// operation of a tile.
    [[nodiscard]] const Located& flags() const { return flags_; }
    [[nodiscard]] ThetaPacker& packer() { return *packer_; }
    [[nodiscard]] const ThetaPlaces& theta_places() const { return theta_places_; }
    /// Of a batch norm that uses its batch's statistics; nullptr for all others.
    [[nodiscard]] const TrainingNorm* training_norm(const Node& node) const;
    /// f64 [states] a point, where training norms write; cleared in front of the first operation of a tile.
    [[nodiscard]] const Located& statistics() const { return statistics_; }

    /// The library's plan for a convolution; nullptr where it has none, and in estimates.
    [[nodiscard]] std::shared_ptr<ConvolutionPlan> plan_convolution(const ConvolutionProblem& problem);
    [[nodiscard]] std::shared_ptr<GemmPlan> plan_gemm(const GemmProblem& problem);

    void count_macs(std::int64_t macs) { macs_ += macs; }
    [[nodiscard]] std::int64_t macs() const { return macs_; }

    struct Result {
        std::array<std::vector<std::unique_ptr<Operation>>, kPhases> operations;
        std::array<std::vector<std::string>, kPhases> names;
        std::array<std::vector<std::size_t>, kPhases> offsets;
        std::array<std::size_t, kPhases> arena_bytes{};
        std::vector<InitialBytes> initial;
        std::vector<ConvolutionProblem> convolutions;  ///< that the library was asked for, or will be
        std::vector<GemmProblem> products;             ///< the same
        RecordedWays ways;                             ///< that were chosen, by problem
        std::int64_t traffic_bytes =
            0;  ///< of blocks of a tile that its operations touch, one operation after the other
        std::int64_t widest_bytes = 0;  ///< the most that one of them touches
    };
    /// Plans the arenas. `kept`: arrays that are read when a tile is done. Afterwards nothing may be added.
    [[nodiscard]] Result finish(std::span<const Located> kept);

private:
    struct Block {
        std::size_t bytes = 0;
        std::int64_t first = -1;
        std::int64_t last = -1;
    };

    /// A value that is known by its bytes.
    struct Encoded {
        Located bytes;
        Located table;
        bool is_decoded = false;  ///< there is a dense copy in f32
    };

    [[nodiscard]] Place new_block(Phase phase, std::size_t bytes);
    [[nodiscard]] std::size_t block_bytes(const Place& place) const {
        return blocks_[static_cast<std::size_t>(place.phase)].at(place.block).bytes;
    }
    /// `elements` of memory a point, or once.
    [[nodiscard]] Located make_temporary(Phase phase, DType type, const Shape& shape, bool per_point,
                                         std::int64_t elements);
    [[nodiscard]] std::vector<Located>& copies(ValueId id) { return copies_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] static bool satisfies(const Located& array, const Demand& demand);
    [[nodiscard]] Located packed(const Located& array, DType type);
    [[nodiscard]] Located converted_type(const Located& array, DType type, Phase phase);
    [[nodiscard]] Located copied(const Located& array, Phase phase);
    [[nodiscard]] Located channels_moved_last(const Located& array, const Demand& demand, Phase phase);
    /// Whether bytes are decoded into another form than that of a dense copy in f32, from which all others come.
    [[nodiscard]] static bool decodes_into(const Encoded& encoded, const Demand& demand);
    [[nodiscard]] Located decoded(const Encoded& encoded, const Demand& demand);
    void load_constant(ValueId id);
    void add_waves();
    void use(const Place& place, Phase phase, std::int64_t index);

    const Graph& graph_;
    const Lowering& lowering_;
    Planner& planner_;
    BuildOptions options_;
    std::vector<std::vector<Located>> copies_;  ///< by value
    std::map<ValueId, Encoded> encoded_;
    std::vector<bool> wide_;  ///< by value: stored as f32
    std::array<std::vector<Block>, kPhases> blocks_;
    std::array<std::vector<std::unique_ptr<Operation>>, kPhases> operations_;
    std::array<std::vector<std::string>, kPhases> names_;
    std::vector<InitialBytes> initial_;
    std::vector<ConvolutionProblem> convolutions_;
    std::vector<GemmProblem> products_;
    RecordedWays ways_;
    std::int64_t traffic_bytes_ = 0;
    std::int64_t widest_bytes_ = 0;
    ThetaPlaces theta_places_;
    std::unique_ptr<ThetaPacker> packer_;
    std::span<const TrainingNorm> training_norms_;
    Located statistics_;
    Located faults_;
    Located theta_faults_;
    Located flags_;
    std::string name_;
    std::int64_t macs_ = 0;
};

}  // namespace lossmap::cuda
