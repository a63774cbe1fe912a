#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.hpp"
#include "cuda/backend/chunk_buffers.hpp"
#include "cuda/backend/device.hpp"
#include "cuda/backend/program.hpp"
#include "cuda/backend/queue_guard.hpp"
#include "cuda/backend/resident_theta.hpp"
#include "cuda/backend/staged_upload.hpp"

namespace lossmap::cuda {

/// What the programs of an executable share.
struct Shared {
    std::shared_ptr<Device> device;
    std::shared_ptr<Planner> planner;  ///< of that device
    std::unique_ptr<Queue> main;       ///< samples and passes
    std::unique_ptr<Queue> side;       ///< weights
    std::unique_ptr<StagedUpload> staging;
    std::unique_ptr<ResidentTheta> theta;
    std::vector<FieldInfo> fields;
    FieldInfo target;
    bool has_target = true;
};

/// Rows of a chunk that lie on the device together, in tiles.
struct Segment {
    std::int64_t first = 0;
    std::int64_t rows = 0;
    std::int64_t tiles = 0;
};

/// Points that go through a pass together.
struct PointBlock {
    std::size_t first = 0;
    std::size_t count = 0;
    std::size_t set = 0;  ///< of weights
};

/// A program with the memory that it runs in: passes over blocks of points and tiles of samples. While one block of
/// points runs, the weights of the next one are computed on a second queue into a second set; a tile's pass is recorded
/// once and replayed. Points are filled up to whole blocks, so that a point's bits do not depend on what else is in the
/// call.
class ProgramRunner {
public:
    /// Queues what is computed once. `shared` must outlive the object.
    ProgramRunner(std::unique_ptr<Program> program, const Shared& shared);

    [[nodiscard]] const Program& program() const { return *program_; }
    [[nodiscard]] Frame frame(std::size_t set, Queue& queue) const;
    [[nodiscard]] const ChunkBuffers& samples() const { return chunk_; }
    /// Pieces of `rows` rows from `first` on that fit into memory.
    [[nodiscard]] std::vector<Segment> segments(std::int64_t first, std::int64_t rows) const;
    /// Uploads the rows unless they are there; returns when work that an earlier call left behind is done.
    void upload(const SampleChunk& chunk, const Segment& segment);
    /// Calls run(block) for each block of the points, of which there is one at least, with its weights ready on the
    /// main queue; and finish(block) when what it queued is done, while the next block runs.
    void for_blocks(std::span<const Point> points, const std::function<void(const PointBlock&)>& run,
                    const std::function<void(const PointBlock&)>& finish);
    /// Queues a tile of the segment.
    void run_tile(std::size_t set, std::int64_t tile);
    /// Queues copies of the two words that say what is wrong with the data into pinned memory.
    void copy_faults(std::size_t set, std::uint32_t* words);
    /// Throws InputError when one of them does. Waits for nothing.
    void check_faults(std::span<const std::uint32_t, 2> words);
    /// Of device memory.
    [[nodiscard]] std::int64_t memory_bytes() const { return program_->memory_bytes() + chunk_.memory_bytes(); }

private:
    /// One set of weights and what belongs to it.
    struct Set {
        Memory arena;
        Memory coordinates;           ///< pinned
        Memory states;                ///< pinned
        std::shared_ptr<Mark> ready;  ///< the weights are there
        std::shared_ptr<Mark> done;   ///< the block that used them has run
        std::unique_ptr<Recording> theta_pass;
        std::unique_ptr<Recording> tile_pass;
        bool theta_warm = false;  ///< has run once without being recorded: libraries set themselves up then
        bool tile_warm = false;
    };

    void allocate();
    void prepare();
    /// Queues the weights of a block into its set.
    void materialize(std::span<const Point> points, std::size_t set);
    /// Queues `work` as a recording, which it makes the first time; where the device makes none, piece by piece.
    void queue_recorded(Queue& queue, std::unique_ptr<Recording>& pass, const std::function<void()>& work);

    std::unique_ptr<Program> program_;
    const Shared& shared_;
    Memory constants_;
    Memory tile_;
    std::array<Set, kThetaSets> sets_;
    bool records_ = true;  ///< until the device has refused to
    ChunkBuffers chunk_;
    QueueGuard guard_;
};

}  // namespace lossmap::cuda
