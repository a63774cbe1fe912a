#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

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

    /// Device::gemm_ways: the first algorithms of the library's heuristics among those that keep one order of
    /// summation. A bias is joined where the result is f32, an activation never: its NaN would be lost.
    [[nodiscard]] std::vector<LibraryWay> ways(const GemmProblem& problem) const;
    /// Device::build_gemm.
    [[nodiscard]] std::unique_ptr<GemmPlan> build(const GemmProblem& problem, const LibraryWay& way,
                                                  std::span<const std::byte> serialized) const;
    /// "cuBLAS 13.0.2"
    [[nodiscard]] std::string version() const;

private:
    struct Library;
    std::shared_ptr<Library> library_;
};

}  // namespace lossmap::cuda
