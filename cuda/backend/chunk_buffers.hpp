#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend/backend.hpp"
#include "cuda/backend/device.hpp"
#include "cuda/backend/program.hpp"
#include "cuda/backend/staged_upload.hpp"

namespace lossmap::cuda {

/// Samples of a chunk in device memory, in whole tiles: the last one is filled up with repeats that do not count.
class ChunkBuffers {
public:
    ChunkBuffers(const Program& program, std::vector<FieldInfo> fields, FieldInfo target, bool has_target);

    /// Bytes that `rows` samples take.
    [[nodiscard]] std::size_t bytes_for(std::int64_t rows) const;
    /// Uploads rows [first, first + rows) of the chunk. Memory only grows.
    void upload(const SampleChunk& chunk, std::int64_t first, std::int64_t rows, Device& device, Queue& queue,
                StagedUpload& staging);
    /// Queues the copy of a tile's inputs to where the program reads them.
    void queue_inputs(std::int64_t tile, const Frame& frame) const;
    /// Targets of a tile's first row; nullptr without targets.
    [[nodiscard]] const void* targets(std::int64_t tile) const;
    [[nodiscard]] DType target_type() const { return target_.dtype; }
    [[nodiscard]] std::int64_t memory_bytes() const;

private:
    [[nodiscard]] std::size_t row_bytes(const ProgramInput& input) const;
    void upload_input(std::size_t index, const Tensor& source, std::int64_t first, std::int64_t rows,
                      StagedUpload& staging);

    const Program& program_;
    std::vector<FieldInfo> fields_;
    FieldInfo target_;
    std::size_t target_bytes_ = 0;  ///< of a row; 0 without targets
    std::vector<Memory> inputs_;
    Memory targets_;
};

}  // namespace lossmap::cuda
