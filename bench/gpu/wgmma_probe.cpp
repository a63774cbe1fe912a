#include "bench/gpu/wgmma_probe.hpp"

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/gpu/host_warpgroup.hpp"
#include "bench/gpu/layer_probe.hpp"
#include "bench/gpu/probe_data.hpp"
#include "bench/gpu/wgmma_launch.hpp"
#include "bench/gpu/wgmma_layers.hpp"
#include "cuda/runtime/buffer.hpp"

namespace lossmap::bench {
namespace {

using nlohmann::json;

/// As for the stage kernels: roundings of fp16 that fall the other way, layer by layer.
constexpr double kTolerance = 1e-2;

/// One shape's layers at one number of images.
template <typename Shape>
class WgmmaJob {
public:
    WgmmaJob(int layers, std::int64_t samples, const cuda::Stream& stream)
        : layers_(layers),
          samples_(samples),
          in_(halves(samples * Shape::kPixels * Shape::kChannels, 1.0, 1)),
          weights_(halves(std::int64_t{1} * layers * Shape::kWeights, 1.7 / std::sqrt(9.0 * Shape::kChannels), 2)),
          bias_(static_cast<std::size_t>(layers) * Shape::kChannels),
          device_in_(cuda::upload(std::span<const std::uint16_t>(in_), stream)),
          device_weights_(cuda::upload(std::span<const std::uint16_t>(weights_), stream)),
          device_out_(in_.size() * 2, stream) {
        for (std::size_t k = 0; k < bias_.size(); ++k)
            bias_[k] = 0.1F * noise(3000 + k);
        device_bias_ = cuda::upload(std::span<const float>(bias_), stream);
        cuda::fill_bytes(device_out_.data(), 0xff, device_out_.size_bytes(), stream);
    }

    void launch(int multiprocessors, const cuda::Stream& stream) {
        launch_wgmma_layers<Shape>(
            arguments(device_in_.data(), device_weights_.data(), device_bias_.as<float>(), device_out_.data()),
            multiprocessors, stream.get());
    }

    [[nodiscard]] double error(const cuda::Stream& stream) const {
        std::vector<std::uint16_t> device(in_.size());
        cuda::copy_to_host(device.data(), device_out_.data(), device.size() * 2, stream);
        stream.synchronize();
        const std::vector<HalfPack> in = packed(in_), weights = packed(weights_);
        std::vector<HalfPack> out(in.size());
        const WgmmaLayers<Shape> layers{arguments(in.data(), weights.data(), bias_.data(), out.data())};
        for (std::int64_t tile = 0; tile * Shape::kImages < samples_; ++tile) {
            HostWarpgroupBlock<Shape> block(true);
            layers.run(block, tile);
        }
        return largest_difference(device, out);
    }

    [[nodiscard]] double multiply_adds() const {
        return static_cast<double>(samples_ * layers_) * Shape::kPixels * Shape::kWeights;
    }

private:
    [[nodiscard]] WgmmaArgs arguments(const void* in, const void* weights, const float* bias, void* out) const {
        return {static_cast<const kernels::Half*>(in),
                static_cast<const kernels::Half*>(weights),
                bias,
                static_cast<kernels::Half*>(out),
                samples_,
                layers_};
    }

    int layers_;
    std::int64_t samples_;
    std::vector<std::uint16_t> in_;
    std::vector<std::uint16_t> weights_;
    std::vector<float> bias_;
    cuda::DeviceBuffer device_in_;
    cuda::DeviceBuffer device_weights_;
    cuda::DeviceBuffer device_bias_;
    cuda::DeviceBuffer device_out_;
};

}  // namespace

json probe_wgmma_layers(int multiprocessors, const cuda::Stream& stream) {
    json result = json::object();
    if (!has_wgmma()) return result;
    for_each_wgmma_shape([&](auto shape) {
        using Shape = decltype(shape);
        const std::string name = fmt::format("wgmma {}x{}x{}, {} images and {} warpgroups a block", Shape::kChannels,
                                             Shape::kSide, Shape::kSide, Shape::kImages, Shape::kWarpgroups);
        report(result, name, [&] {
            return probe_layers<WgmmaJob<Shape>>(Shape::kImages, std::int64_t{32} * multiprocessors, kTolerance, stream,
                                                 [&](auto& job) { job.launch(multiprocessors, stream); });
        });
    });
    return result;
}

}  // namespace lossmap::bench
