// What an executable shows of the network itself, at one point: its output, and the values on the way to it.
#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/chunk_checks.hpp"
#include "cuda/backend/cuda_executable.hpp"

namespace lossmap::cuda {

Tensor CudaExecutable::forward(const Point& point, const SampleChunk& chunk) {
    check_call({&point, 1}, shared_.theta->axes(), states(), chunk, shared_.fields, nullptr);
    Shape shape{chunk.count};
    const Shape& sample_shape = program().bound.output_sample_shape;
    shape.insert(shape.end(), sample_shape.begin(), sample_shape.end());
    Tensor result(DType::f32, shape);
    const std::int64_t tile_samples = program().options.tile_samples;
    const auto width = static_cast<std::size_t>(element_count(sample_shape)) * sizeof(float);
    const Memory output = shared_.device->allocate_pinned(static_cast<std::size_t>(tile_samples) * width);
    // Of the first point's samples, of all of them, and of its weights.
    const auto words = static_cast<std::size_t>(tile_samples) + 1;
    const Memory flags = shared_.device->allocate_pinned((words + 1) * sizeof(std::uint32_t));
    const auto* flag = flags.as<std::uint32_t>();
    bool held = true;
    for (const Segment& segment : runner_->segments(0, chunk.count)) {
        const auto run = [&](const PointBlock& block) {
            const Frame here = runner_->frame(block.set, *shared_.main);
            for (std::int64_t tile = 0; tile < segment.tiles; ++tile) {
                runner_->run_tile(block.set, tile);
                shared_.main->copy_to_host(output.data(), here.address(program().output), output.size_bytes());
                shared_.main->copy_to_host(flags.data(), here.address(program().flags), words * sizeof(std::uint32_t));
                shared_.main->copy_to_host(flags.data() + words * sizeof(std::uint32_t),
                                           here.address(program().theta.weight_flags), sizeof(std::uint32_t));
                shared_.main->synchronize();
                const std::int64_t first = tile * tile_samples;
                const std::int64_t rows = std::min(tile_samples, segment.rows - first);
                // Behind the rows of a tile that is not full stands what others left.
                held = held && std::count(flag, flag + rows, 0u) == rows && (flag[words - 1] | flag[words]) == 0;
                std::memcpy(
                    static_cast<std::byte*>(result.data()) + static_cast<std::size_t>(segment.first + first) * width,
                    output.data(), static_cast<std::size_t>(rows) * width);
            }
        };
        runner_->upload(chunk, segment);
        runner_->for_blocks({&point, 1}, run, [](const PointBlock&) {});
    }
    return held || owned_ == nullptr ? std::move(result) : twin().forward(point, chunk);
}

std::vector<NamedTensor> CudaExecutable::trace(const Point& point, const SampleChunk& chunk) {
    check_call({&point, 1}, shared_.theta->axes(), states(), chunk, shared_.fields, nullptr);
    std::vector<NamedTensor> result;
    if (chunk.count == 0) return result;
    runner_->upload(chunk, {0, std::min(program().options.tile_samples, chunk.count), 1});
    const auto run = [&](const PointBlock& block) {
        const Frame here = runner_->frame(block.set, *shared_.main);
        runner_->run_tile(block.set, 0);
        for (const auto& [id, array] : program().kept) {
            NamedTensor value{program().bound.graph.value(id).name, Tensor(DType::f32, array.shape)};
            const Memory pinned = shared_.device->allocate_pinned(value.value.size_bytes());
            shared_.main->copy_to_host(pinned.data(), here.address(array), value.value.size_bytes());
            shared_.main->synchronize();
            std::memcpy(value.value.data(), pinned.data(), value.value.size_bytes());
            result.push_back(std::move(value));
        }
    };
    runner_->for_blocks({&point, 1}, run, [](const PointBlock&) {});
    return result;
}

}  // namespace lossmap::cuda
