#pragma once

#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>

#include <nlohmann/json.hpp>

#include "bench/gpu/probe_timer.hpp"
#include "cuda/runtime/stream.hpp"

namespace lossmap::bench {

/// A prototype of whole layers: three of them compared with the host, then 2 and 18 timed.
/// @param Job  made of layers, samples and a stream; has error(stream) and multiply_adds()
/// @param block_images  of a block: the comparison has one image more, so that a block is not full
/// @param images  that are timed
/// @param launch  called with a job
template <typename Job, typename Launch>
nlohmann::json probe_layers(std::int64_t block_images, std::int64_t images, double tolerance,
                            const cuda::Stream& stream, const Launch& launch) {
    Job small(3, block_images + 1, stream);
    launch(small);
    const double error = small.error(stream);
    nlohmann::json result = {{"error_against_host", error}};
    if (!(error <= tolerance)) {
        result["failure"] = "wrong results; not timed";
        return result;
    }
    for (const int layers : {2, 18}) {
        Job job(layers, images, stream);
        const double ms = median_ms(stream, 7, [&] { launch(job); });
        const auto count = static_cast<double>(images);
        result["rows"].push_back({{"images", count},
                                  {"layers", layers},
                                  {"ms", ms},
                                  {"tflops", 2.0 * job.multiply_adds() / ms * 1e-9},
                                  {"ns_an_image_and_layer", ms * 1e6 / count / layers}});
    }
    return result;
}

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

}  // namespace lossmap::bench
