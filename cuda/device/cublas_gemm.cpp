#include "cuda/device/cublas_gemm.hpp"

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <cublasLt.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "cuda/device/shared_library.hpp"
#include "cuda/runtime/error.hpp"

namespace lossmap::cuda {
namespace {

constexpr std::size_t kMostWorkspaceBytes = std::size_t{32} << 20;
/// That the heuristics are asked for.
constexpr int kMostAlgorithms = 8;

cudaDataType_t data_type(DType type) {
    switch (type) {
        case DType::f16: return CUDA_R_16F;
        case DType::bf16: return CUDA_R_16BF;
        case DType::f32: return CUDA_R_32F;
        default: throw InternalError("a product of {}", name_of(type));
    }
}

}  // namespace

/// The functions that are used, from whichever library was found.
struct CublasGemm::Library {
    SharedLibrary library{"libcublasLt.so.13"};
    decltype(&cublasLtCreate) create =
        library.function<std::remove_pointer_t<decltype(&cublasLtCreate)>>("cublasLtCreate");
    decltype(&cublasLtDestroy) destroy =
        library.function<std::remove_pointer_t<decltype(&cublasLtDestroy)>>("cublasLtDestroy");
    decltype(&cublasLtGetStatusName) status_name =
        library.function<std::remove_pointer_t<decltype(&cublasLtGetStatusName)>>("cublasLtGetStatusName");
    decltype(&cublasLtGetVersion) get_version =
        library.function<std::remove_pointer_t<decltype(&cublasLtGetVersion)>>("cublasLtGetVersion");
    decltype(&cublasLtMatmul) matmul =
        library.function<std::remove_pointer_t<decltype(&cublasLtMatmul)>>("cublasLtMatmul");
    decltype(&cublasLtMatmulDescCreate) desc_create =
        library.function<std::remove_pointer_t<decltype(&cublasLtMatmulDescCreate)>>("cublasLtMatmulDescCreate");
    decltype(&cublasLtMatmulDescDestroy) desc_destroy =
        library.function<std::remove_pointer_t<decltype(&cublasLtMatmulDescDestroy)>>("cublasLtMatmulDescDestroy");
    decltype(&cublasLtMatmulDescSetAttribute) desc_set =
        library.function<std::remove_pointer_t<decltype(&cublasLtMatmulDescSetAttribute)>>(
            "cublasLtMatmulDescSetAttribute");
    decltype(&cublasLtMatrixLayoutCreate) layout_create =
        library.function<std::remove_pointer_t<decltype(&cublasLtMatrixLayoutCreate)>>("cublasLtMatrixLayoutCreate");
    decltype(&cublasLtMatrixLayoutDestroy) layout_destroy =
        library.function<std::remove_pointer_t<decltype(&cublasLtMatrixLayoutDestroy)>>("cublasLtMatrixLayoutDestroy");
    decltype(&cublasLtMatrixLayoutSetAttribute) layout_set =
        library.function<std::remove_pointer_t<decltype(&cublasLtMatrixLayoutSetAttribute)>>(
            "cublasLtMatrixLayoutSetAttribute");
    decltype(&cublasLtMatmulPreferenceCreate) preference_create =
        library.function<std::remove_pointer_t<decltype(&cublasLtMatmulPreferenceCreate)>>(
            "cublasLtMatmulPreferenceCreate");
    decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy =
        library.function<std::remove_pointer_t<decltype(&cublasLtMatmulPreferenceDestroy)>>(
            "cublasLtMatmulPreferenceDestroy");
    decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set =
        library.function<std::remove_pointer_t<decltype(&cublasLtMatmulPreferenceSetAttribute)>>(
            "cublasLtMatmulPreferenceSetAttribute");
    decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic =
        library.function<std::remove_pointer_t<decltype(&cublasLtMatmulAlgoGetHeuristic)>>(
            "cublasLtMatmulAlgoGetHeuristic");
    decltype(&cublasLtMatmulAlgoConfigGetAttribute) algorithm_get =
        library.function<std::remove_pointer_t<decltype(&cublasLtMatmulAlgoConfigGetAttribute)>>(
            "cublasLtMatmulAlgoConfigGetAttribute");
    decltype(&cublasLtMatmulAlgoCheck) algorithm_check =
        library.function<std::remove_pointer_t<decltype(&cublasLtMatmulAlgoCheck)>>("cublasLtMatmulAlgoCheck");
    cublasLtHandle_t handle = nullptr;

    Library() { check(create(&handle), "cublasLtCreate"); }
    void check(cublasStatus_t status, const char* call) const {
        if (status != CUBLAS_STATUS_SUCCESS)
            throw CudaError("{} failed: {} ({})", call, status_name(status), static_cast<int>(status));
    }
    ~Library() { static_cast<void>(destroy(handle)); }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;
};

namespace {

/// A cuBLASLt object with the function that destroys it.
template <typename Handle>
class Owned {
public:
    Owned() = default;
    Owned(Handle handle, cublasStatus_t (*destroy)(Handle)) : handle_(handle), destroy_(destroy) {}
    ~Owned() {
        if (handle_ != nullptr) static_cast<void>(destroy_(handle_));
    }
    Owned(Owned&& other) noexcept { swap(other); }
    Owned& operator=(Owned&& other) noexcept {
        swap(other);
        return *this;
    }
    [[nodiscard]] Handle get() const { return handle_; }

private:
    void swap(Owned& other) noexcept {
        std::swap(handle_, other.handle_);
        std::swap(destroy_, other.destroy_);
    }
    Handle handle_ = nullptr;
    cublasStatus_t (*destroy_)(Handle) = nullptr;
};

}  // namespace

/// cuBLASLt counts columns first: row-major D = A B is D' = B' A' with everything read as transposed, so its first
/// operand is our B.
template <typename Library>
class CublasPlan final : public GemmPlan {
public:
    CublasPlan(std::shared_ptr<Library> library, const GemmProblem& problem, const LibraryWay& way,
               std::span<const std::byte> serialized)
        : CublasPlan(std::move(library), problem, way.joined.bias) {
        if (serialized.empty()) {
            for (const Algorithm& algorithm : algorithms()) {
                if (name_of(algorithm.algo) != way.name) continue;
                chosen_ = algorithm;
                return;
            }
            throw CudaError("cuBLASLt does not offer {} ({})", way.name, why_not_);
        }
        if (serialized.size() != sizeof(chosen_.algo))
            throw CudaError("a stored algorithm of {} bytes", serialized.size());
        std::memcpy(&chosen_.algo, serialized.data(), sizeof(chosen_.algo));
        // Says what workspace it needs, and no when it is not for this problem.
        Algorithm checked;
        library_->check(library_->algorithm_check(library_->handle, description_.get(), b_.get(), a_.get(), d_.get(),
                                                  d_.get(), &chosen_.algo, &checked),
                        "cublasLtMatmulAlgoCheck");
        chosen_.workspaceSize = checked.workspaceSize;
        if (chosen_.workspaceSize > kMostWorkspaceBytes)
            throw CudaError("the stored algorithm needs {} bytes", chosen_.workspaceSize);
    }

    /// Ways to compute the product, the favourite first, those that join the bias in front.
    [[nodiscard]] static std::vector<LibraryWay> ways(const std::shared_ptr<Library>& library,
                                                      const GemmProblem& problem) {
        std::vector<LibraryWay> result;
        std::string why_none;
        for (const bool joins_bias : {true, false}) {
            // A bias is joined where the result is f32; an activation never, as its NaN would be lost.
            if (joins_bias && !(problem.bias && problem.result_type == DType::f32)) continue;
            CublasPlan plan(library, problem, joins_bias);
            for (const Algorithm& algorithm : plan.algorithms()) {
                const int id = plan.number(algorithm.algo, CUBLASLT_ALGO_CONFIG_ID);
                result.push_back(
                    {plan.name_of(algorithm.algo), fmt::format("{}", id), {joins_bias, false, false}, true});
            }
            why_none = plan.why_not_;
        }
        if (!result.empty()) return result;
        throw CudaError("cuBLASLt has no algorithm for {} products of {} x {} x {} in {} (aligned to {} bytes): {}",
                        problem.batch, problem.rows, problem.columns, problem.inner, lossmap::name_of(problem.type),
                        problem.alignment, why_none);
    }

    [[nodiscard]] JoinedWork joined() const override { return {joins_bias_, false, false}; }
    [[nodiscard]] std::size_t workspace_bytes() const override { return chosen_.workspaceSize; }
    [[nodiscard]] std::string implementation() const override { return "cublasLt " + name_of(chosen_.algo); }
    [[nodiscard]] std::vector<std::byte> serialized() const override {
        const auto bytes = std::as_bytes(std::span(&chosen_.algo, 1));
        return {bytes.begin(), bytes.end()};
    }

    void run(const GemmOperands& operands, void* stream) const override {
        if (joins_bias_) {
            // The address is part of the description; the call copies it.
            const void* bias = operands.bias;
            set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
        }
        const float one = 1.0F;
        const float zero = 0.0F;
        library_->check(library_->matmul(library_->handle, description_.get(), &one, operands.b, b_.get(), operands.a,
                                         a_.get(), &zero, operands.d, d_.get(), operands.d, d_.get(), &chosen_.algo,
                                         operands.workspace, chosen_.workspaceSize, static_cast<cudaStream_t>(stream)),
                        "cublasLtMatmul");
    }

private:
    using Algorithm = cublasLtMatmulHeuristicResult_t;

    CublasPlan(std::shared_ptr<Library> library, const GemmProblem& problem, bool joins_bias)
        : library_(std::move(library)), problem_(problem), joins_bias_(joins_bias) {
        b_ = layout(problem.type, problem.transpose_b ? problem.inner : problem.columns,
                    problem.transpose_b ? problem.columns : problem.inner, problem.stride_b);
        a_ = layout(problem.type, problem.transpose_a ? problem.rows : problem.inner,
                    problem.transpose_a ? problem.inner : problem.rows, problem.stride_a);
        d_ = layout(problem.result_type, problem.columns, problem.rows, problem.stride_d);
        make_description();
    }

    [[nodiscard]] int number(const cublasLtMatmulAlgo_t& algorithm,
                             cublasLtMatmulAlgoConfigAttributes_t attribute) const {
        int value = 0;
        std::size_t written = 0;
        // Attributes of 16 bits fill the lower half; those that an algorithm lacks stay 0.
        static_cast<void>(library_->algorithm_get(&algorithm, attribute, &value, sizeof(value), &written));
        if (written == sizeof(value)) return value;
        std::uint16_t half = 0;
        static_cast<void>(library_->algorithm_get(&algorithm, attribute, &half, sizeof(half), &written));
        return half;
    }

    /// Everything that tells an algorithm from others.
    [[nodiscard]] std::string name_of(const cublasLtMatmulAlgo_t& algorithm) const {
        std::string text = "algorithm";
        for (const auto attribute :
             {CUBLASLT_ALGO_CONFIG_ID, CUBLASLT_ALGO_CONFIG_TILE_ID, CUBLASLT_ALGO_CONFIG_STAGES_ID,
              CUBLASLT_ALGO_CONFIG_SPLITK_NUM, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME,
              CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION,
              CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID})
            text += fmt::format(" {}", number(algorithm, attribute));
        return text + (joins_bias_ ? "+bias" : "");
    }

    template <typename T>
    void set(cublasLtMatmulDescAttributes_t attribute, const T& value) const {
        library_->check(library_->desc_set(description_.get(), attribute, &value, sizeof(value)),
                        "cublasLtMatmulDescSetAttribute");
    }

    void make_description() {
        const cublasComputeType_t compute =
            problem_.precision == Precision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
        cublasLtMatmulDesc_t handle = nullptr;
        library_->check(library_->desc_create(&handle, compute, CUDA_R_32F), "cublasLtMatmulDescCreate");
        description_ = {handle, library_->desc_destroy};
        set(CUBLASLT_MATMUL_DESC_TRANSA, problem_.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
        set(CUBLASLT_MATMUL_DESC_TRANSB, problem_.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
        if (!joins_bias_) return;
        set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
        set(CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, problem_.stride_bias);
        // Heuristics look at whether a bias is there and how it is aligned, not at what it holds.
        set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<std::uintptr_t>(problem_.alignment));
    }

    /// `rows` is also the leading dimension.
    [[nodiscard]] Owned<cublasLtMatrixLayout_t> layout(DType type, std::int64_t rows, std::int64_t columns,
                                                       std::int64_t stride) const {
        cublasLtMatrixLayout_t handle = nullptr;
        library_->check(library_->layout_create(&handle, data_type(type), static_cast<std::uint64_t>(rows),
                                                static_cast<std::uint64_t>(columns), rows),
                        "cublasLtMatrixLayoutCreate");
        Owned<cublasLtMatrixLayout_t> result(handle, library_->layout_destroy);
        const auto batch = static_cast<std::int32_t>(problem_.batch);
        library_->check(library_->layout_set(handle, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof(batch)),
                        "batch count");
        library_->check(
            library_->layout_set(handle, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof(stride)),
            "batch stride");
        return result;
    }

    template <typename T>
    void prefer(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute,
                const T& value) const {
        library_->check(library_->preference_set(preference, attribute, &value, sizeof(value)),
                        "cublasLtMatmulPreferenceSetAttribute");
    }

    void limit(cublasLtMatmulPreference_t preference) const {
        prefer(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kMostWorkspaceBytes);
        // In place, partial sums meet in whichever order they come; in the result's type they lose what f32 holds.
        prefer(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
               static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
        // Unless told, heuristics count on 256 bytes.
        const auto alignment = static_cast<std::uint32_t>(problem_.alignment);
        prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment);
        prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment);
        prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment);
        prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment);
    }

    /// Those of the heuristics, the favourite first; `why_not_` says what the library answered.
    [[nodiscard]] std::vector<Algorithm> algorithms() {
        cublasLtMatmulPreference_t handle = nullptr;
        library_->check(library_->preference_create(&handle), "cublasLtMatmulPreferenceCreate");
        const Owned<cublasLtMatmulPreference_t> preference(handle, library_->preference_destroy);
        limit(handle);
        std::vector<Algorithm> result(kMostAlgorithms);
        int found = 0;
        const cublasStatus_t status =
            library_->heuristic(library_->handle, description_.get(), b_.get(), a_.get(), d_.get(), d_.get(), handle,
                                kMostAlgorithms, result.data(), &found);
        why_not_ = library_->status_name(status);
        result.resize(status == CUBLAS_STATUS_SUCCESS ? static_cast<std::size_t>(found) : 0);
        std::erase_if(result, [](const Algorithm& own) { return own.state != CUBLAS_STATUS_SUCCESS; });
        return result;
    }

    std::shared_ptr<Library> library_;
    GemmProblem problem_;
    bool joins_bias_;
    std::string why_not_;
    Owned<cublasLtMatmulDesc_t> description_;
    Owned<cublasLtMatrixLayout_t> a_;
    Owned<cublasLtMatrixLayout_t> b_;
    Owned<cublasLtMatrixLayout_t> d_;
    Algorithm chosen_{};
};

CublasGemm::CublasGemm() : library_(std::make_shared<Library>()) {}

CublasGemm::~CublasGemm() = default;

std::vector<LibraryWay> CublasGemm::ways(const GemmProblem& problem) const {
    return CublasPlan<Library>::ways(library_, problem);
}

std::unique_ptr<GemmPlan> CublasGemm::build(const GemmProblem& problem, const LibraryWay& way,
                                            std::span<const std::byte> serialized) const {
    return std::make_unique<CublasPlan<Library>>(library_, problem, way, serialized);
}

std::string CublasGemm::version() const {
    const std::size_t version = library_->get_version();
    return fmt::format("cuBLAS {}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace lossmap::cuda
