#pragma once

#include <cstdint>

#include "backend/backend.hpp"
#include "cuda/backend/chunk_buffers.hpp"
#include "cuda/backend/device.hpp"
#include "cuda/backend/program.hpp"
#include "cuda/backend/staged_upload.hpp"

namespace lossmap::cuda {

/// Loss sums of one tile at every point, computed on the device from the program's output.
class DeviceLoss {
public:
    DeviceLoss(const LossSpec& loss, const Program& program, Device& device, StagedUpload& staging);

    /// Queues `sums` [points] = the sums over the first `samples` rows of a tile.
    /// @param targets  of the tile's first row
    void queue(const Frame& frame, const void* targets, DType target_type, std::size_t target_bytes,
               std::int64_t samples, kernels::DeviceLossSums* sums) const;
    /// Throws InputError where a label of rows [first, first + rows) is no class: the device only skips it.
    void check_labels(const SampleChunk& chunk) const;

private:
    LossSpec loss_;
    const Program& program_;
    const kernels::KernelTable& kernels_;
    kernels::LossTermsArgs terms_;  ///< what does not change from tile to tile
    Memory class_weights_;
    Memory sample_losses_;  ///< [points, tile_samples]
};

[[nodiscard]] LossSums host_sums(const kernels::DeviceLossSums& sums);

}  // namespace lossmap::cuda
