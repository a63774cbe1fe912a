#pragma once

#include <functional>

#include <cuda_runtime_api.h>

#include "cuda/runtime/stream.hpp"

namespace lossmap::cuda {

/// A recorded sequence of device work that is launched as one. Move-only.
class ExecutableGraph {
public:
    ExecutableGraph() = default;
    ~ExecutableGraph();
    ExecutableGraph(ExecutableGraph&& other) noexcept;
    ExecutableGraph& operator=(ExecutableGraph&& other) noexcept;

    [[nodiscard]] bool empty() const { return graph_ == nullptr; }
    /// Queues one run on `stream`. Does not block.
    void launch(const Stream& stream) const;

    /// Records what `work` queues on `stream` (thread-local capture: other threads go on) and makes it launchable.
    /// Nothing of it runs. When `work` throws, the capture is ended and the exception passed on.
    [[nodiscard]] static ExecutableGraph capture(const Stream& stream, const std::function<void()>& work);

private:
    cudaGraphExec_t graph_ = nullptr;
};

}  // namespace lossmap::cuda
