// What an executable shows of the network itself, at one point: its output, and the values on the way to it.
#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/chunk_checks.hpp"
#include "cuda/backend/cuda_executable.hpp"

namespace lossmap::cuda {

Tensor CudaExecutable::forward(const Point& point, const SampleChunk& chunk) {
    check_call({&point, 1}, axes_, origin_states_.size(), chunk, fields_, nullptr);
    Shape shape{chunk.count};
    const Shape& sample_shape = program_->bound.output_sample_shape;
    shape.insert(shape.end(), sample_shape.begin(), sample_shape.end());
    Tensor result(DType::f32, shape);
    const std::int64_t tile_samples = program_->options.tile_samples;
    const auto width = static_cast<std::size_t>(element_count(sample_shape)) * sizeof(float);
    const Memory output = device_->allocate_pinned(static_cast<std::size_t>(tile_samples) * width);
    for (const Segment& segment : segments(chunk)) {
        chunk_->upload(chunk, segment.first, segment.rows, *device_, *main_, *staging_);
        materialize({&point, 1}, 0);
        main_->wait(sets_[0].ready);
        for (std::int64_t tile = 0; tile < segment.tiles; ++tile) {
            run_tile_pass(0, tile);
            const Frame here = frame(0, *main_);
            main_->copy_to_host(output.data(), here.address(program_->output), output.size_bytes());
            main_->synchronize();
            const std::int64_t first = tile * tile_samples;
            const std::int64_t rows = std::min(tile_samples, segment.rows - first);
            std::memcpy(
                static_cast<std::byte*>(result.data()) + static_cast<std::size_t>(segment.first + first) * width,
                output.data(), static_cast<std::size_t>(rows) * width);
        }
        sets_[0].done = main_->mark();
    }
    return result;
}

std::vector<NamedTensor> CudaExecutable::trace(const Point& point, const SampleChunk& chunk) {
    check_call({&point, 1}, axes_, origin_states_.size(), chunk, fields_, nullptr);
    std::vector<NamedTensor> result;
    if (chunk.count == 0) return result;
    const std::int64_t rows = std::min(program_->options.tile_samples, chunk.count);
    chunk_->upload(chunk, 0, rows, *device_, *main_, *staging_);
    materialize({&point, 1}, 0);
    main_->wait(sets_[0].ready);
    run_tile_pass(0, 0);
    const Frame here = frame(0, *main_);
    for (const auto& [id, array] : program_->kept) {
        NamedTensor value{program_->bound.graph.value(id).name, Tensor(DType::f32, array.shape)};
        const Memory pinned = device_->allocate_pinned(value.value.size_bytes());
        main_->copy_to_host(pinned.data(), here.address(array), value.value.size_bytes());
        main_->synchronize();
        std::memcpy(value.value.data(), pinned.data(), value.value.size_bytes());
        result.push_back(std::move(value));
    }
    sets_[0].done = main_->mark();
    return result;
}

}  // namespace lossmap::cuda
