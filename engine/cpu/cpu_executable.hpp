#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "backend/backend.hpp"
#include "core/tensor.hpp"
#include "cpu/program.hpp"
#include "cpu/worker_pool.hpp"

namespace lossmap::cpu {

/// Evaluates (point, tile) pairs on one thread a core. Each thread has its own activations; weights of a group of
/// points are materialised first and then shared, so that the pairs of the group spread over all threads whether there
/// are many points or one. Sums are added in tile order: they do not depend on the number of threads.
class CpuExecutable final : public Executable {
public:
    /// @throws InputError, UnsupportedError: what CpuBackend::why_not says.
    explicit CpuExecutable(const ExecutableRequest& request);
    ~CpuExecutable() override;

    void evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) override;
    [[nodiscard]] Tensor forward(const Point& point, const SampleChunk& chunk) override;
    [[nodiscard]] std::string plan_json() const override;
    [[nodiscard]] std::int64_t macs_per_sample() const override { return program_->macs_per_sample; }
    [[nodiscard]] std::int64_t memory_bytes() const override;

private:
    struct Worker;

    void check(std::span<const Point> points, const SampleChunk& chunk, bool needs_target) const;
    [[nodiscard]] std::int64_t tiles_of(const SampleChunk& chunk) const;
    void materialize(std::span<const Point> points);
    /// Runs one tile with the weights in set `set`; returns its output, [tile_samples, ..]. Where that is not finite,
    /// again without transforms, whose infinities and NaN may lie where the network has none.
    const float* run_tile(Worker& worker, std::size_t set, const SampleChunk& chunk, std::int64_t first);
    const float* run_operations(Worker& worker, std::size_t set, const SampleChunk& chunk, std::int64_t first);
    void fill_input(const InputBinding& input, void* target, const Tensor& source, std::int64_t first) const;

    LossSpec loss_;
    std::vector<FieldInfo> fields_;
    FieldInfo target_;
    std::size_t axes_ = 0;
    bool fuse_ = true;
    WorkerPool pool_;
    std::unique_ptr<Program> program_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<AlignedBuffer> sets_;       ///< weights of the points in flight
    std::vector<AlignedBuffer> scratches_;  ///< one a set, used while materialising
};

/// Chooses the tile, binds and checks the request; the one place that says whether it can be run.
[[nodiscard]] BoundRequest bind_for_cpu(const ExecutableRequest& request);

}  // namespace lossmap::cpu
