// The only source that sees cudnn_frontend: it takes most of a minute to compile. The frontend finds cuDNN through the
// handle below (NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING), the CUDA runtime and NVRTC by name.
#include "cuda/device/cudnn_convolution.hpp"

#include <array>
#include <functional>
#include <mutex>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include <cudnn_frontend.h>

#include "core/error.hpp"
#include "cuda/device/channels_last.hpp"
#include "cuda/device/cudnn_library.hpp"
#include "cuda/runtime/error.hpp"

namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;  // declared by the frontend, defined by its user
}

namespace lossmap::cuda {
namespace {

namespace fe = cudnn_frontend;
using TensorPointer = std::shared_ptr<fe::graph::Tensor_attributes>;

fe::DataType_t data_type(DType type) {
    switch (type) {
        case DType::f16: return fe::DataType_t::HALF;
        case DType::bf16: return fe::DataType_t::BFLOAT16;
        case DType::f32: return fe::DataType_t::FLOAT;
        default: throw InternalError("a convolution of {}", name_of(type));
    }
}

/// Tensors by number: a plan that was read back knows them by nothing else.
enum Operand : std::int64_t { kImages = 1, kWeights = 2, kBias = 3, kResidual = 4, kResult = 5 };

/// The frontend's graph, open where it says which plans are left after some were ruled out. Its public functions (up to
/// 1.32) name plans that were ruled out like all others and refuse them only when they are built, which takes seconds
/// for those that were not.
class OpenGraph : public fe::graph::Graph {
public:
    [[nodiscard]] bool offers(std::int64_t index) { return plans.check_support_at_index(index).is_good(); }
};

/// A built graph of one problem.
struct BuiltConvolution {
    /// Recorded passes go before the plans that they run: they need not hold on to them.
    BuiltConvolution() { graph.set_cuda_graph_retention(fe::CudaGraphRetention_t::NONE); }

    OpenGraph graph;
    std::size_t workspace_bytes = 0;
    JoinedWork joined;
    std::string name;

    void execute(cudnnHandle_t handle, const ConvolutionOperands& operands) {
        // The library's interface takes inputs as void*; it does not write to them.
        std::unordered_map<std::int64_t, void*> pack{{kImages, const_cast<void*>(operands.images)},
                                                     {kWeights, const_cast<void*>(operands.weights)},
                                                     {kResult, operands.result}};
        if (joined.bias) pack[kBias] = const_cast<float*>(operands.bias);
        if (joined.residual) pack[kResidual] = const_cast<void*>(operands.residual);
        auto status = graph.execute(handle, pack, operands.workspace);
        if (status.is_bad()) throw CudaError("cuDNN's convolution failed: {}", status.get_message());
    }
};

TensorPointer make_tensor(fe::graph::Graph& graph, Operand operand, const Dims& dims, fe::DataType_t type,
                          std::int64_t alignment) {
    return graph.tensor(fe::graph::Tensor_attributes()
                            .set_uid(operand)
                            .set_dim(dims)
                            .set_stride(channels_last(dims))
                            .set_data_type(type)
                            .set_alignment(alignment));
}

void describe(BuiltConvolution& built, const ConvolutionProblem& p, const JoinedWork& join) {
    const std::vector<std::size_t> axes = spatial_axes(p);
    const fe::DataType_t type = data_type(p.type);
    const Dims image_dims = with_channels(p.images, p.channels, selected(p.input, axes));
    const Dims weight_dims = with_channels(p.out_channels, p.channels / p.groups, selected(p.kernel, axes));
    const Dims result_dims = with_channels(p.images, p.out_channels, selected(p.output, axes));
    const Dims bias_dims = with_channels(1, p.out_channels, Dims(axes.size(), 1));
    built.graph.set_io_data_type(type)
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
    const TensorPointer images = make_tensor(built.graph, kImages, image_dims, type, p.alignment);
    const TensorPointer weights = make_tensor(built.graph, kWeights, weight_dims, type, p.alignment);
    TensorPointer y = built.graph.conv_fprop(images, weights,
                                             fe::graph::Conv_fprop_attributes()
                                                 .set_pre_padding(selected(p.pad_begin, axes))
                                                 .set_post_padding(selected(p.pad_end, axes))
                                                 .set_stride(selected(p.stride, axes))
                                                 .set_dilation(selected(p.dilation, axes)));
    const auto add = fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::ADD);
    if (join.bias) {
        const TensorPointer bias = make_tensor(built.graph, kBias, bias_dims, fe::DataType_t::FLOAT, p.alignment);
        y = built.graph.pointwise(y, bias, add);
    }
    if (join.residual) {
        const TensorPointer residual = make_tensor(built.graph, kResidual, result_dims, type, p.alignment);
        y = built.graph.pointwise(y, residual, add);
    }
    if (join.activation)
        y = built.graph.pointwise(y, fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::RELU_FWD));
    y->set_uid(kResult)
        .set_output(true)
        .set_dim(result_dims)
        .set_stride(channels_last(result_dims))
        .set_data_type(type)
        .set_alignment(p.alignment);
    built.joined = join;
}

void require(fe::error_t status, const char* step) {
    if (status.is_bad()) throw CudaError("{}: {}", step, status.get_message());
}

/// Asks the heuristics; only ways that give the same bits every time, and the precision asked for, are left.
void ask_for_plans(BuiltConvolution& built, const ConvolutionProblem& problem, const JoinedWork& join,
                   cudnnHandle_t handle) {
    require(built.graph.validate(), "the graph is not valid");
    require(built.graph.build_operation_graph(handle), "the graph cannot be built");
    // Ways of last resort exist for everything joined, too, but a fast convolution with the rest behind it is better.
    std::vector<fe::HeurMode_t> modes{fe::HeurMode_t::A};
    if (!join.bias && !join.residual && !join.activation) modes.push_back(fe::HeurMode_t::FALLBACK);
    require(built.graph.create_execution_plans(modes), "no plan");
    using Note = fe::NumericalNote_t;
    // Transforms spread infinities and NaN to where the network has none, and round more.
    built.graph.deselect_numeric_notes({Note::NONDETERMINISTIC, Note::FFT, Note::WINOGRAD, Note::WINOGRAD_TILE_4x4,
                                        Note::WINOGRAD_TILE_6x6, Note::WINOGRAD_TILE_13x13});
    // fp32 tensors may go through tf32 tensor cores unless that is ruled out; tf32 is just that permission.
    if (problem.precision == Precision::fp32)
        built.graph.deselect_numeric_notes({Note::TENSOR_CORE, Note::DOWN_CONVERT_INPUTS});
}

std::string name_of(const JoinedWork& joined) {
    return fmt::format("{}{}{}", joined.bias ? "+bias" : "", joined.residual ? "+residual" : "",
                       joined.activation ? "+relu" : "");
}

/// Names of the plans that are left, by index.
std::vector<std::pair<std::int64_t, std::string>> names_of_plans(BuiltConvolution& built) {
    std::vector<std::pair<std::int64_t, std::string>> result;
    for (std::int64_t k = 0; k < built.graph.get_execution_plan_count(); ++k) {
        if (!built.graph.offers(k)) continue;
        std::string name;
        require(built.graph.get_plan_name_at_index(k, name), "a plan's name");
        result.emplace_back(k, name + name_of(built.joined));
    }
    return result;
}

/// What a problem asks for, then without the activation, then the convolution alone.
std::vector<JoinedWork> attempts_of(const ConvolutionProblem& problem) {
    std::vector<JoinedWork> attempts{{problem.bias, problem.residual, problem.relu}};
    if (problem.relu) attempts.push_back({problem.bias, problem.residual, false});
    if (problem.bias || problem.residual) attempts.push_back({});
    return attempts;
}

/// The frontend and its parser throw exceptions of their own.
template <typename Work>
auto translated(const Work& work) {
    try {
        return work();
    } catch (const Error&) {
        throw;
    } catch (const std::exception& error) {
        throw CudaError("cuDNN: {}", error.what());
    }
}

std::vector<LibraryWay> ways_of(const ConvolutionProblem& problem, cudnnHandle_t handle, std::string& why_none) {
    std::vector<LibraryWay> result;
    for (const JoinedWork& join : attempts_of(problem)) {
        try {
            BuiltConvolution built;
            describe(built, problem, join);
            ask_for_plans(built, problem, join, handle);
            for (const auto& [index, name] : names_of_plans(built))
                result.push_back({name, name.substr(0, name.find('_')), join, false});
        } catch (const std::exception& error) {
            why_none += (why_none.empty() ? "" : "; ") + std::string(error.what());
        }
    }
    return result;
}

void read_workspace(BuiltConvolution& built) {
    std::int64_t workspace = 0;
    require(built.graph.get_workspace_size(workspace), "the plan's workspace");
    built.workspace_bytes = static_cast<std::size_t>(workspace);
}

std::vector<std::byte> serialized_plan(const BuiltConvolution& built) {
    std::vector<std::uint8_t> bytes;
    require(built.graph.serialize(bytes, false), "the plan cannot be stored");
    const auto view = std::as_bytes(std::span(bytes));
    return {view.begin(), view.end()};
}

std::shared_ptr<BuiltConvolution> compiled(const ConvolutionProblem& problem, const LibraryWay& way,
                                           cudnnHandle_t handle) {
    auto built = std::make_shared<BuiltConvolution>();
    describe(*built, problem, way.joined);
    ask_for_plans(*built, problem, way.joined, handle);
    for (const auto& [index, name] : names_of_plans(*built)) {
        if (name != way.name) continue;
        require(built->graph.build_plan_at_index(index), "the plan cannot be built");
        read_workspace(*built);
        built->name = name;
        return built;
    }
    throw CudaError("cuDNN does not offer {}", way.name);
}

/// @param handle  nullptr: for the device that was described to the graph
void read_back(BuiltConvolution& built, const LibraryWay& way, std::span<const std::byte> serialized,
               cudnnHandle_t handle) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(serialized.data());
    const std::vector<std::uint8_t> data(bytes, bytes + serialized.size());
    const auto status =
        handle == nullptr ? built.graph.deserialize(data) : built.graph.deserialize(handle, data, true, false);
    require(status, "the stored plan");
    built.joined = way.joined;
    built.name = way.name;
    read_workspace(built);
}

cudnnHandle_t make_handle() {
    cudnnHandle_t handle = nullptr;
    if (const auto status = fe::detail::create_handle(&handle); status != CUDNN_STATUS_SUCCESS)
        throw CudaError("cudnnCreate failed: {}", fe::detail::get_error_string(status));
    return handle;
}

}  // namespace

struct CudnnConvolutions::State {
    cudnnHandle_t handle = nullptr;  ///< of the thread that runs plans; nullptr until there is one
    /// Of threads that make plans: a handle serves one at a time.
    std::vector<cudnnHandle_t> idle;
    std::mutex mutex;

    State() { fe::cudnn_dlhandle = open_cudnn(); }
    ~State() {
        if (handle != nullptr) static_cast<void>(fe::detail::destroy_handle(handle));
        for (cudnnHandle_t other : idle)
            static_cast<void>(fe::detail::destroy_handle(other));
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    /// The handle that plans run with. Made for the first one: it loads the library's parts, and networks whose
    /// convolutions are all kernels of ours need none.
    [[nodiscard]] cudnnHandle_t runner() {
        const std::lock_guard lock(mutex);
        if (handle == nullptr) handle = make_handle();
        return handle;
    }
    void use(cudaStream_t stream) const {
        if (const auto status = fe::detail::set_stream(handle, stream); status != CUDNN_STATUS_SUCCESS)
            throw CudaError("cudnnSetStream failed: {}", fe::detail::get_error_string(status));
    }

    /// A handle for as long as the object lives.
    class Borrowed {
    public:
        explicit Borrowed(State& state) : state_(state) {
            const std::lock_guard lock(state.mutex);
            if (state.idle.empty()) {
                handle_ = make_handle();
            } else {
                handle_ = state.idle.back();
                state.idle.pop_back();
            }
        }
        ~Borrowed() {
            const std::lock_guard lock(state_.mutex);
            state_.idle.push_back(handle_);
        }
        Borrowed(const Borrowed&) = delete;
        Borrowed& operator=(const Borrowed&) = delete;
        [[nodiscard]] cudnnHandle_t get() const { return handle_; }

    private:
        State& state_;
        cudnnHandle_t handle_ = nullptr;
    };
};

namespace {

class CudnnPlan final : public ConvolutionPlan {
public:
    using SetStream = std::function<void(cudaStream_t)>;
    CudnnPlan(std::shared_ptr<BuiltConvolution> built, cudnnHandle_t handle, SetStream set_stream)
        : built_(std::move(built)), handle_(handle), set_stream_(std::move(set_stream)) {}

    [[nodiscard]] JoinedWork joined() const override { return built_->joined; }
    [[nodiscard]] std::size_t workspace_bytes() const override { return built_->workspace_bytes; }
    [[nodiscard]] std::string implementation() const override { return "cudnn " + built_->name; }
    [[nodiscard]] std::vector<std::byte> serialized() const override {
        return translated([&] { return serialized_plan(*built_); });
    }
    void run(const ConvolutionOperands& operands, void* stream) const override {
        set_stream_(static_cast<cudaStream_t>(stream));
        built_->execute(handle_, operands);
    }

private:
    std::shared_ptr<BuiltConvolution> built_;
    cudnnHandle_t handle_;
    SetStream set_stream_;
};

}  // namespace

CudnnConvolutions::CudnnConvolutions() : state_(std::make_unique<State>()) {}

CudnnConvolutions::~CudnnConvolutions() = default;

std::vector<LibraryWay> CudnnConvolutions::ways(const ConvolutionProblem& problem, std::string& why_none) {
    const State::Borrowed handle(*state_);
    return ways_of(problem, handle.get(), why_none);
}

std::unique_ptr<ConvolutionPlan> CudnnConvolutions::build(const ConvolutionProblem& problem, const LibraryWay& way,
                                                          std::span<const std::byte> serialized) {
    const State::Borrowed handle(*state_);
    auto built = translated([&] {
        if (serialized.empty()) return compiled(problem, way, handle.get());
        auto stored = std::make_shared<BuiltConvolution>();
        read_back(*stored, way, serialized, handle.get());
        return stored;
    });
    return std::make_unique<CudnnPlan>(std::move(built), state_->runner(),
                                       [state = state_.get()](cudaStream_t used) { state->use(used); });
}

std::vector<OfferedPlan> plans_for_described_device(const std::string& device_json, const ConvolutionProblem& problem,
                                                    const JoinedWork& join, std::size_t most) {
    fe::cudnn_dlhandle = open_cudnn();
    auto device = std::make_shared<fe::DeviceProperties>();
    require(device->deserialize({device_json.begin(), device_json.end()}), "the description of the device");
    BuiltConvolution built;
    built.graph.set_device_properties(device);
    describe(built, problem, join);
    ask_for_plans(built, problem, join, nullptr);
    std::vector<OfferedPlan> result;
    for (const auto& [index, name] : names_of_plans(built)) {
        if (result.size() == most) break;
        OfferedPlan plan;
        plan.name = name;
        fe::error_t status = built.graph.build_plan_at_index(index);
        if (status.is_bad()) {
            plan.why_not = status.get_message();
        } else {
            require(built.graph.get_workspace_size_plan_at_index(index, plan.workspace_bytes), "a plan's workspace");
            plan.serialized = serialized_plan(built);
        }
        result.push_back(std::move(plan));
    }
    return result;
}

std::int64_t workspace_of_stored_plan(const std::string& device_json, std::span<const std::byte> serialized) {
    fe::cudnn_dlhandle = open_cudnn();
    return translated([&] {
        auto device = std::make_shared<fe::DeviceProperties>();
        require(device->deserialize({device_json.begin(), device_json.end()}), "the description of the device");
        BuiltConvolution built;
        built.graph.set_device_properties(device);
        read_back(built, {}, serialized, nullptr);
        return static_cast<std::int64_t>(built.workspace_bytes);
    });
}

std::string CudnnConvolutions::version() const {
    const std::size_t version = fe::detail::get_backend_version();
    return fmt::format("cuDNN {}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace lossmap::cuda
