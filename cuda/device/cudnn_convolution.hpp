#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cuda/backend/convolution.hpp"

namespace lossmap::cuda {

/// Convolutions through cuDNN's graph API, loaded when it is made. Belongs to the device that is current then.
class CudnnConvolutions {
public:
    /// @throws LibraryError without the library, CudaError when it does not start.
    CudnnConvolutions();
    ~CudnnConvolutions();
    CudnnConvolutions(const CudnnConvolutions&) = delete;
    CudnnConvolutions& operator=(const CudnnConvolutions&) = delete;

    /// Device::convolution_ways: the heuristics' plans that give the same bits every time at the precision asked for.
    [[nodiscard]] std::vector<LibraryWay> ways(const ConvolutionProblem& problem, std::string& why_none);
    /// Device::build_convolution. Kernels that are compiled at run time are part of what a plan serializes, so that
    /// reading it back takes a millisecond where building it took 0.3 to 2 s.
    [[nodiscard]] std::unique_ptr<ConvolutionPlan> build(const ConvolutionProblem& problem, const LibraryWay& way,
                                                         std::span<const std::byte> serialized);
    /// "cuDNN 9.13.0"
    [[nodiscard]] std::string version() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// A way that cuDNN's heuristics offer.
struct OfferedPlan {
    std::string name;     ///< "eng7_k24=29+bias"
    std::string why_not;  ///< "" when it could be built, else what the library said
    std::int64_t workspace_bytes = 0;
    std::vector<std::byte> serialized;  ///< empty where it could not be built
};

/// What cuDNN offers on a device that is not here: needs the library, no driver. Plans whose kernels are compiled at
/// run time are loaded by the driver in the end, and say so where there is none.
/// @param device_json  as cuDNN describes a device (CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, cuDNN 9.8)
/// @param most  that are built, in the library's order: a compiled kernel takes 0.3 to 2 s
/// @throws LibraryError without the library, CudaError when it offers nothing.
[[nodiscard]] std::vector<OfferedPlan> plans_for_described_device(const std::string& device_json,
                                                                  const ConvolutionProblem& problem,
                                                                  const JoinedWork& join, std::size_t most);

/// Reads back what a plan for such a device serialized to, and what workspace it says it needs.
/// @throws CudaError when it is not a plan for that device.
[[nodiscard]] std::int64_t workspace_of_stored_plan(const std::string& device_json,
                                                    std::span<const std::byte> serialized);

}  // namespace lossmap::cuda
