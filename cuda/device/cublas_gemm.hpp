#pragma once

#include <memory>
#include <string>

#include "cuda/backend/gemm.hpp"

namespace lossmap::cuda {

/// Products through cuBLASLt, loaded when it is made. Belongs to the device that is current then.
class CublasGemm {
public:
    /// @throws LibraryError without the library, CudaError when it does not start.
    CublasGemm();
    ~CublasGemm();
    CublasGemm(const CublasGemm&) = delete;
    CublasGemm& operator=(const CublasGemm&) = delete;

    /// The first algorithm of the library's heuristics that keeps one order of summation. Joins a bias where the result
    /// is f32; never an activation, whose NaN would be lost.
    [[nodiscard]] std::unique_ptr<GemmPlan> plan(const GemmProblem& problem) const;
    /// "cuBLAS 13.0.2"
    [[nodiscard]] std::string version() const;

private:
    struct Library;
    std::shared_ptr<Library> library_;
};

}  // namespace lossmap::cuda
