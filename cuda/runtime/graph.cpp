#include "cuda/runtime/graph.hpp"

#include <memory>
#include <utility>

#include "cuda/runtime/error.hpp"

namespace lossmap::cuda {
namespace {

struct DestroyGraph {
    void operator()(cudaGraph_t graph) const noexcept { static_cast<void>(cudaGraphDestroy(graph)); }
};
using GraphHandle = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, DestroyGraph>;

}  // namespace

ExecutableGraph::~ExecutableGraph() {
    if (graph_ != nullptr) static_cast<void>(cudaGraphExecDestroy(graph_));
}

ExecutableGraph::ExecutableGraph(ExecutableGraph&& other) noexcept : graph_(std::exchange(other.graph_, nullptr)) {}

ExecutableGraph& ExecutableGraph::operator=(ExecutableGraph&& other) noexcept {
    std::swap(graph_, other.graph_);
    return *this;
}

void ExecutableGraph::launch(const Stream& stream) const { LOSSMAP_CUDA(cudaGraphLaunch(graph_, stream.get())); }

ExecutableGraph ExecutableGraph::capture(const Stream& stream, const std::function<void()>& work) {
    LOSSMAP_CUDA(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal));
    cudaGraph_t recorded = nullptr;
    try {
        work();
    } catch (...) {
        static_cast<void>(cudaStreamEndCapture(stream.get(), &recorded));
        // Of an invalid capture, too: the next launch must not be blamed for it.
        static_cast<void>(cudaGetLastError());
        const GraphHandle discarded(recorded);
        throw;
    }
    LOSSMAP_CUDA(cudaStreamEndCapture(stream.get(), &recorded));
    const GraphHandle owner(recorded);
    ExecutableGraph result;
    LOSSMAP_CUDA(cudaGraphInstantiate(&result.graph_, owner.get(), 0));
    return result;
}

}  // namespace lossmap::cuda
