#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

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

/// A way that cuDNN's heuristics offer.
struct OfferedPlan {
    std::string name;     ///< "eng7_k24=29"
    std::string why_not;  ///< "" when it could be built, else what the library said
    std::int64_t workspace_bytes = 0;
};

/// What cuDNN offers on a device that is not here: needs the library, no driver. Plans whose kernels are compiled at
/// run time are loaded by the driver in the end, and say so where there is none.
/// @param device_json  as cuDNN describes a device (CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, cuDNN 9.8)
/// @throws LibraryError without the library, CudaError when it offers nothing.
[[nodiscard]] std::vector<OfferedPlan> plans_for_described_device(const std::string& device_json,
                                                                  const ConvolutionProblem& problem,
                                                                  const JoinedWork& join);

}  // namespace lossmap::cuda
