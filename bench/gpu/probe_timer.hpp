#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "cuda/runtime/stream.hpp"

namespace lossmap::bench {

/// Median of `repeats` timings, in milliseconds on the device, of what `work` queues on `stream`; one run before them
/// warms up.
inline double median_ms(const cuda::Stream& stream, int repeats, const std::function<void()>& work) {
    const cuda::Event begin(true);
    const cuda::Event end(true);
    std::vector<double> times;
    work();
    for (int i = 0; i < repeats; ++i) {
        begin.record(stream);
        work();
        end.record(stream);
        end.synchronize();
        times.push_back(cuda::Event::elapsed_ms(begin, end));
    }
    std::nth_element(times.begin(), times.begin() + repeats / 2, times.end());
    return times[static_cast<std::size_t>(repeats / 2)];
}

}  // namespace lossmap::bench
