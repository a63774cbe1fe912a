#pragma once

#include <cstdint>

#include "backend/backend.hpp"
#include "core/dtype.hpp"
#include "cuda/backend/library_plan.hpp"

namespace lossmap::cuda {

/// Products of row-major matrices, `batch` of them: D = op(A) op(B) (+ bias of a row) (max with 0).
struct GemmProblem {
    std::int64_t rows = 0;     ///< of D
    std::int64_t columns = 0;  ///< of D
    std::int64_t inner = 0;
    bool transpose_a = false;  ///< A is stored [inner, rows]
    bool transpose_b = false;  ///< B is stored [columns, inner]
    std::int64_t batch = 1;
    std::int64_t stride_a = 0;  ///< elements from one matrix to the next; 0: one for all
    std::int64_t stride_b = 0;
    std::int64_t stride_d = 0;
    DType type = DType::f32;                ///< of A and B
    DType result_type = DType::f32;         ///< of D
    Precision precision = Precision::fp32;  ///< fp32: no TF32; fp16, bf16: fp32 accumulation
    bool bias = false;                      ///< f32 [columns]
    std::int64_t stride_bias = 0;           ///< elements
    bool relu = false;                      ///< only with a plan that joins it
    std::int64_t alignment = 16;            ///< bytes that the address of every matrix and bias is a multiple of

    friend bool operator==(const GemmProblem&, const GemmProblem&) = default;
};

struct GemmOperands {
    const void* a = nullptr;
    const void* b = nullptr;
    const float* bias = nullptr;
    void* d = nullptr;
    void* workspace = nullptr;  ///< LibraryPlan::workspace_bytes
};

/// One way to compute a product: joins the bias and the activation, or not. Shared by queues, not by threads.
class GemmPlan : public LibraryPlan {
public:
    /// Called from Queue::launch with its native handle.
    virtual void run(const GemmOperands& operands, void* stream) const = 0;
};

}  // namespace lossmap::cuda
