#pragma once

#include <cstddef>
#include <functional>

namespace lossmap {

/// Calls work(k) for every k below `count`, on so many threads (the calling one among them) in any order; returns when
/// all are done. `work` does not throw.
void in_parallel(std::size_t count, unsigned threads, const std::function<void(std::size_t)>& work);

}  // namespace lossmap
