#include "cuda/device/cusolver_eigen.hpp"

#include <type_traits>
#include <utility>
#include <vector>

#include <cusolverDn.h>
#include <fmt/format.h>

#include "cuda/device/shared_library.hpp"
#include "cuda/runtime/error.hpp"

namespace lossmap::cuda {
namespace {

void check(cusolverStatus_t status, const char* call) {
    if (status != CUSOLVER_STATUS_SUCCESS)
        throw CudaError("{} failed: cuSOLVER status {}", call, static_cast<int>(status));
}

}  // namespace

/// The functions that are used, from whichever library was found.
struct CusolverEigen::Library {
    template <typename Pointer>
    using Function = std::remove_pointer_t<Pointer>;

    SharedLibrary library{"libcusolver.so.12"};
    decltype(&cusolverDnCreate) create = library.function<Function<decltype(create)>>("cusolverDnCreate");
    decltype(&cusolverDnDestroy) destroy = library.function<Function<decltype(destroy)>>("cusolverDnDestroy");
    decltype(&cusolverDnSetStream) set_stream = library.function<Function<decltype(set_stream)>>("cusolverDnSetStream");
    decltype(&cusolverDnSetDeterministicMode) set_deterministic =
        library.function<Function<decltype(set_deterministic)>>("cusolverDnSetDeterministicMode");
    decltype(&cusolverDnCreateParams) create_params =
        library.function<Function<decltype(create_params)>>("cusolverDnCreateParams");
    decltype(&cusolverDnDestroyParams) destroy_params =
        library.function<Function<decltype(destroy_params)>>("cusolverDnDestroyParams");
    decltype(&cusolverDnXsyevd_bufferSize) buffer_size =
        library.function<Function<decltype(buffer_size)>>("cusolverDnXsyevd_bufferSize");
    decltype(&cusolverDnXsyevd) syevd = library.function<Function<decltype(syevd)>>("cusolverDnXsyevd");
    decltype(&cusolverGetVersion) get_version = library.function<Function<decltype(get_version)>>("cusolverGetVersion");
    cusolverDnHandle_t handle = nullptr;
    cusolverDnParams_t params = nullptr;  ///< defaults

    Library() {
        check(create(&handle), "cusolverDnCreate");
        check(set_deterministic(handle, CUSOLVER_DETERMINISTIC_RESULTS), "cusolverDnSetDeterministicMode");
        check(create_params(&params), "cusolverDnCreateParams");
    }
    ~Library() {
        if (params != nullptr) static_cast<void>(destroy_params(params));
        static_cast<void>(destroy(handle));
    }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    [[nodiscard]] std::string version() const {
        int number = 0;
        check(get_version(&number), "cusolverGetVersion");
        return fmt::format("{}.{}.{}", number / 1000, number % 1000 / 100, number % 100);
    }
};

namespace {

/// cusolverDnXsyevd (cuSOLVER, section "Dense Eigenvalue Solver Reference, 64-bit API"): column-major, the lower
/// triangle is read, eigenvalues ascend, eigenvectors take the matrix' place.
template <typename Library>
class SyevdPlan final : public EigenPlan {
public:
    SyevdPlan(std::shared_ptr<Library> library, std::int64_t order) : library_(std::move(library)), order_(order) {
        std::size_t host_bytes = 0;
        check(library_->buffer_size(library_->handle, library_->params, CUSOLVER_EIG_MODE_VECTOR,
                                    CUBLAS_FILL_MODE_LOWER, order_, CUDA_R_64F, nullptr, order_, CUDA_R_64F, nullptr,
                                    CUDA_R_64F, &device_bytes_, &host_bytes),
              "cusolverDnXsyevd_bufferSize");
        host_workspace_.resize(host_bytes);
    }

    [[nodiscard]] std::size_t workspace_bytes() const override { return device_bytes_; }
    [[nodiscard]] std::string implementation() const override {
        return fmt::format("cuSOLVER {} Xsyevd", library_->version());
    }
    void run(const EigenOperands& operands, void* stream) override {
        check(library_->set_stream(library_->handle, static_cast<cudaStream_t>(stream)), "cusolverDnSetStream");
        check(library_->syevd(library_->handle, library_->params, CUSOLVER_EIG_MODE_VECTOR, CUBLAS_FILL_MODE_LOWER,
                              order_, CUDA_R_64F, operands.matrix, order_, CUDA_R_64F, operands.values, CUDA_R_64F,
                              operands.workspace, device_bytes_, host_workspace_.data(), host_workspace_.size(),
                              operands.status),
              "cusolverDnXsyevd");
    }

private:
    std::shared_ptr<Library> library_;
    std::int64_t order_;
    std::size_t device_bytes_ = 0;
    std::vector<std::byte> host_workspace_;
};

}  // namespace

CusolverEigen::CusolverEigen() : library_(std::make_shared<Library>()) {}

CusolverEigen::~CusolverEigen() = default;

std::unique_ptr<EigenPlan> CusolverEigen::plan(std::int64_t order) const {
    return std::make_unique<SyevdPlan<Library>>(library_, order);
}

}  // namespace lossmap::cuda
