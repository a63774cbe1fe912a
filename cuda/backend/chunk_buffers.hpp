#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/backend.hpp"
#include "cuda/backend/device.hpp"
#include "cuda/backend/program.hpp"
#include "cuda/backend/staged_upload.hpp"

namespace lossmap::cuda {

/// Bytes of device memory that samples of a chunk may take at a time; more of them go through in pieces.
[[nodiscard]] std::int64_t chunk_memory(const DeviceFacts& facts);
/// The same of those that are kept for the next call, of all chunks together.
[[nodiscard]] std::int64_t kept_chunk_memory(const DeviceFacts& facts);

/// Samples of chunks in device memory, in whole tiles: the last one is filled up with repeats that do not count. What
/// was uploaded of a chunk of known identity stays within a bound, so that the next points find it there.
class ChunkBuffers {
public:
    /// @param kept_bytes  of all rows that are there at a time, unless those of one call alone are more
    ChunkBuffers(const Program& program, FieldInfo target, bool has_target, std::int64_t kept_bytes);

    /// Bytes that `rows` samples take.
    [[nodiscard]] std::size_t bytes_for(std::int64_t rows) const;
    /// Makes rows [first, first + rows) of the chunk those that `queue_inputs` and `targets` speak of; uploads them
    /// where they are not there yet. What was there may give way to them.
    /// @param constants  where the program's constants lie
    void upload(const SampleChunk& chunk, std::int64_t first, std::int64_t rows, Device& device, const Frame& constants,
                StagedUpload& staging);
    /// Queues the copy of a tile's inputs to where the program reads them.
    void queue_inputs(std::int64_t tile, const Frame& frame) const;
    /// Targets of a tile's first row; nullptr without targets.
    [[nodiscard]] const void* targets(std::int64_t tile) const;
    [[nodiscard]] DType target_type() const { return target_.dtype; }
    [[nodiscard]] std::int64_t memory_bytes() const;

private:
    /// Rows of a chunk.
    struct Rows {
        std::weak_ptr<const void> identity;  ///< gone: nobody can ask for them again
        std::int64_t first = 0;
        std::int64_t count = 0;
        std::vector<Memory> inputs;
        Memory targets;

        [[nodiscard]] bool are(const SampleChunk& chunk, std::int64_t first_row, std::int64_t rows) const;
        [[nodiscard]] std::size_t bytes() const;
    };

    [[nodiscard]] std::int64_t padded(std::int64_t rows) const;
    [[nodiscard]] std::size_t row_bytes(const ProgramInput& input) const;
    /// Memory for `rows` samples, at the end of `kept_`.
    Rows& make_room(std::int64_t rows, Device& device, Queue& queue);
    void allocate(Rows& place, std::int64_t rows, Device& device, Queue& queue) const;
    void upload_tables(const SampleChunk& chunk, const Frame& constants, StagedUpload& staging);
    void upload_input(std::size_t index, const Rows& place, const Tensor& source, StagedUpload& staging) const;

    const Program& program_;
    FieldInfo target_;
    std::size_t target_bytes_ = 0;  ///< of a row; 0 without targets
    std::size_t kept_bytes_;
    std::vector<Rows> kept_;  ///< in the order in which they came
    std::size_t current_ = 0;
    std::vector<std::shared_ptr<const ByteTable>> tables_;  ///< of each input, as the program has them
};

}  // namespace lossmap::cuda
