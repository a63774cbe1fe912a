#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include "bench/gpu/probe_data.hpp"
#include "core/dtype.hpp"
#include "cuda/runtime/buffer.hpp"
#include "kernels/kernel_table.hpp"

/// What the stage kernels are timed on: in fp16, in tf32, and in fp32 by split products.
namespace lossmap::bench {

/// A stage of a residual network: pairs of layers with a skip over each.
struct StageJob {
    int channels = 0;
    int side = 0;
    int tile_images = 0;
    int layers = 2;
    std::int64_t points = 1;
    std::int64_t samples = 1;
    bool warpgroup = false;  ///< on wgmma
    int max_blocks = 0;      ///< of a launch on wgmma, as in StageArgs
    bool exit = false;       ///< to half the side and twice the channels, with a shortcut, instead of the result

    [[nodiscard]] std::int64_t image() const { return std::int64_t{1} * side * side * channels; }
    /// Blocks of weights: a layer's, and two for each of the exit's convolutions.
    [[nodiscard]] int blocks() const { return layers + (exit ? 4 : 0); }
    [[nodiscard]] std::int64_t block_weights() const { return std::int64_t{9} * channels * channels; }
    [[nodiscard]] double multiply_adds() const {
        const auto layer = static_cast<double>(block_weights());
        // A quarter of the pixels, twice the filters, nine taps and one.
        const double leaving = exit ? layer * 2.0 / 4.0 * (10.0 / 9.0) : 0.0;
        return static_cast<double>(points * samples * side * side) * (layer * layers + leaving);
    }
};

/// One job's data, on the host and on the device.
/// @param kProducts  of f16 for one of f32: 3; 1: tf32; 0: activations are f16
template <int kProducts>
class StageData {
    using Pixel = std::conditional_t<kProducts == 0, std::uint16_t, float>;
    static constexpr std::int64_t kHalves = kProducts == 3 ? 2 : 1;  ///< of a weight

public:
    StageData(const StageJob& job, const cuda::Stream& stream)
        : job_(job),
          in_(pixels(job.points * job.samples * job.image())),
          weights_(weights_of(job)),
          bias_(numbers(job.points * job.blocks() * job.channels, 0.1, 3000)),
          device_in_(cuda::upload(std::span<const Pixel>(in_), stream)),
          device_weights_(cuda::upload(std::span<const std::uint16_t>(weights_), stream)),
          device_bias_(cuda::upload(std::span<const float>(bias_), stream)),
          device_out_(in_.size() * sizeof(Pixel), stream),
          device_flags_(static_cast<std::size_t>(job.points * (job.samples + 1)) * 4, stream) {
        cuda::fill_bytes(device_out_.data(), 0xff, device_out_.size_bytes(), stream);
        cuda::fill_bytes(device_flags_.data(), 0, device_flags_.size_bytes(), stream);
    }

    void launch(const cuda::Stream& stream) const {
        run(job_, kernels::cuda_kernels(),
            arguments(device_in_.data(), device_weights_.data(), device_bias_.data(), device_out_.data(),
                      device_flags_.template as<std::uint32_t>()),
            {stream.get()});
    }

    /// Largest difference of what the device computed from what the host computes, over the largest value; infinite
    /// where a sample is flagged: none of these overflows.
    [[nodiscard]] double error(const cuda::Stream& stream) const {
        const std::vector<Pixel> device = results(stream);
        std::vector<Pixel> host(in_.size());
        if (flagged(stream) > 0) return std::numeric_limits<double>::infinity();
        run(job_, kernels::host_kernels(), arguments(in_.data(), weights_.data(), bias_.data(), host.data(), nullptr),
            {});
        double largest = 0.0, difference = 0.0;
        for (std::size_t k = 0; k < host.size(); ++k) {
            const double apart = std::abs(number(device[k]) - number(host[k]));
            largest = std::max(largest, std::abs(number(host[k])));
            difference = apart <= difference ? difference : apart;  // NaN stays
        }
        return difference / largest;
    }

    /// What the device computed last.
    [[nodiscard]] std::vector<Pixel> results(const cuda::Stream& stream) const {
        std::vector<Pixel> device(in_.size());
        cuda::copy_to_host(device.data(), device_out_.data(), device_out_.size_bytes(), stream);
        stream.synchronize();
        return device;
    }
    /// Samples, and points, with numbers that were not held.
    [[nodiscard]] std::int64_t flagged(const cuda::Stream& stream) const {
        std::vector<std::uint32_t> flags(device_flags_.size_bytes() / 4);
        cuda::copy_to_host(flags.data(), device_flags_.data(), device_flags_.size_bytes(), stream);
        stream.synchronize();
        return std::ssize(flags) - std::ranges::count(flags, 0u);
    }

    /// Bytes that have to move through device memory.
    [[nodiscard]] double bytes() const {
        return static_cast<double>(2 * in_.size() * sizeof(Pixel) + weights_.size() * sizeof(std::uint16_t));
    }

private:
    // What the host's kernels read 16 bytes at a time comes from operator new.
    static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= 16);

    static double number(float value) { return static_cast<double>(value); }
    static double number(std::uint16_t bits) { return static_cast<double>(half_to_float(bits)); }

    static std::vector<Pixel> pixels(std::int64_t count) {
        if constexpr (kProducts > 0)
            return numbers(count, 1.0, 1);
        else
            return halves(count, 1.0, 1);
    }

    /// Those of f16, or for each block both halves of its weights.
    static std::vector<std::uint16_t> weights_of(const StageJob& job) {
        const double range = 1.2 / std::sqrt(9.0 * job.channels);
        const std::int64_t count = job.points * job.blocks() * job.block_weights();
        if (kHalves == 1) return halves(count, range, 2);
        const std::vector<float> values = numbers(count, range, 2);
        const auto block = static_cast<std::size_t>(job.block_weights());
        std::vector<std::uint16_t> parts(2 * values.size());
        for (std::size_t k = 0; k < values.size(); ++k) {
            const std::size_t at = k / block * 2 * block + k % block;
            parts[at] = float_to_half(values[k]);
            parts[at + block] = float_to_half(kernels::low_part(values[k]));
        }
        return parts;
    }

    static void run(const StageJob& job, const kernels::KernelTable& table, const kernels::StageArgs& args,
                    kernels::Queue queue) {
        (kProducts == 3   ? job.warpgroup ? table.warpgroup_split_stage : table.split_stage
         : kProducts == 1 ? table.tf32_stage
         : job.warpgroup  ? table.warpgroup_stage
                          : table.stage)(args, queue);
    }

    [[nodiscard]] kernels::StageArgs arguments(const void* in, const void* weights, const void* bias, void* out,
                                               std::uint32_t* flags) const {
        constexpr DType kType = kProducts > 0 ? DType::f32 : DType::f16;
        kernels::StageArgs args;
        args.in = {in, kType, job_.samples * job_.image()};
        args.weights = {weights, DType::f16, kHalves * job_.blocks() * job_.block_weights()};
        args.bias = {bias, DType::f32, std::int64_t{1} * job_.blocks() * job_.channels};
        if (job_.exit) {
            // Each of the two is half as large as the result.
            const std::int64_t half = job_.samples * job_.image() / 2;
            args.exit = {out, kType, half};
            args.shortcut = {static_cast<Pixel*>(out) + job_.points * half, kType, half};
            args.exit_channels = 2 * job_.channels;
            args.exit_relu = true;
        } else {
            args.out = {out, kType, job_.samples * job_.image()};
        }
        args.points = job_.points;
        args.samples = job_.samples;
        args.channels = job_.channels;
        args.side = job_.side;
        args.tile_images = job_.tile_images;
        args.in_channels = args.out_channels = job_.channels;
        args.layers = job_.layers;
        args.max_blocks = job_.max_blocks;
        for (int layer = 0; layer < job_.layers; ++layer)
            args.kinds[layer] =
                static_cast<std::uint8_t>(kernels::kStageRelu | (layer % 2 == 1 ? kernels::kStageAddPrevious : 0));
        args.overflow = {flags, job_.samples, job_.image()};
        return args;
    }

    StageJob job_;
    std::vector<Pixel> in_;
    std::vector<std::uint16_t> weights_;
    std::vector<float> bias_;
    cuda::DeviceBuffer device_in_;
    cuda::DeviceBuffer device_weights_;
    cuda::DeviceBuffer device_bias_;
    cuda::DeviceBuffer device_out_;
    cuda::DeviceBuffer device_flags_;
};

}  // namespace lossmap::bench
