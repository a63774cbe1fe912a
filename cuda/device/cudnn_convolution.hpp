#pragma once

#include <memory>
#include <string>

#include "cuda/backend/convolution.hpp"
#include "cuda/runtime/stream.hpp"

namespace lossmap::cuda {

/// Convolutions through cuDNN's graph API, loaded when it is made. Belongs to the device that is current then.
class CudnnConvolutions {
public:
    /// @throws LibraryError without the library, CudaError when it does not start.
    CudnnConvolutions();
    ~CudnnConvolutions();
    CudnnConvolutions(const CudnnConvolutions&) = delete;
    CudnnConvolutions& operator=(const CudnnConvolutions&) = delete;

    /// The first plan of the library's heuristics that gives the same bits every time: with bias, residual and
    /// activation in one kernel where there is an engine for that and the activation lets NaN through, else the
    /// convolution alone. nullptr, with the reason, when there is none at all. Plans are kept: asking again is cheap.
    /// @param stream  for the trial run
    [[nodiscard]] std::unique_ptr<ConvolutionPlan> plan(const ConvolutionProblem& problem, const Stream& stream,
                                                        std::string& why_not);
    /// "cuDNN 9.13.0"
    [[nodiscard]] std::string version() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace lossmap::cuda
