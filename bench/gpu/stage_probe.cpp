// stage_probe: the fused stage kernels on one GPU: each shape at several (points x images), after its results have been
// compared with the emulation of the same code on the host; and the same of the prototypes: on wgmma, and with split
// products. JSON on stdout, progress on stderr.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/gpu/gemm_probe.hpp"
#include "bench/gpu/layer_probe.hpp"
#include "bench/gpu/probe_data.hpp"
#include "bench/gpu/probe_kernels.hpp"
#include "bench/gpu/probe_timer.hpp"
#include "bench/gpu/split_probe.hpp"
#include "bench/gpu/wgmma_probe.hpp"
#include "core/dtype.hpp"
#include "cuda/runtime/buffer.hpp"
#include "cuda/runtime/device.hpp"
#include "cuda/runtime/error.hpp"
#include "kernels/kernel_table.hpp"

namespace lossmap::bench {
namespace {

using nlohmann::json;

/// A stage of a residual network: pairs of layers with a skip over each.
struct StageJob {
    int channels = 0;
    int side = 0;
    int tile_images = 0;
    int layers = 2;
    std::int64_t points = 1;
    std::int64_t samples = 1;
    bool exit = false;  ///< to half the side and twice the channels, with a shortcut, instead of the result

    [[nodiscard]] std::int64_t image() const { return std::int64_t{1} * side * side * channels; }
    /// Blocks of weights: a layer's, and two for each of the exit's convolutions.
    [[nodiscard]] int blocks() const { return layers + (exit ? 4 : 0); }
    [[nodiscard]] std::int64_t weights() const { return std::int64_t{9} * channels * channels * blocks(); }
    [[nodiscard]] double multiply_adds() const {
        const double layer = 9.0 * channels * channels;
        // A quarter of the pixels, twice the filters, nine taps and one.
        const double leaving = exit ? layer * 2.0 / 4.0 * (10.0 / 9.0) : 0.0;
        return static_cast<double>(points * samples * side * side) * (layer * layers + leaving);
    }
    /// Bytes that have to move through device memory.
    [[nodiscard]] double bytes() const {
        return static_cast<double>(points) *
               (4.0 * static_cast<double>(samples * image()) + 2.0 * static_cast<double>(weights()));
    }
};

/// One job's data, on the host and on the device.
class StageData {
public:
    StageData(const StageJob& job, const cuda::Stream& stream)
        : job_(job),
          in_(halves(job.points * job.samples * job.image(), 1.0, 1)),
          weights_(halves(job.points * job.weights(), 1.2 / std::sqrt(9.0 * job.channels), 2)),
          bias_(static_cast<std::size_t>(job.points * job.blocks() * job.channels)),
          device_in_(cuda::upload(std::span<const std::uint16_t>(in_), stream)),
          device_weights_(cuda::upload(std::span<const std::uint16_t>(weights_), stream)),
          device_out_(in_.size() * 2, stream),
          device_flags_(static_cast<std::size_t>(job.points * (job.samples + 1)) * 4, stream) {
        for (std::size_t k = 0; k < bias_.size(); ++k)
            bias_[k] = 0.1F * noise(3000 + k);
        device_bias_ = cuda::upload(std::span<const float>(bias_), stream);
        cuda::fill_bytes(device_out_.data(), 0xff, device_out_.size_bytes(), stream);
        cuda::fill_bytes(device_flags_.data(), 0, device_flags_.size_bytes(), stream);
    }

    [[nodiscard]] kernels::StageArgs on_device() const {
        return arguments(device_in_.data(), device_weights_.data(), device_bias_.data(), device_out_.data(),
                         device_flags_.as<std::uint32_t>());
    }

    /// Largest difference of what the device computed from what the host computes, over the largest value.
    [[nodiscard]] double error(const cuda::Stream& stream) const {
        std::vector<std::uint16_t> device(in_.size());
        cuda::copy_to_host(device.data(), device_out_.data(), device.size() * 2, stream);
        stream.synchronize();
        const std::vector<HalfPack> in = packed(in_), weights = packed(weights_);
        std::vector<HalfPack> out(in.size());
        kernels::host_kernels().stage(arguments(in.data(), weights.data(), bias_.data(), out.data(), nullptr), {});
        return largest_difference(device, out);
    }

private:
    [[nodiscard]] kernels::StageArgs arguments(const void* in, const void* weights, const void* bias, void* out,
                                               std::uint32_t* flags) const {
        kernels::StageArgs args;
        args.in = {in, DType::f16, job_.samples * job_.image()};
        args.weights = {weights, DType::f16, job_.weights()};
        args.bias = {bias, DType::f32, std::int64_t{1} * job_.blocks() * job_.channels};
        if (job_.exit) {
            // Each of the two is half as large as the result.
            const std::int64_t half = job_.samples * job_.image() / 2;
            args.exit = {out, DType::f16, half};
            args.shortcut = {static_cast<std::uint16_t*>(out) + job_.points * half, DType::f16, half};
            args.exit_channels = 2 * job_.channels;
            args.exit_relu = true;
        } else {
            args.out = {out, DType::f16, job_.samples * job_.image()};
        }
        args.points = job_.points;
        args.samples = job_.samples;
        args.channels = job_.channels;
        args.side = job_.side;
        args.tile_images = job_.tile_images;
        args.in_channels = args.out_channels = job_.channels;
        args.layers = job_.layers;
        for (int layer = 0; layer < job_.layers; ++layer)
            args.kinds[layer] =
                static_cast<std::uint8_t>(kernels::kStageRelu | (layer % 2 == 1 ? kernels::kStageAddPrevious : 0));
        args.overflow = {flags, job_.samples, job_.image()};
        return args;
    }

    StageJob job_;
    std::vector<std::uint16_t> in_;
    std::vector<std::uint16_t> weights_;
    std::vector<float> bias_;
    cuda::DeviceBuffer device_in_;
    cuda::DeviceBuffer device_weights_;
    cuda::DeviceBuffer device_bias_;
    cuda::DeviceBuffer device_out_;
    cuda::DeviceBuffer device_flags_;
};

/// Roundings of fp16 that fall the other way, through four layers.
constexpr double kTolerance = 1e-2;

class StageProbe {
public:
    json run() {
        const cuda::DeviceList list = cuda::list_devices();
        const cuda::DeviceProperties& device = list.devices.front();
        const cuda::DeviceBuffer sink(1 << 16, stream_);
        ProbeWork work;
        const double ms = median_ms(stream_, 7, [&] {
            work = launch_mma_fp16(device.multiprocessors * 4, 8000, sink.as<float>(), stream_.get());
        });
        ceiling_tflops_ = 2.0 * work.multiply_adds / ms * 1e-9;
        json result;
        result["device"] = {{"name", device.name}, {"multiprocessors", device.multiprocessors}};
        result["mma_sync_tflops"] = ceiling_tflops_;
        result["mma_sync_sums"] = sums();
        result["gemm_fp16_tflops"] = gemm_tflops("fp16", 8192, stream_);
        kernels::for_each_stage_shape([&](auto shape) {
            using Shape = decltype(shape);
            const std::string name = fmt::format("{}x{}x{}, {} images a block", Shape::kChannels, Shape::kSide,
                                                 Shape::kSide, Shape::kImages);
            report(result["stages"], name, [&] {
                return measure({Shape::kChannels, Shape::kSide, Shape::kImages}, Shape::kHasExit);
            });
        });
        result["split"] = probe_split_layers(device.multiprocessors, stream_);
        result["wgmma"] = probe_wgmma_layers(device.multiprocessors, stream_);
        return result;
    }

    /// The best rate of each shape in a line, for people.
    static std::string summary(const json& result) {
        std::string text = fmt::format("mma.sync {:.0f} TFLOP/s", result.at("mma_sync_tflops").get<double>());
        for (const char* kind : {"stages", "split", "wgmma"}) {
            for (const auto& [name, stage] : result.at(kind).items()) {
                double best = 0.0;
                for (const json& row : stage.value("rows", json::array()))
                    best = std::max(best, row.at("tflops").get<double>());
                const std::string rate = fmt::format("{:.0f}", best);
                text += fmt::format("; {}: {}", name, stage.value("failure", rate));
            }
        }
        return text;
    }
    /// Whether every shape was timed.
    static bool complete(const json& result) {
        for (const char* kind : {"stages", "split", "wgmma"})
            for (const json& stage : result.at(kind))
                if (stage.contains("failure")) return false;
        return true;
    }

private:
    /// How a tensor core adds: bits below the last place of the largest term that others keep, and whether the result
    /// is rounded or cut off. Decision 21 assumes 1 and "cut off".
    [[nodiscard]] json sums() const {
        const cuda::DeviceBuffer place(sizeof(float), stream_);
        const auto sum = [&](int terms, int bits) {  // 1 + terms x 2^-(23 + bits)
            launch_mma_sum(1.0F, terms, float_to_half(0x1p-12F), float_to_half(std::ldexp(1.0F, -11 - bits)),
                           place.as<float>(), stream_.get());
            float result = 0.0F;
            cuda::copy_to_host(&result, place.data(), sizeof(result), stream_);
            stream_.synchronize();
            return result;
        };
        int bits = 0;
        while (bits < 4 && sum(1 << (bits + 1), bits + 1) > 1.0F)
            ++bits;
        const float half_way = sum(3, 1);
        return {{"bits_below", bits},
                {"end", half_way == 1.0F + 0x1p-22F   ? "rounded"
                        : half_way == 1.0F + 0x1p-23F ? "cut off"
                                                      : "other"}};
    }

    json measure(StageJob job, bool has_exit) {
        job.layers = 4;
        job.exit = has_exit;
        job.points = 2;
        job.samples = job.tile_images + 1;
        const double error = [&] {
            const StageData data(job, stream_);
            kernels::cuda_kernels().stage(data.on_device(), {stream_.get()});
            return data.error(stream_);
        }();
        json result = {{"error_against_host", error}};
        if (!(error <= kTolerance)) {
            result["failure"] = "wrong results; not timed";
            return result;
        }
        const std::vector<std::pair<std::int64_t, std::int64_t>> sizes{{1, 2048}, {8, 512}, {32, 128}};
        for (const auto& [layers, exit] : {std::pair{2, false}, {18, false}, {18, true}}) {
            if (exit && !has_exit) continue;
            for (const auto& [points, samples] : sizes) {
                job.layers = layers;
                job.exit = exit;
                job.points = points;
                job.samples = samples;
                result["rows"].push_back(row(job));
            }
        }
        return result;
    }

    json row(const StageJob& job) {
        const StageData data(job, stream_);
        const kernels::StageArgs args = data.on_device();
        const double ms = median_ms(stream_, 7, [&] { kernels::cuda_kernels().stage(args, {stream_.get()}); });
        const double tflops = 2.0 * job.multiply_adds() / ms * 1e-9;
        const auto images = static_cast<double>(job.points * job.samples);
        return {{"points", job.points},
                {"images", job.samples},
                {"layers", job.layers},
                {"exit", job.exit},
                {"ms", ms},
                {"tflops", tflops},
                {"of_mma_sync", tflops / ceiling_tflops_},
                {"gb_per_s", job.bytes() / ms * 1e-6},
                {"ns_an_image_and_layer", ms * 1e6 / images / job.layers}};
    }

    cuda::Stream stream_;
    double ceiling_tflops_ = 0.0;
};

}  // namespace
}  // namespace lossmap::bench

int main() {
    try {
        const lossmap::cuda::DeviceList list = lossmap::cuda::list_devices();
        if (list.devices.empty()) throw lossmap::InputError("no CUDA device: {}", list.why_none);
        const nlohmann::json result = lossmap::bench::StageProbe().run();
        std::cout << result.dump(2) << std::endl;
        std::fprintf(stderr, "%s\n", lossmap::bench::StageProbe::summary(result).c_str());
        return lossmap::bench::StageProbe::complete(result) ? 0 : 1;
    } catch (const lossmap::InputError& error) {
        std::fprintf(stderr, "stage_probe: error: %s\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "stage_probe: error: %s\n", error.what());
        return 1;
    }
}
