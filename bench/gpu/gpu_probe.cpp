// gpu_probe: what one GPU can do, measured in one call: matrix instructions by shape, memory levels, launches, cuDNN's
// best plan for the convolutions of the networks that lossmap is tuned for. JSON on stdout, progress on stderr.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/gpu/convolution_probe.hpp"
#include "bench/gpu/gemm_probe.hpp"
#include "bench/gpu/probe_kernels.hpp"
#include "bench/gpu/probe_timer.hpp"
#include "cuda/runtime/buffer.hpp"
#include "cuda/runtime/device.hpp"
#include "cuda/runtime/error.hpp"
#include "cuda/runtime/graph.hpp"

namespace lossmap::bench {
namespace {

using nlohmann::json;

struct Options {
    double budget_seconds = 300.0;
    bool convolutions = true;
};

class Probe {
public:
    explicit Probe(const Options& options) : options_(options), sink_(1 << 16, stream_) {}

    json run() {
        const cuda::DeviceList list = cuda::list_devices();
        if (list.devices.empty()) throw InputError("no CUDA device: {}", list.why_none);
        device_ = list.devices.front();
        json result;
        result["device"] = {{"name", device_.name},
                            {"compute", fmt::format("{}.{}", device_.compute_major, device_.compute_minor)},
                            {"multiprocessors", device_.multiprocessors},
                            {"memory_bytes", device_.memory_bytes},
                            {"l2_bytes", device_.l2_bytes},
                            {"shared_bytes_per_block", device_.shared_bytes_per_block},
                            {"driver", list.driver_version},
                            {"runtime", list.runtime_version},
                            {"cudnn", cudnn_version()}};
        section(result, "gemm_tflops", [&] { return gemms(); });
        section(result, "arithmetic_tflops", [&] { return arithmetic(); });
        section(result, "memory_gb_per_s", [&] { return memory(); });
        section(result, "launch_us", [&] { return launches(); });
        section(result, "gemm_tflops_at_the_end", [&] { return gemms(); });
        if (options_.convolutions) section(result, "convolutions", [&] { return convolutions(); });
        return result;
    }

private:
    [[nodiscard]] double elapsed_seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

    // One failing section must not cost what the others found, nor one that takes too long: each is told at once, too.
    void section(json& result, const char* name, const std::function<json()>& body) {
        std::fprintf(stderr, "%7.1f s  %s\n", elapsed_seconds(), name);
        try {
            result[name] = body();
        } catch (const std::exception& error) {
            result[name] = {{"failure", error.what()}};
        }
        tell({{name, result[name]}});
    }
    static void tell(const json& found) { std::fprintf(stderr, "%s\n", found.dump().c_str()); }

    json gemms() {
        json rates;
        for (const char* precision : {"fp16", "bf16", "tf32", "fp32"}) {
            rates[precision] = gemm_tflops(precision, std::strcmp(precision, "fp32") == 0 ? 4096 : 8192, stream_);
        }
        return rates;
    }

    double rate(const std::function<ProbeWork()>& launch) {
        ProbeWork work;
        const double ms = median_ms(stream_, 7, [&] { work = launch(); });
        return work.multiply_adds > 0 ? 2.0 * work.multiply_adds / ms * 1e-9 : work.bytes / ms * 1e-6;
    }

    json arithmetic() {
        const int sms = device_.multiprocessors;
        float* sink = sink_.as<float>();
        cudaStream_t stream = stream_.get();
        json rates;
        rates["ffma"] = rate([&] { return launch_ffma(sms * 8, 20000, sink, stream); });
        rates["mma_sync_m16n8k16_fp16"] = rate([&] { return launch_mma_fp16(sms * 4, 8000, sink, stream); });
        rates["mma_sync_m16n8k8_tf32"] = rate([&] { return launch_mma_tf32(sms * 4, 8000, sink, stream); });
        for (const int n : {16, 48, 96, 192}) {
            for (const int warpgroups : {1, 2, 4}) {
                for (const bool registers : {false, true}) {
                    const auto source = registers ? WgmmaSource::registers : WgmmaSource::shared;
                    rates[fmt::format("wgmma_m64n{}k16_{}_x{}", n, registers ? "rs" : "ss", warpgroups)] =
                        rate([&] { return launch_wgmma(n, source, warpgroups, sms, 100000 / n, sink, stream); });
                }
            }
        }
        return rates;
    }

    json memory() {
        const int blocks = device_.multiprocessors * 4;
        const std::size_t unit = static_cast<std::size_t>(blocks) * 512 * 8;  // words of 16 bytes: whole rounds
        const std::size_t hbm_words = std::max<std::size_t>(1, (std::size_t{2} << 30) / 16 / unit) * unit;
        const cuda::DeviceBuffer source(hbm_words * 16, stream_);
        const cuda::DeviceBuffer target(hbm_words * 16, stream_);
        cuda::fill_bytes(source.data(), 0x5a, source.size_bytes(), stream_);
        json rates;
        uint4* sink = sink_.as<uint4>();
        rates["hbm_read"] =
            rate([&] { return launch_read(source.as<uint4>(), hbm_words, 1, blocks, sink, stream_.get()); });
        rates["hbm_copy"] =
            rate([&] { return launch_copy(source.as<uint4>(), target.as<uint4>(), hbm_words, blocks, stream_.get()); });
        for (const std::size_t rounds : {1, 2}) {
            const std::size_t words = unit * rounds;
            rates[fmt::format("l2_read_{}_mib", words * 16 >> 20)] =
                rate([&] { return launch_read(source.as<uint4>(), words, 200, blocks, sink, stream_.get()); });
        }
        rates["shared_read"] =
            rate([&] { return launch_shared_read(device_.multiprocessors * 4, 20000, sink, stream_.get()); });
        return rates;
    }

    json launches() {
        constexpr int kLaunches = 200;
        const auto queue_all = [&] {
            for (int i = 0; i < kLaunches; ++i)
                launch_empty(stream_.get());
        };
        const cuda::ExecutableGraph graph = cuda::ExecutableGraph::capture(stream_, queue_all);
        return {{"stream_launch", 1000.0 * median_ms(stream_, 11, queue_all) / kLaunches},
                {"graph_node", 1000.0 * median_ms(stream_, 11, [&] { graph.launch(stream_); }) / kLaunches}};
    }

    /// Shapes of ResNet-20/56/110 (16x32x32, 32x16x16, 64x8x8 and their strided entries), VGG-9, in several batches.
    static std::vector<ConvolutionShape> shapes() {
        std::vector<ConvolutionShape> result;
        for (const std::int64_t images : {128, 1024, 4096}) {
            result.push_back({images, 16, 16, 32, 32, 3, 1});
            result.push_back({images, 32, 32, 16, 16, 3, 1});
            result.push_back({images, 64, 64, 8, 8, 3, 1});
        }
        for (const std::int64_t images : {1024}) {
            result.push_back({images, 8, 16, 32, 32, 3, 1});  // first layer, channels padded to 8
            result.push_back({images, 16, 32, 32, 32, 3, 2});
            result.push_back({images, 32, 64, 16, 16, 3, 2});
            result.push_back({images, 16, 32, 32, 32, 1, 2});
            result.push_back({images, 64, 128, 16, 16, 3, 1});
            result.push_back({images, 256, 256, 8, 8, 3, 1});
            result.push_back({images, 512, 512, 4, 4, 3, 1});
        }
        return result;
    }

    json convolutions() {
        json rows = json::array();
        for (const char* precision : {"fp16", "tf32", "bf16", "fp32"}) {
            for (const char* epilogue : {"bias_relu", "bias_add_relu", "none"}) {
                for (const ConvolutionShape& shape : shapes()) {
                    if (elapsed_seconds() > options_.budget_seconds) return rows;
                    rows.push_back(row(shape, probe_convolution(shape, precision, epilogue, stream_)));
                    tell(rows.back());
                }
            }
        }
        return rows;
    }

    static json row(const ConvolutionShape& shape, const ConvolutionResult& result) {
        json entry = {{"shape", fmt::format("{}x{}x{}x{} -> {} k{} s{}", shape.images, shape.channels_in, shape.height,
                                            shape.width, shape.channels_out, shape.kernel, shape.stride)},
                      {"precision", result.precision},
                      {"epilogue", result.epilogue}};
        if (!result.failure.empty()) {
            entry["failure"] = result.failure;
            return entry;
        }
        entry["ms"] = result.best_ms;
        entry["tflops"] = 2.0 * shape.multiply_adds() / result.best_ms * 1e-9;
        entry["plans"] = result.plans;
        entry["plan"] = result.plan;
        entry["workspace_bytes"] = result.workspace_bytes;
        return entry;
    }

    Options options_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    cuda::DeviceProperties device_;
    cuda::Stream stream_;
    cuda::DeviceBuffer sink_;
};

}  // namespace
}  // namespace lossmap::bench

int main(int argc, char** argv) {
    lossmap::bench::Options options;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--no-convolutions") == 0) {
            options.convolutions = false;
        } else if (std::strcmp(argv[i], "--budget") == 0 && i + 1 < argc) {
            options.budget_seconds = std::stod(argv[++i]);
        } else {
            std::fprintf(stderr, "usage: gpu_probe [--budget SECONDS] [--no-convolutions] > probe.json\n");
            return 2;
        }
    }
    try {
        const lossmap::cuda::DeviceList list = lossmap::cuda::list_devices();
        if (list.devices.empty()) throw lossmap::InputError("no CUDA device: {}", list.why_none);
        std::cout << lossmap::bench::Probe(options).run().dump(2) << '\n';
        return 0;
    } catch (const lossmap::InputError& error) {
        std::fprintf(stderr, "gpu_probe: error: %s\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "gpu_probe: error: %s\n", error.what());
        return 1;
    }
}
