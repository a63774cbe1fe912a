#pragma once

#include "core/error.hpp"
#include "cuda/runtime/check.hpp"

namespace lossmap::cuda {

/// A CUDA call failed: file, line, call and the runtime's own words. Exit status 1.
class CudaError : public Error {
public:
    using Error::Error;
};

/// Not enough device memory: the caller may try a smaller plan.
class DeviceMemoryError : public CudaError {
public:
    using CudaError::CudaError;
};

}  // namespace lossmap::cuda
