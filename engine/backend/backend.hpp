#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/direction_maker.hpp"
#include "backend/linear_algebra.hpp"
#include "data/dataset.hpp"
#include "graph/graph.hpp"
#include "params/parameter_space.hpp"
#include "plan/loss_spec.hpp"
#include "plan/passes.hpp"

namespace lossmap {

/// Sums over samples at one point, never means: they add over chunks, devices and ranks.
struct LossSums {
    /// Sum of weight_i * loss_i; mse, mae, huber, bce: loss_i is the mean over a sample's elements.
    double loss_sum = 0.0;
    double loss_square_sum = 0.0;  ///< sum of weight_i * loss_i^2
    double weight_sum = 0.0;       ///< sum of weight_i (1 a sample or token; class weights; 0 where ignored)
    std::int64_t correct = 0;      ///< argmax equals target
    std::int64_t counted = 0;      ///< samples (or tokens, pixels) that count
    std::int64_t non_finite = 0;   ///< of those, with a loss that is NaN or infinite
    std::int64_t overflowed = 0;   ///< evaluated again in plain fp32: numbers that were not held otherwise

    LossSums& operator+=(const LossSums& other);
    friend bool operator==(const LossSums&, const LossSums&) = default;
};

/// Batch-norm statistics at one point, summed over batches: sums over consecutive batches add.
struct StatisticSums {
    /// Laid out as the space's states: over batches, the sum of a batch's mean and of its unbiased variance (divided by
    /// n - 1, n values a channel); 0 where nothing is estimated.
    std::vector<double> sums;
    std::int64_t batches = 0;

    StatisticSums& operator+=(const StatisticSums& other);
    /// The mean over batches, as torch.nn.BatchNorm keeps it with momentum=None: every batch counts the same, a shorter
    /// last one too. NaN and infinity stay what they are.
    [[nodiscard]] std::vector<float> states() const;
};

/// Coordinates (a, b, ..) in the span of the resident axes. Backends round them to fp32 first: `grow` rests on it.
struct Point {
    std::vector<double> coordinates;
    /// Running statistics at the point, as the space's states; empty: those of the origin, moved along the axes.
    /// Borrowed.
    std::span<const float> states{};
};

/// One direction: the offset of the state vector for a coordinate of 1. A segment that does not move is empty.
struct AxisView {
    std::span<const float> weights;
    std::span<const float> states;
    /// The same weights where a backend made them; used in place by that backend's executables. May be nullptr.
    std::shared_ptr<const ResidentWeights> resident{};
};

enum class Precision : std::uint8_t { fp32, tf32, fp16, bf16 };
[[nodiscard]] const char* name_of(Precision precision);

/// What an executable is built from. Everything is copied or uploaded: the request may go away afterwards.
struct ExecutableRequest {
    const Graph* graph = nullptr;  ///< imported, parameters marked; not specialised
    const ParameterSpace* space = nullptr;
    const StateVector* origin = nullptr;
    std::vector<AxisView> axes;
    LossSpec loss;
    std::vector<FieldInfo> inputs;  ///< of the data set; bound to graph inputs by name, or in order
    FieldInfo target;
    Precision precision = Precision::fp32;
    int threads = 0;       ///< 0: all the process may use
    int tile_samples = 0;  ///< samples a pass; 0: the backend chooses and reports it in `plan_json`
    int tile_points = 0;   ///< points a pass, for backends that evaluate several at once; 0: the backend chooses
    std::int64_t total_points =
        0;  ///< of the grid, and samples that come together: what a pass has to fill; 0: not known
    std::int64_t chunk_samples = 0;
    std::int64_t total_samples = 0;  ///< that each point is evaluated on; 0: not known
    PassSet passes;                  ///< of the graph optimiser
    bool traceable = false;          ///< Executable::trace will be asked for
    /// `plan_json` of an earlier part of the run, or of rank 0: choices in it are taken over as far as they are this
    /// backend's, so that the same bits come out. "": there is none.
    std::string recorded_plan{};
    /// Samples of the batches that `estimate_statistics` will get; empty: it will not be called.
    std::vector<std::int64_t> statistics_batches{};
};

/// A value of the graph by its name.
struct NamedTensor {
    std::string name;
    Tensor value;
};

/// Time that an operation takes.
struct OperationTime {
    std::string name;            ///< the node's, or "samples", "weights", "loss": what is done beside them
    std::string implementation;  ///< what computes it, as in `plan_json`
    double seconds = 0.0;        ///< of all points and samples that go through together
};

/// Times of the operations of a pass, each measured apart from the others.
struct PassTimes {
    std::int64_t points = 1;             ///< that go through a pass together
    std::int64_t samples = 1;            ///< for each point
    std::vector<OperationTime> weights;  ///< once a pass's points, before all samples of a chunk
    std::vector<OperationTime> tile;     ///< for each `samples` of them
};

/// A network made ready for one device set. Not thread-safe; uses threads of its own.
class Executable {
public:
    virtual ~Executable() = default;
    /// Loss sums of every point over every sample of the chunk: theta = origin + a*axis0 + b*axis1, computed from the
    /// pristine origin; the offset is rounded to fp32 before it is added (reference implementation). `sums` has
    /// points.size() entries and is overwritten. The same plan gives the same bits, whatever the number of threads and
    /// whatever other points are in the call. Returns when done.
    virtual void evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) = 0;
    /// Batch-norm statistics of every point: theta as above runs the network in training mode, batch norms unfolded and
    /// normalising with the mean and the biased variance of their own batch; everything else, dropout too, is as in
    /// inference. The chunk is split into batches of `batch_samples` in order, the last one may be shorter; the sizes
    /// that result are among the request's `statistics_batches`. `sums` has points.size() entries and is overwritten.
    /// Same bits as said above. Throws InternalError when the request asked for no statistics. Ioffe and Szegedy 2015,
    /// section 3.1; torch.nn.BatchNorm2d.
    virtual void estimate_statistics(std::span<const Point> points, const SampleChunk& chunk,
                                     std::int64_t batch_samples, std::span<StatisticSums> sums);
    /// Raw output of the network that the loss reads, at one point, as f32 [chunk.count, ..]. For checks and tests.
    [[nodiscard]] virtual Tensor forward(const Point& point, const SampleChunk& chunk) = 0;
    /// Values that a point's results depend on beside the inputs: tile, algorithms, instruction set. JSON object.
    [[nodiscard]] virtual std::string plan_json() const = 0;
    /// Multiply-adds of one sample's forward pass.
    [[nodiscard]] virtual std::int64_t macs_per_sample() const = 0;
    /// Points that go through one pass together: calls with a multiple of it waste nothing.
    [[nodiscard]] virtual std::int64_t points_per_pass() const { return 1; }
    /// Values that the network computes at a point for the chunk's first samples, in order, f32, as far as they are
    /// computed on the way (fused layers: the last one). Only of an executable whose request was `traceable`; empty
    /// where a backend does not show them.
    [[nodiscard]] virtual std::vector<NamedTensor> trace(const Point& point, const SampleChunk& chunk) {
        static_cast<void>(point);
        static_cast<void>(chunk);
        return {};
    }
    /// What each operation costs where it computes the chunk's first samples at the origin, on the device's clock; on
    /// one of the threads, while all work. Nothing where a backend does not tell.
    [[nodiscard]] virtual std::optional<PassTimes> measure_operations(const SampleChunk& chunk) {
        static_cast<void>(chunk);
        return {};
    }
    /// Whether it is known to compute in fp32, by plain products.
    [[nodiscard]] virtual bool is_exact() const { return true; }
    /// Relative difference of each point's mean loss over the chunk from an fp32 evaluation by plain products; empty
    /// where the executable computes so itself.
    [[nodiscard]] virtual std::vector<double> precision_error(std::span<const Point> points, const SampleChunk& chunk) {
        static_cast<void>(points);
        static_cast<void>(chunk);
        return {};
    }
    /// Bytes of device memory that the executable holds.
    [[nodiscard]] virtual std::int64_t memory_bytes() const = 0;
};

/// |value - exact| / |exact| of two mean losses or loss sums; two that are both beyond numbers do not differ.
[[nodiscard]] double loss_difference(double value, double exact);

struct DeviceInfo {
    std::string id;  ///< "cpu", "cuda:0"
    std::string description;
    std::int64_t memory_bytes = 0;
    std::vector<Precision> precisions{Precision::fp32};  ///< that networks can be run in
};

/// What devices reach at most in sums of products: what rates are held against.
struct Ceiling {
    double flops_per_second = 0.0;  ///< of the best of several runs; a multiply-add counts as two
    double at_hand = 0.0;           ///< .. of all of them together: less, where others use the devices at the moment
    std::string what;               ///< "fused multiply-adds on registers, avx512f, 2 threads"
};

/// A way to run networks. Knows its devices, answers why it cannot do something before it is asked to.
class Backend {
public:
    virtual ~Backend() = default;
    [[nodiscard]] virtual std::string name() const = 0;
    [[nodiscard]] virtual std::vector<DeviceInfo> devices() const = 0;
    /// "name version" of each library in use.
    [[nodiscard]] virtual std::vector<std::string> library_versions() const = 0;
    /// "" when `compile` would succeed, else one sentence.
    [[nodiscard]] virtual std::string why_not(const ExecutableRequest& request) const = 0;
    [[nodiscard]] virtual std::unique_ptr<Executable> compile(const ExecutableRequest& request) = 0;
    /// Whether data are best handed over as bytes where they are such (DataExpectation::bytes). Every backend takes
    /// both; one that says no decodes bytes anew for every point.
    [[nodiscard]] virtual bool prefers_bytes() const { return false; }
    /// `space` and `origin` (weights) must outlive it.
    [[nodiscard]] virtual std::unique_ptr<DirectionMaker> direction_maker(const ParameterSpace& space,
                                                                          std::span<const float> origin) const = 0;
    /// @param threads  where it runs on the CPU; no result depends on it. 0: all the process may use
    [[nodiscard]] virtual std::unique_ptr<LinearAlgebra> linear_algebra(int threads) const = 0;
    /// Measured now, on all devices, in about `seconds` of each; nothing where it cannot be measured.
    /// @param threads  of the CPU, where that is the device; 0: all the process may use
    [[nodiscard]] virtual std::optional<Ceiling> measure_ceiling(Precision precision, int threads, double seconds) {
        static_cast<void>(precision);
        static_cast<void>(threads);
        static_cast<void>(seconds);
        return {};
    }
};

}  // namespace lossmap
