#include "cuda/backend/chunk_buffers.hpp"

#include <algorithm>
#include <utility>

#include "cuda/backend/padded_rows.hpp"

namespace lossmap::cuda {
namespace {

/// Share of the free memory that samples may take, and bytes of them that are kept for the next call at most: as much
/// as the scheduler keeps on the host.
constexpr std::int64_t kMemoryShare = 4;
constexpr std::int64_t kMostKeptBytes = std::int64_t{1} << 30;

}  // namespace

std::int64_t chunk_memory(const DeviceFacts& facts) { return facts.free_bytes / kMemoryShare; }

std::int64_t kept_chunk_memory(const DeviceFacts& facts) { return std::min(chunk_memory(facts), kMostKeptBytes); }

bool ChunkBuffers::Rows::are(const SampleChunk& chunk, std::int64_t first_row, std::int64_t rows) const {
    return chunk.identity != nullptr && identity.lock() == chunk.identity && first == first_row && count == rows;
}

std::size_t ChunkBuffers::Rows::bytes() const {
    std::size_t bytes = targets.size_bytes();
    for (const Memory& input : inputs)
        bytes += input.size_bytes();
    return bytes;
}

ChunkBuffers::ChunkBuffers(const Program& program, FieldInfo target, bool has_target, std::int64_t kept_bytes)
    : program_(program),
      target_(std::move(target)),
      kept_bytes_(static_cast<std::size_t>(kept_bytes)),
      tables_(program.inputs.size()) {
    if (has_target)
        target_bytes_ = static_cast<std::size_t>(element_count(target_.sample_shape)) * size_of(target_.dtype);
}

std::int64_t ChunkBuffers::padded(std::int64_t rows) const {
    const std::int64_t tile = program_.options.tile_samples;
    return (rows + tile - 1) / tile * tile;
}

std::size_t ChunkBuffers::row_bytes(const ProgramInput& input) const {
    return static_cast<std::size_t>(input.sample_elements) * size_of(input.array.type);
}

std::size_t ChunkBuffers::bytes_for(std::int64_t rows) const {
    std::size_t a_row = target_bytes_;
    for (const ProgramInput& input : program_.inputs)
        a_row += row_bytes(input);
    return static_cast<std::size_t>(padded(rows)) * a_row;
}

void ChunkBuffers::allocate(Rows& place, std::int64_t rows, Device& device, Queue& queue) const {
    const auto grow = [&](Memory& memory, std::size_t bytes) {
        if (memory.size_bytes() >= bytes) return;
        queue.synchronize();
        memory = {};
        memory = device.allocate(bytes);
    };
    const auto count = static_cast<std::size_t>(padded(rows));
    place.inputs.resize(program_.inputs.size());
    for (std::size_t k = 0; k < place.inputs.size(); ++k)
        grow(place.inputs[k], count * row_bytes(program_.inputs[k]));
    if (target_bytes_ > 0) grow(place.targets, count * target_bytes_);
}

ChunkBuffers::Rows& ChunkBuffers::make_room(std::int64_t rows, Device& device, Queue& queue) {
    const std::size_t wanted = bytes_for(rows);
    const auto taken = [&] { return static_cast<std::size_t>(memory_bytes()); };
    // Memory that nobody can ask for again, or else, where there is too little, that of the newest rows: chunks come
    // round in turn, so that the others are met again.
    auto free = std::find_if(kept_.begin(), kept_.end(), [](const Rows& one) { return one.identity.expired(); });
    if (free == kept_.end() && !kept_.empty() && taken() + wanted > kept_bytes_) free = kept_.end() - 1;
    Rows place;
    if (free != kept_.end()) {
        place = std::move(*free);
        kept_.erase(free);
    }
    place.identity.reset();
    if (place.bytes() > std::max(kept_bytes_, wanted)) {
        queue.synchronize();
        place = {};
    }
    const auto drop_newest = [&] {
        queue.synchronize();
        kept_.pop_back();
    };
    while (!kept_.empty() && taken() + std::max(wanted, place.bytes()) > kept_bytes_)
        drop_newest();
    for (bool there = false; !there;) {
        try {
            allocate(place, rows, device, queue);
            there = true;
        } catch (const OutOfDeviceMemory&) {
            if (kept_.empty()) throw;
            drop_newest();
        }
    }
    kept_.push_back(std::move(place));
    return kept_.back();
}

void ChunkBuffers::upload_tables(const SampleChunk& chunk, const Frame& constants, StagedUpload& staging) {
    for (std::size_t k = 0; k < tables_.size(); ++k) {
        const ProgramInput& input = program_.inputs[k];
        const auto& table = chunk.inputs[input.field].table;
        if (!input.table || table == tables_[k]) continue;
        staging.copy(constants.address(*input.table), std::as_bytes(std::span(table->values)));
        tables_[k] = table;
    }
}

void ChunkBuffers::upload_input(std::size_t index, const Rows& place, const Tensor& source,
                                StagedUpload& staging) const {
    const ProgramInput& input = program_.inputs[index];
    const PaddedRows rows{source, place.first, place.count, input.sample_elements, input.array.type};
    // In pieces of whole elements, not rows: a sample may be larger than what is staged at a time.
    staging.produce(place.inputs[index].data(), static_cast<std::size_t>(padded(place.count)) * rows.row_bytes(),
                    size_of(input.array.type), [&](std::byte* buffer, std::size_t offset, std::size_t count) {
                        rows.copy(offset, {buffer, count});
                    });
}

void ChunkBuffers::upload(const SampleChunk& chunk, std::int64_t first, std::int64_t rows, Device& device,
                          const Frame& constants, StagedUpload& staging) {
    upload_tables(chunk, constants, staging);
    const auto there =
        std::find_if(kept_.begin(), kept_.end(), [&](const Rows& one) { return one.are(chunk, first, rows); });
    current_ = static_cast<std::size_t>(there - kept_.begin());
    if (there != kept_.end()) return;
    Rows& place = make_room(rows, device, *constants.queue);
    current_ = kept_.size() - 1;
    place.first = first;
    place.count = rows;
    for (std::size_t k = 0; k < place.inputs.size(); ++k)
        upload_input(k, place, chunk.inputs[program_.inputs[k].field], staging);
    if (target_bytes_ > 0) {
        const auto* source = static_cast<const std::byte*>(chunk.target.data());
        staging.copy(place.targets.data(), {source + static_cast<std::size_t>(first) * target_bytes_,
                                            static_cast<std::size_t>(rows) * target_bytes_});
    }
    // Now that all of it is on its way.
    place.identity = chunk.identity;
}

void ChunkBuffers::queue_inputs(std::int64_t tile, const Frame& frame) const {
    const Rows& rows = kept_[current_];
    for (std::size_t k = 0; k < rows.inputs.size(); ++k) {
        const ProgramInput& input = program_.inputs[k];
        const std::size_t bytes = static_cast<std::size_t>(program_.options.tile_samples) * row_bytes(input);
        frame.queue->copy(frame.address(input.array), rows.inputs[k].data() + static_cast<std::size_t>(tile) * bytes,
                          bytes);
    }
}

const void* ChunkBuffers::targets(std::int64_t tile) const {
    if (target_bytes_ == 0) return nullptr;
    return kept_[current_].targets.data() +
           static_cast<std::size_t>(tile * program_.options.tile_samples) * target_bytes_;
}

std::int64_t ChunkBuffers::memory_bytes() const {
    std::size_t bytes = 0;
    for (const Rows& rows : kept_)
        bytes += rows.bytes();
    return static_cast<std::int64_t>(bytes);
}

}  // namespace lossmap::cuda
