#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/tensor.hpp"
#include "cpu/program.hpp"
#include "cpu/worker_pool.hpp"

namespace lossmap::cpu {

/// A program with the memory that it runs in: activations for each thread of a pool, weights for a group of points.
class ProgramRunner {
public:
    /// `build` is called on a thread of the pool, which must outlive the object.
    ProgramRunner(WorkerPool& pool, const std::function<std::unique_ptr<Program>()>& build);
    ~ProgramRunner();

    [[nodiscard]] const Program& program() const { return *program_; }
    /// Points whose weights are held at once: several keep threads busy to the end of a group.
    [[nodiscard]] std::size_t group_size() const;
    /// Makes the weights of points 0 .. points.size() - 1 of a group, at most group_size(), on all threads.
    void materialize(std::span<const Point> points);
    /// Runs a tile on thread `thread` of the pool with the weights of point `point` of the group: samples [first, first
    /// + tile) of the chunk, the last one repeated where it ends earlier. Returns the output, [tile_samples, ..].
    /// @param exact  compute sums as the graph states them (Frame::exact).
    /// @param statistics  training programs: [states], written where batch norms estimate.
    const float* run(std::size_t thread, std::size_t point, const SampleChunk& chunk, std::int64_t first, bool exact,
                     double* statistics = nullptr);
    /// Runs a tile like `run` and adds the seconds of each operation to `seconds`: of the inputs, then of the
    /// operations.
    void run_timed(std::size_t thread, std::size_t point, const SampleChunk& chunk, std::int64_t first,
                   std::span<double> seconds);
    /// Where the last tile of the thread left a value; `place` is of the arena.
    [[nodiscard]] const void* value(std::size_t thread, const Place& place) const;
    [[nodiscard]] std::size_t memory_bytes() const;

private:
    struct Lane;

    /// Makes the frame ready for a tile and fills in its inputs.
    Frame& begin(std::size_t thread, std::size_t point, const SampleChunk& chunk, std::int64_t first);

    WorkerPool& pool_;
    std::unique_ptr<Program> program_;
    std::vector<std::unique_ptr<Lane>> lanes_;  ///< one a thread
    std::vector<AlignedBuffer> sets_;           ///< weights of the points in flight
    std::vector<AlignedBuffer> scratches_;      ///< one a set, used while materialising
};

}  // namespace lossmap::cpu
