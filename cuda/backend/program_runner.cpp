#include "cuda/backend/program_runner.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"

namespace lossmap::cuda {
namespace {

const std::vector<std::unique_ptr<Operation>>& operations(const Program& program, Phase phase) {
    return program.parts.operations[static_cast<std::size_t>(phase)];
}

}  // namespace

ProgramRunner::ProgramRunner(std::unique_ptr<Program> program, const Shared& shared)
    : program_(std::move(program)),
      shared_(shared),
      chunk_(*program_, shared.target, shared.has_target && !program_->options.training,
             kept_chunk_memory(shared.device->facts())),
      guard_(*shared.side, *shared.main) {
    allocate();
    prepare();
}

Frame ProgramRunner::frame(std::size_t set, Queue& queue) const {
    Frame result;
    result.queue = &queue;
    result.arenas = {constants_.data(), sets_[set].arena.data(), tile_.data()};
    result.offsets = &program_->parts.offsets;
    result.theta_set = set;
    result.theta = shared_.theta.get();
    return result;
}

void ProgramRunner::allocate() {
    Device& device = *shared_.device;
    constants_ = device.allocate(program_->arena_bytes(Phase::constant));
    tile_ = device.allocate(program_->arena_bytes(Phase::tile));
    const auto points = static_cast<std::size_t>(program_->options.points);
    for (Set& set : sets_) {
        set.arena = device.allocate(program_->arena_bytes(Phase::theta));
        set.coordinates =
            device.allocate_pinned(points * std::max<std::size_t>(shared_.theta->axes(), 1) * sizeof(float));
        set.states = device.allocate_pinned(points * shared_.theta->states() * sizeof(float));
    }
}

void ProgramRunner::prepare() {
    for (const InitialBytes& initial : program_->parts.initial)
        shared_.staging->copy(frame(0, *shared_.main).address(initial.place), initial.bytes);
    for (std::size_t set = 0; set < kThetaSets; ++set) {
        const Frame here = frame(set, *shared_.main);
        const Upload upload = [&](const Place& where, std::span<const std::byte> bytes) {
            shared_.staging->copy(here.address(where), bytes);
        };
        for (const auto& phase : program_->parts.operations) {
            for (const auto& operation : phase)
                operation->prepare(here, upload);
        }
    }
    const Frame here = frame(0, *shared_.main);
    shared_.main->fill(here.address(program_->faults), 0, sizeof(std::uint32_t));
    for (const auto& operation : operations(*program_, Phase::constant))
        operation->queue(here);
    shared_.main->synchronize();
}

std::vector<Segment> ProgramRunner::segments(std::int64_t first, std::int64_t rows) const {
    const std::int64_t tile = program_->options.tile_samples;
    const auto tile_bytes = static_cast<std::int64_t>(std::max<std::size_t>(chunk_.bytes_for(tile), 1));
    const std::int64_t most = std::max<std::int64_t>(chunk_memory(shared_.device->facts()) / tile_bytes, 1) * tile;
    std::vector<Segment> result;
    for (std::int64_t done = 0; done < rows; done += most) {
        const std::int64_t count = std::min(most, rows - done);
        result.push_back({first + done, count, (count + tile - 1) / tile});
    }
    return result;
}

void ProgramRunner::upload(const SampleChunk& chunk, const Segment& segment) {
    // Work that a call left behind when it threw must not see its memory written again.
    shared_.side->synchronize();
    chunk_.upload(chunk, segment.first, segment.rows, *shared_.device, frame(0, *shared_.main), *shared_.staging);
}

void ProgramRunner::materialize(std::span<const Point> points, std::size_t index) {
    Set& set = sets_[index];
    Queue& side = *shared_.side;
    const std::size_t axes = shared_.theta->axes();
    const std::size_t states = shared_.theta->states();
    auto* coordinates = set.coordinates.as<float>();
    for (std::size_t p = 0; p < static_cast<std::size_t>(program_->options.points); ++p) {
        const Point& point = points[std::min(p, points.size() - 1)];
        for (std::size_t k = 0; k < axes; ++k)
            coordinates[p * axes + k] = static_cast<float>(point.coordinates[k]);
        shared_.theta->fill_states(point, {set.states.as<float>() + p * states, states});
    }
    if (set.done != nullptr) side.wait(set.done);
    const Frame here = frame(index, side);
    if (axes > 0) {
        side.copy_to_device(here.address(program_->theta.coordinates), coordinates,
                            static_cast<std::size_t>(program_->options.points) * axes * sizeof(float));
    }
    if (set.states.size_bytes() > 0)
        side.copy_to_device(here.address(program_->theta.states), set.states.data(), set.states.size_bytes());
    const auto queue_all = [&] {
        for (const auto& operation : operations(*program_, Phase::theta))
            operation->queue(here);
    };
    if (!set.theta_warm) {
        queue_all();
        set.theta_warm = true;
    } else {
        queue_recorded(side, set.theta_pass, queue_all);
    }
    set.ready = side.mark();
}

void ProgramRunner::queue_recorded(Queue& queue, std::unique_ptr<Recording>& pass, const std::function<void()>& work) {
    if (pass == nullptr && records_) {
        try {
            pass = queue.record(work);
        } catch (const CannotRecord& error) {
            records_ = false;
            shared_.planner->chooser().notice(
                fmt::format("{}: passes cannot be recorded, which makes launches slower: {}",
                            shared_.device->facts().id, error.what()));
        }
    }
    if (pass != nullptr) return queue.replay(*pass);
    work();
}

void ProgramRunner::for_blocks(std::span<const Point> points, const std::function<void(const PointBlock&)>& run,
                               const std::function<void(const PointBlock&)>& finish) {
    const auto size = static_cast<std::size_t>(program_->options.points);
    const std::size_t blocks = (points.size() + size - 1) / size;
    const auto block = [&](std::size_t b) {
        return PointBlock{b * size, std::min(size, points.size() - b * size), b % kThetaSets};
    };
    const auto begin_weights = [&](std::size_t b) {
        const PointBlock next = block(b);
        materialize(points.subspan(next.first, next.count), next.set);
    };
    const auto end = [&](std::size_t b) {
        sets_[block(b).set].done->synchronize();
        finish(block(b));
    };
    begin_weights(0);
    for (std::size_t b = 0; b < blocks; ++b) {
        Set& set = sets_[block(b).set];
        shared_.main->wait(set.ready);
        run(block(b));
        set.done = shared_.main->mark();
        if (b > 0) end(b - 1);
        // Behind the wait for block b - 1: its set, and the memory its coordinates came from, are free.
        if (b + 1 < blocks) begin_weights(b + 1);
    }
    end(blocks - 1);
}

void ProgramRunner::run_tile(std::size_t index, std::int64_t tile) {
    Set& set = sets_[index];
    const Frame here = frame(index, *shared_.main);
    chunk_.queue_inputs(tile, here);
    const auto clear = [&](const Located& array) {
        here.queue->fill(here.address(array), 0, array.span_bytes(program_->options.points));
    };
    const auto queue_all = [&] {
        clear(program_->flags);
        if (program_->options.training) clear(program_->statistics);
        for (const auto& operation : operations(*program_, Phase::tile))
            operation->queue(here);
    };
    if (!set.tile_warm) {
        queue_all();
        set.tile_warm = true;
        return;
    }
    queue_recorded(*shared_.main, set.tile_pass, queue_all);
}

void ProgramRunner::copy_faults(std::size_t set, std::uint32_t* words) {
    const Frame here = frame(set, *shared_.main);
    here.queue->copy_to_host(words, here.address(program_->faults), sizeof(std::uint32_t));
    here.queue->copy_to_host(words + 1, here.address(program_->theta.faults), sizeof(std::uint32_t));
}

void ProgramRunner::check_faults(std::span<const std::uint32_t, 2> words) {
    const std::uint32_t faults = words[0] | words[1];
    if (faults == 0) return;
    shared_.main->fill(frame(0, *shared_.main).address(program_->faults), 0, sizeof(std::uint32_t));
    if ((faults & kernels::kFaultIndex) != 0)
        throw InputError("the network looks up an index that lies outside its table or dimension");
    if ((faults & kernels::kFaultDivision) != 0) throw InputError("the network divides an integer by zero");
    throw InputError("a label is not one of the classes");
}

}  // namespace lossmap::cuda
