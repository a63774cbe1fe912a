#include "bench/gpu/split_probe.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/gpu/layer_probe.hpp"
#include "bench/gpu/probe_data.hpp"
#include "bench/gpu/split_launch.hpp"
#include "cuda/runtime/buffer.hpp"
#include "kernels/host/host_launch.hpp"

namespace lossmap::bench {
namespace {

using nlohmann::json;

/// The device cuts sums off where the host rounds them.
constexpr double kTolerance = 1e-4;

/// Numbers that repeat after a prime number of them.
std::vector<float> numbers(std::int64_t count, double range, std::uint64_t seed) {
    constexpr std::size_t kPeriod = 1'000'003;
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t k = 0; k < values.size(); ++k)
        values[k] = k < kPeriod ? noise(seed + k) * static_cast<float>(range) : values[k - kPeriod];
    return values;
}

/// One shape's layers at one number of images.
template <typename Shape>
class SplitJob {
public:
    SplitJob(int layers, std::int64_t samples, const cuda::Stream& stream)
        : layers_(layers),
          samples_(samples),
          in_(numbers(samples * Shape::kPixels * Shape::kChannels, 1.0, 1)),
          bias_(numbers(std::int64_t{1} * layers * Shape::kChannels, 0.1, 3000)),
          device_in_(cuda::upload(std::span<const float>(in_), stream)),
          device_bias_(cuda::upload(std::span<const float>(bias_), stream)),
          device_out_(in_.size() * sizeof(float), stream) {
        const std::vector<float> weights =
            numbers(std::int64_t{1} * layers * Shape::kWeights, 1.7 / std::sqrt(9.0 * Shape::kChannels), 2);
        std::array<std::vector<std::uint16_t>, 2> parts;
        for (const float weight : weights) {
            const std::uint16_t high = float_to_half(weight);
            parts[0].push_back(high);
            parts[1].push_back(float_to_half(weight - half_to_float(high)));
        }
        for (std::size_t part = 0; part < 2; ++part) {
            weights_[part] = packed(parts[part]);
            device_weights_[part] = cuda::upload(std::span<const std::uint16_t>(parts[part]), stream);
        }
        cuda::fill_bytes(device_out_.data(), 0xff, device_out_.size_bytes(), stream);
    }

    void launch(const cuda::Stream& stream) {
        launch_split_layers<Shape>(
            arguments(device_in_.as<float>(), device_weights_[0].data(), device_weights_[1].data(),
                      device_bias_.as<float>(), device_out_.as<float>()),
            stream.get());
    }

    /// Largest difference from the host over the largest value.
    [[nodiscard]] double error(const cuda::Stream& stream) const {
        std::vector<float> device(in_.size()), host(in_.size());
        cuda::copy_to_host(device.data(), device_out_.data(), device.size() * sizeof(float), stream);
        stream.synchronize();
        const SplitLayers<Shape> body{
            arguments(in_.data(), weights_[0].data(), weights_[1].data(), bias_.data(), host.data())};
        kernels::HostLaunch(false).warps((samples_ + Shape::kImages - 1) / Shape::kImages, body);
        double largest = 0.0, difference = 0.0;
        for (std::size_t k = 0; k < host.size(); ++k) {
            const double apart = std::abs(static_cast<double>(device[k]) - static_cast<double>(host[k]));
            largest = std::max(largest, std::abs(static_cast<double>(host[k])));
            difference = apart <= difference ? difference : apart;  // NaN stays
        }
        return difference / largest;
    }

    [[nodiscard]] double multiply_adds() const {
        return static_cast<double>(samples_ * layers_) * Shape::kPixels * Shape::kWeights;
    }

private:
    [[nodiscard]] SplitArgs arguments(const float* in, const void* high, const void* low, const float* bias,
                                      float* out) const {
        return {in,       {static_cast<const kernels::Half*>(high), static_cast<const kernels::Half*>(low)},
                bias,     out,
                samples_, layers_};
    }

    int layers_;
    std::int64_t samples_;
    std::vector<float> in_;
    std::array<std::vector<HalfPack>, 2> weights_;
    std::vector<float> bias_;
    cuda::DeviceBuffer device_in_;
    std::array<cuda::DeviceBuffer, 2> device_weights_;
    cuda::DeviceBuffer device_bias_;
    cuda::DeviceBuffer device_out_;
};

}  // namespace

json probe_split_layers(int multiprocessors, const cuda::Stream& stream) {
    json result = json::object();
    for_each_split_shape([&](auto shape) {
        using Shape = decltype(shape);
        const std::string name = fmt::format("split {}x{}x{}, {} images a block", Shape::kChannels, Shape::kSide,
                                             Shape::kSide, Shape::kImages);
        report(result, name, [&] {
            return probe_layers<SplitJob<Shape>>(Shape::kImages, std::int64_t{16} * multiprocessors, kTolerance, stream,
                                                 [&](auto& job) { job.launch(stream); });
        });
    });
    return result;
}

}  // namespace lossmap::bench
