#include "cpu/program_runner.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <dnnl.hpp>
#include <limits>

#include "backend/chunk_checks.hpp"
#include "core/error.hpp"

namespace lossmap::cpu {
namespace {

/// More than this much memory for weights of several points at once is not worth it.
constexpr std::size_t kSetsBytes = std::size_t{256} << 20;
constexpr std::size_t kMostSets = 16;

void fill_input(const InputBinding& input, void* target, const SampleInput& source, std::int64_t first,
                std::int64_t tile) {
    const std::int64_t rows = source.shape()[0];
    const std::int64_t whole = std::min(tile, rows - first);
    const std::int64_t width = input.sample_elements;
    const auto copy = [&](std::int64_t from, std::int64_t to, std::int64_t count) {
        if (source.is_bytes()) return source.decode(from, count, static_cast<float*>(target) + to * width);
        if (input.dtype == DType::i32) {
            convert_tokens(source.as<std::int64_t>().data() + from * width,
                           static_cast<std::int32_t*>(target) + to * width, count * width);
            return;
        }
        const std::size_t bytes = size_of(input.dtype) * static_cast<std::size_t>(width);
        std::memcpy(static_cast<std::byte*>(target) + static_cast<std::size_t>(to) * bytes,
                    static_cast<const std::byte*>(source.data()) + static_cast<std::size_t>(from) * bytes,
                    static_cast<std::size_t>(count) * bytes);
    };
    copy(first, 0, whole);
    // The last tile is filled up with repeats that do not count.
    for (std::int64_t row = whole; row < tile; ++row)
        copy(rows - 1, row, 1);
}

}  // namespace

struct ProgramRunner::Lane {
    explicit Lane(const dnnl::engine& engine) : stream(engine) {}

    AlignedBuffer arena;
    dnnl::stream stream;
    Frame frame;
};

ProgramRunner::ProgramRunner(WorkerPool& pool, const std::function<std::unique_ptr<Program>()>& build) : pool_(pool) {
    // Primitives are made where they will run: they remember how many threads OpenMP offered.
    pool_.run([&](std::size_t thread) {
        if (thread == 0) program_ = build();
    });
    lanes_.resize(pool_.size());
    pool_.run([&](std::size_t thread) {
        auto lane = std::make_unique<Lane>(*program_->engine);
        lane->arena = AlignedBuffer(std::max<std::size_t>(program_->arena_bytes, 64));
        // First touched by the thread that uses it, for machines with several memory nodes.
        std::memset(lane->arena.data(), 0, lane->arena.size_bytes());
        lane->frame.thread = thread;
        lane->frame.arena = static_cast<std::byte*>(lane->arena.data());
        lane->frame.blocks = &program_->blocks;
        lane->frame.stream = &lane->stream;
        lanes_[thread] = std::move(lane);
    });
    for (const auto& lane : lanes_) {
        for (const auto& operation : program_->operations)
            operation->attach(lane->frame);
    }
}

ProgramRunner::~ProgramRunner() = default;

std::size_t ProgramRunner::group_size() const {
    const Materializer& materializer = *program_->materializer;
    const std::size_t bytes = std::max<std::size_t>(materializer.set_bytes() + materializer.scratch_bytes(), 1);
    return std::clamp<std::size_t>(kSetsBytes / bytes, 1, kMostSets);
}

void ProgramRunner::materialize(std::span<const Point> points) {
    const Materializer& materializer = *program_->materializer;
    while (sets_.size() < points.size()) {
        sets_.emplace_back(std::max<std::size_t>(materializer.set_bytes(), 64));
        scratches_.emplace_back(std::max<std::size_t>(materializer.scratch_bytes(), 64));
    }
    std::atomic<std::size_t> next{0};
    pool_.run([&](std::size_t thread) {
        for (std::size_t k = next++; k < points.size(); k = next++) {
            materializer.materialize(points[k], static_cast<std::byte*>(sets_[k].data()),
                                     static_cast<std::byte*>(scratches_[k].data()), lanes_[thread]->stream);
        }
    });
}

Frame& ProgramRunner::begin(std::size_t thread, std::size_t point, const SampleChunk& chunk, std::int64_t first) {
    Frame& frame = lanes_[thread]->frame;
    frame.set = static_cast<const std::byte*>(sets_[point].data());
    frame.exact = false;
    frame.statistics = nullptr;
    for (const InputBinding& input : program_->inputs) {
        fill_input(input, frame.writable(input.place), chunk.inputs[input.field], first, program_->bound.tile_samples);
    }
    return frame;
}

const float* ProgramRunner::run(std::size_t thread, std::size_t point, const SampleChunk& chunk, std::int64_t first,
                                bool exact, double* statistics) {
    Frame& frame = begin(thread, point, chunk, first);
    frame.exact = exact;
    frame.statistics = statistics;
    for (const auto& operation : program_->operations)
        operation->run(frame);
    return static_cast<const float*>(frame.readable(program_->output));
}

void ProgramRunner::run_timed(std::size_t thread, std::size_t point, const SampleChunk& chunk, std::int64_t first,
                              std::span<double> seconds) {
    const auto now = [] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    };
    double since = now();
    const auto add = [&](std::size_t index) {
        const double until = now();
        seconds[index] += until - since;
        since = until;
    };
    const Frame& frame = begin(thread, point, chunk, first);
    add(0);
    for (std::size_t k = 0; k < program_->operations.size(); ++k) {
        program_->operations[k]->run(frame);
        add(k + 1);
    }
}

const void* ProgramRunner::value(std::size_t thread, const Place& place) const {
    return lanes_[thread]->frame.readable(place);
}

std::size_t ProgramRunner::memory_bytes() const {
    std::size_t bytes = lanes_.size() * program_->arena_bytes;
    for (const AlignedBuffer& set : sets_)
        bytes += set.size_bytes();
    for (const AlignedBuffer& scratch : scratches_)
        bytes += scratch.size_bytes();
    return bytes;
}

}  // namespace lossmap::cpu
