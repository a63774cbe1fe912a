#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace lossmap::cuda {

struct EigenOperands {
    double* matrix = nullptr;  ///< f64 [order, order], symmetric; becomes the eigenvectors, one behind the other
    double* values = nullptr;  ///< f64 [order], ascending
    void* workspace = nullptr;
    std::int32_t* status = nullptr;  ///< 0 when all were found
};

/// Eigenvalues and eigenvectors of symmetric matrices of one order; the same matrix gives the same bits. One run at a
/// time; stays until the queue has passed it.
class EigenPlan {
public:
    virtual ~EigenPlan() = default;
    EigenPlan() = default;
    EigenPlan(const EigenPlan&) = delete;
    EigenPlan& operator=(const EigenPlan&) = delete;

    [[nodiscard]] virtual std::size_t workspace_bytes() const = 0;
    /// "cuSOLVER Xsyevd"
    [[nodiscard]] virtual std::string implementation() const = 0;
    /// Called from Queue::launch with its native handle; may block the calling thread.
    virtual void run(const EigenOperands& operands, void* stream) = 0;
};

}  // namespace lossmap::cuda
