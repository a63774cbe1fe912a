#include "cuda/backend/chunk_buffers.hpp"

#include <algorithm>
#include <utility>

#include "cuda/backend/padded_rows.hpp"

namespace lossmap::cuda {

ChunkBuffers::ChunkBuffers(const Program& program, std::vector<FieldInfo> fields, FieldInfo target, bool has_target)
    : program_(program), fields_(std::move(fields)), target_(std::move(target)), inputs_(program.inputs.size()) {
    if (has_target)
        target_bytes_ = static_cast<std::size_t>(element_count(target_.sample_shape)) * size_of(target_.dtype);
}

std::size_t ChunkBuffers::row_bytes(const ProgramInput& input) const {
    return static_cast<std::size_t>(input.sample_elements) * size_of(input.array.type);
}

std::size_t ChunkBuffers::bytes_for(std::int64_t rows) const {
    const std::int64_t tile = program_.options.tile_samples;
    const auto padded = static_cast<std::size_t>((rows + tile - 1) / tile * tile);
    std::size_t bytes = padded * target_bytes_;
    for (const ProgramInput& input : program_.inputs)
        bytes += padded * row_bytes(input);
    return bytes;
}

void ChunkBuffers::upload_input(std::size_t index, const Tensor& source, std::int64_t first, std::int64_t rows,
                                StagedUpload& staging) {
    const ProgramInput& input = program_.inputs[index];
    const std::int64_t tile = program_.options.tile_samples;
    const std::int64_t padded = (rows + tile - 1) / tile * tile;
    const PaddedRows padded_rows{source, first, rows, input.sample_elements, input.array.type};
    // In pieces of whole elements, not rows: a sample may be larger than what is staged at a time.
    staging.produce(inputs_[index].data(), static_cast<std::size_t>(padded) * padded_rows.row_bytes(),
                    size_of(input.array.type), [&](std::byte* buffer, std::size_t offset, std::size_t count) {
                        padded_rows.copy(offset, {buffer, count});
                    });
}

void ChunkBuffers::upload(const SampleChunk& chunk, std::int64_t first, std::int64_t rows, Device& device, Queue& queue,
                          StagedUpload& staging) {
    const std::int64_t tile = program_.options.tile_samples;
    const auto padded = static_cast<std::size_t>((rows + tile - 1) / tile * tile);
    const auto grow = [&](Memory& memory, std::size_t bytes) {
        if (memory.size_bytes() >= bytes) return;
        queue.synchronize();
        memory = {};
        memory = device.allocate(bytes);
    };
    for (std::size_t k = 0; k < inputs_.size(); ++k) {
        grow(inputs_[k], padded * row_bytes(program_.inputs[k]));
        upload_input(k, chunk.inputs[program_.inputs[k].field], first, rows, staging);
    }
    if (target_bytes_ == 0) return;
    grow(targets_, padded * target_bytes_);
    const auto* source = static_cast<const std::byte*>(chunk.target.data());
    staging.copy(targets_.data(), {source + static_cast<std::size_t>(first) * target_bytes_,
                                   static_cast<std::size_t>(rows) * target_bytes_});
}

void ChunkBuffers::queue_inputs(std::int64_t tile, const Frame& frame) const {
    for (std::size_t k = 0; k < inputs_.size(); ++k) {
        const ProgramInput& input = program_.inputs[k];
        const std::size_t bytes = static_cast<std::size_t>(program_.options.tile_samples) * row_bytes(input);
        frame.queue->copy(frame.address(input.array), inputs_[k].data() + static_cast<std::size_t>(tile) * bytes,
                          bytes);
    }
}

const void* ChunkBuffers::targets(std::int64_t tile) const {
    if (target_bytes_ == 0) return nullptr;
    return targets_.data() + static_cast<std::size_t>(tile * program_.options.tile_samples) * target_bytes_;
}

std::int64_t ChunkBuffers::memory_bytes() const {
    std::size_t bytes = targets_.size_bytes();
    for (const Memory& input : inputs_)
        bytes += input.size_bytes();
    return static_cast<std::int64_t>(bytes);
}

}  // namespace lossmap::cuda
