#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "cuda/backend/chunk_buffers.hpp"
#include "cuda/backend/device.hpp"
#include "cuda/backend/device_loss.hpp"
#include "cuda/backend/program.hpp"
#include "cuda/backend/staged_upload.hpp"

namespace lossmap::cuda {

/// Runs a program over blocks of points and tiles of samples. Origin and axes stay on the device. While one block of
/// points runs, the weights of the next one are computed on a second queue into a second set; a tile's pass is recorded
/// once and replayed; loss sums come back once a block. Points are filled up to whole blocks, so that a point's bits do
/// not depend on what else is in the call.
///
/// Below fp32 a (point, tile) whose result overflowed or is not finite is evaluated again in fp32 and its samples are
/// counted in LossSums::overflowed.
class CudaExecutable final : public Executable {
public:
    /// @throws InputError, UnsupportedError: what `why_not` of the backend says.
    CudaExecutable(const ExecutableRequest& request, std::shared_ptr<Device> device);
    ~CudaExecutable() override;

    void evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) override;
    [[nodiscard]] Tensor forward(const Point& point, const SampleChunk& chunk) override;
    [[nodiscard]] std::string plan_json() const override;
    [[nodiscard]] std::int64_t macs_per_sample() const override { return program_->macs_per_sample; }
    [[nodiscard]] std::int64_t memory_bytes() const override;
    [[nodiscard]] std::int64_t points_per_pass() const override { return program_->options.points; }
    [[nodiscard]] std::vector<NamedTensor> trace(const Point& point, const SampleChunk& chunk) override;
    [[nodiscard]] std::vector<double> precision_error(std::span<const Point> points, const SampleChunk& chunk) override;

private:
    /// What the fp32 twin of a reduced-precision executable is made from.
    struct OwnedRequest;
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
        Memory sums;     ///< [tiles, points] on the device
        Memory results;  ///< pinned: sums, weight flags, faults
    };
    struct Segment {
        std::int64_t first = 0;
        std::int64_t rows = 0;
        std::int64_t tiles = 0;
    };

    [[nodiscard]] Frame frame(std::size_t set, Queue& queue) const;
    void allocate();
    void upload_resident(const ExecutableRequest& request);
    /// Running statistics at a point: its own, or those of the origin moved along the axes.
    void fill_states(const Point& point, std::span<float> states) const;
    void materialize(std::span<const Point> points, std::size_t set);
    void run_tile_pass(std::size_t set, std::int64_t tile);
    void run_block(std::size_t set, const Segment& segment);
    void evaluate_segment(std::span<const Point> points, const SampleChunk& chunk, const Segment& segment,
                          std::span<LossSums> sums);
    void collect(std::size_t set, std::span<const Point> points, const SampleChunk& chunk, const Segment& segment,
                 std::span<LossSums> sums);
    void check_faults(std::uint32_t faults) const;
    [[nodiscard]] std::vector<Segment> segments(const SampleChunk& chunk) const;
    /// Evaluates the points listed of one tile in fp32; adds nothing, returns their sums.
    [[nodiscard]] std::vector<LossSums> rescue(std::span<const Point> points, const SampleChunk& chunk,
                                               std::int64_t first, std::int64_t rows);
    [[nodiscard]] Executable& twin();
    void grow_sums(Set& set, std::int64_t tiles);

    std::shared_ptr<Device> device_;
    LossSpec loss_;
    std::vector<FieldInfo> fields_;
    FieldInfo target_;
    std::size_t axes_ = 0;
    std::vector<float> origin_states_;
    std::vector<std::vector<float>> axis_states_;  ///< empty where an axis does not move them
    std::unique_ptr<Program> program_;
    std::unique_ptr<Queue> main_;
    std::unique_ptr<Queue> side_;
    Memory constants_;
    Memory tile_;
    std::array<Set, kThetaSets> sets_;
    std::unique_ptr<StagedUpload> staging_;
    std::unique_ptr<ChunkBuffers> chunk_;
    std::unique_ptr<DeviceLoss> device_loss_;
    std::unique_ptr<OwnedRequest> owned_;
    std::unique_ptr<Executable> twin_;
};

}  // namespace lossmap::cuda
