// stage_probe: the fused stage kernels on one GPU, in fp16 by mma.sync and by wgmma, in fp32 by split products and in
// tf32: each shape at several (points x images), after its results have been compared with the emulation of the same
// code on the host. JSON on stdout, progress on stderr. An argument: only kernels whose name has it ("warpgroup 32").
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
#include "bench/gpu/probe_kernels.hpp"
#include "bench/gpu/probe_timer.hpp"
#include "bench/gpu/stage_job.hpp"
#include "core/dtype.hpp"
#include "core/error.hpp"
#include "cuda/runtime/buffer.hpp"
#include "cuda/runtime/device.hpp"
#include "cuda/runtime/error.hpp"
#include "kernels/kernel_table.hpp"

namespace lossmap::bench {
namespace {

using nlohmann::json;

/// Roundings that fall the other way, through four layers; the device cuts sums off where the host rounds them.
template <int kProducts>
constexpr double kTolerance = kProducts == 3 ? 1e-4 : 1e-2;

/// Puts what `measure` returns into `result` under the name, or why it failed; also on stderr, as what follows may take
/// too long.
template <typename Measure>
void report(nlohmann::json& result, const std::string& name, const Measure& measure) {
    std::fprintf(stderr, "%s\n", name.c_str());
    try {
        result[name] = measure();
    } catch (const std::exception& error) {
        result[name] = {{"failure", error.what()}};
    }
    std::fprintf(stderr, "%s\n", result[name].dump().c_str());
}

constexpr const char* kKinds[] = {"stages", "split", "tf32", "warpgroup", "warpgroup_split"};

class StageProbe {
public:
    /// @param only  part of the names of the kernels that are to be measured
    explicit StageProbe(std::string only) : only_(std::move(only)) {}

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
        for (const char* kind : kKinds)
            result[kind] = json::object();
        result["device"] = {{"name", device.name}, {"multiprocessors", device.multiprocessors}};
        result["mma_sync_tflops"] = ceiling_tflops_;
        result["mma_sync_sums"] = sums();
        result["gemm_fp16_tflops"] = gemm_tflops("fp16", 8192, stream_);
        kernels::for_each_stage_shape([&](auto shape) { measure_shape<0>(result["stages"], "", shape); });
        kernels::for_each_split_shape([&](auto shape) { measure_shape<3>(result["split"], "split ", shape); });
        kernels::for_each_tf32_shape([&](auto shape) { measure_shape<1>(result["tf32"], "tf32 ", shape); });
        if (device.compute_major == 9) {
            kernels::for_each_warpgroup_shape(
                [&](auto shape) { measure_shape<0>(result["warpgroup"], "warpgroup ", shape); });
            kernels::for_each_warpgroup_split_shape(
                [&](auto shape) { measure_shape<3>(result["warpgroup_split"], "warpgroup split ", shape); });
        }
        return result;
    }

    /// The best rate of each shape in a line, for people.
    static std::string summary(const json& result) {
        std::string text = fmt::format("mma.sync {:.0f} TFLOP/s", result.at("mma_sync_tflops").get<double>());
        for (const char* kind : kKinds) {
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
        for (const char* kind : kKinds)
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

    template <int kProducts, typename Shape>
    void measure_shape(json& results, const char* kind, Shape) {
        const std::string name = fmt::format("{}{}x{}x{}, {} images a block", kind, Shape::kChannels, Shape::kSide,
                                             Shape::kSide, Shape::kImages);
        if (name.find(only_) == std::string::npos) return;
        report(results, name, [&] {
            StageJob job{Shape::kChannels, Shape::kSide, Shape::kImages};
            job.warpgroup = requires { Shape::kWarpgroups; };
            return measure<kProducts>(job, Shape::kHasExit);
        });
    }

    template <int kProducts>
    json measure(StageJob job, bool has_exit) {
        job.layers = 4;
        job.exit = has_exit;
        job.points = 2;
        job.samples = job.tile_images + 1;
        job.max_blocks = 2;  // a block has a tile after the other, as in what is timed
        const double error = [&] {
            const StageData<kProducts> data(job, stream_);
            data.launch(stream_);
            return data.error(stream_);
        }();
        json result = {{"error_against_host", error}};
        if (!(error <= kTolerance<kProducts>)) {
            result["failure"] = "wrong results; not timed";
            return result;
        }
        job.max_blocks = 0;
        const std::vector<std::pair<std::int64_t, std::int64_t>> sizes{{1, 2048}, {8, 512}, {32, 128}};
        for (const auto& [layers, exit] : {std::pair{2, false}, {18, false}, {18, true}}) {
            if (exit && !has_exit) continue;
            for (const auto& [points, samples] : sizes) {
                job.layers = layers;
                job.exit = exit;
                job.points = points;
                job.samples = samples;
                result["rows"].push_back(row<kProducts>(job));
            }
        }
        return result;
    }

    template <int kProducts>
    json row(const StageJob& job) {
        const StageData<kProducts> data(job, stream_);
        data.launch(stream_);
        const auto first = data.results(stream_);
        const double ms = median_ms(stream_, 7, [&] { data.launch(stream_); });
        // The device is full now, as it was not when results were compared with the host's: a race would show here.
        const auto last = data.results(stream_);
        if (std::memcmp(first.data(), last.data(), first.size() * sizeof(first[0])) != 0)
            throw Error("{} points of {} images through {} layers: other bits the next time", job.points, job.samples,
                        job.layers);
        const double tflops = 2.0 * job.multiply_adds() / ms * 1e-9;
        const auto images = static_cast<double>(job.points * job.samples);
        return {{"points", job.points},
                {"images", job.samples},
                {"layers", job.layers},
                {"exit", job.exit},
                {"flagged", data.flagged(stream_)},
                {"ms", ms},
                {"tflops", tflops},
                {"of_mma_sync", tflops / ceiling_tflops_},
                {"gb_per_s", data.bytes() / ms * 1e-6},
                {"ns_an_image_and_layer", ms * 1e6 / images / job.layers}};
    }

    std::string only_;
    cuda::Stream stream_;
    double ceiling_tflops_ = 0.0;
};

}  // namespace
}  // namespace lossmap::bench

int main(int count, char** arguments) {
    try {
        const lossmap::cuda::DeviceList list = lossmap::cuda::list_devices();
        if (list.devices.empty()) throw lossmap::InputError("no CUDA device: {}", list.why_none);
        const nlohmann::json result = lossmap::bench::StageProbe(count > 1 ? arguments[1] : "").run();
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
