#pragma once

#include <cstdint>
#include <memory>

#include "cuda/backend/eigen.hpp"

namespace lossmap::cuda {

/// Symmetric eigenproblems through cuSOLVER's 64-bit interface, loaded when it is made. Belongs to the device that is
/// current then.
class CusolverEigen {
public:
    /// @throws LibraryError without the library, CudaError when it does not start.
    CusolverEigen();
    ~CusolverEigen();
    CusolverEigen(const CusolverEigen&) = delete;
    CusolverEigen& operator=(const CusolverEigen&) = delete;

    [[nodiscard]] std::unique_ptr<EigenPlan> plan(std::int64_t order) const;

private:
    struct Library;
    std::shared_ptr<Library> library_;
};

}  // namespace lossmap::cuda
