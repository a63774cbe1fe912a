#include "core/in_parallel.hpp"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace lossmap {

void in_parallel(std::size_t count, unsigned threads, const std::function<void(std::size_t)>& work) {
    std::atomic<std::size_t> next{0};
    const auto run = [&] {
        for (std::size_t k = next++; k < count; k = next++)
            work(k);
    };
    std::vector<std::jthread> others;
    for (std::size_t k = 1; k < std::min<std::size_t>(threads, count); ++k)
        others.emplace_back(run);
    run();
}

}  // namespace lossmap
