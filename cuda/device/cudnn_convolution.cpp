// The only source that sees cudnn_frontend: it takes most of a minute to compile. The frontend finds cuDNN through the
// handle below (NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING), the CUDA runtime and NVRTC by name.
#include "cuda/device/cudnn_convolution.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <cudnn_frontend.h>

#include "core/error.hpp"
#include "cuda/device/shared_library.hpp"
#include "cuda/runtime/buffer.hpp"
#include "cuda/runtime/error.hpp"

namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;  // declared by the frontend, defined by its user
}

namespace lossmap::cuda {
namespace {

namespace fe = cudnn_frontend;
using TensorPointer = std::shared_ptr<fe::graph::Tensor_attributes>;
using Dims = std::vector<std::int64_t>;

/// Libraries that cuDNN and its frontend open by name.
void open_library() {
    // Of several runtimes the frontend takes the oldest unless it is told.
    setenv("CUDNN_FRONTEND_CUDART_LIB_NAME", "libcudart.so.13", 0);
    for (const char* name : {"libcudart.so.13", "libnvrtc.so.13", "libcublasLt.so.13", "libcublas.so.13"})
        static_cast<void>(SharedLibrary::preload(name));
    static const SharedLibrary kLibrary("libcudnn.so.9");
    fe::cudnn_dlhandle = kLibrary.handle();
}

fe::DataType_t data_type(DType type) {
    switch (type) {
        case DType::f16: return fe::DataType_t::HALF;
        case DType::bf16: return fe::DataType_t::BFLOAT16;
        case DType::f32: return fe::DataType_t::FLOAT;
        default: throw InternalError("a convolution of {}", name_of(type));
    }
}

/// Dimensions that the library sees: two, or three where the outermost one is used.
std::vector<std::size_t> spatial_axes(const ConvolutionProblem& p) {
    const bool flat = p.input[0] == 1 && p.kernel[0] == 1 && p.output[0] == 1;
    return flat ? std::vector<std::size_t>{1, 2} : std::vector<std::size_t>{0, 1, 2};
}

Dims selected(const std::array<std::int64_t, 3>& values, const std::vector<std::size_t>& axes) {
    Dims result;
    for (const std::size_t axis : axes)
        result.push_back(values[axis]);
    return result;
}

/// [N, C, spatial ..] with the channels innermost.
Dims with_channels(std::int64_t outer, std::int64_t channels, const Dims& spatial) {
    Dims result{outer, channels};
    result.insert(result.end(), spatial.begin(), spatial.end());
    return result;
}

Dims channels_last(const Dims& dims) {
    Dims strides(dims.size(), 1);
    std::int64_t step = dims[1];
    for (std::size_t axis = dims.size(); axis-- > 2;) {
        strides[axis] = step;
        step *= dims[axis];
    }
    strides[0] = step;
    return strides;
}

std::int64_t count_of(const Dims& dims) {
    std::int64_t count = 1;
    for (const std::int64_t extent : dims)
        count *= extent;
    return count;
}

/// A built graph of one problem and its tensors.
struct BuiltConvolution {
    fe::graph::Graph graph;
    TensorPointer images, weights, bias, residual, result;
    std::array<std::size_t, 3> bytes{};  ///< of images, weights, result
    std::size_t workspace_bytes = 0;
    JoinedWork joined;
    std::string name;

    void execute(cudnnHandle_t handle, const ConvolutionOperands& operands) {
        std::unordered_map<TensorPointer, void*> pack;
        // The library's interface takes inputs as void*; it does not write to them.
        pack[images] = const_cast<void*>(operands.images);
        pack[weights] = const_cast<void*>(operands.weights);
        pack[result] = operands.result;
        if (bias) pack[bias] = const_cast<float*>(operands.bias);
        if (residual) pack[residual] = const_cast<void*>(operands.residual);
        auto status = graph.execute(handle, pack, operands.workspace);
        if (status.is_bad()) throw CudaError("cuDNN's convolution failed: {}", status.get_message());
    }
};

TensorPointer make_tensor(fe::graph::Graph& graph, const char* name, const Dims& dims, fe::DataType_t type,
                          std::int64_t alignment) {
    return graph.tensor(fe::graph::Tensor_attributes()
                            .set_name(name)
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
    built.images = make_tensor(built.graph, "images", image_dims, type, p.alignment);
    built.weights = make_tensor(built.graph, "weights", weight_dims, type, p.alignment);
    TensorPointer y = built.graph.conv_fprop(built.images, built.weights,
                                             fe::graph::Conv_fprop_attributes()
                                                 .set_pre_padding(selected(p.pad_begin, axes))
                                                 .set_post_padding(selected(p.pad_end, axes))
                                                 .set_stride(selected(p.stride, axes))
                                                 .set_dilation(selected(p.dilation, axes)));
    const auto add = fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::ADD);
    if (join.bias) {
        built.bias = make_tensor(built.graph, "bias", bias_dims, fe::DataType_t::FLOAT, p.alignment);
        y = built.graph.pointwise(y, built.bias, add);
    }
    if (join.residual) {
        built.residual = make_tensor(built.graph, "residual", result_dims, type, p.alignment);
        y = built.graph.pointwise(y, built.residual, add);
    }
    if (join.activation)
        y = built.graph.pointwise(y, fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::RELU_FWD));
    y->set_output(true)
        .set_dim(result_dims)
        .set_stride(channels_last(result_dims))
        .set_data_type(type)
        .set_alignment(p.alignment);
    built.result = y;
    built.joined = join;
    const std::size_t width = size_of(p.type);
    built.bytes = {static_cast<std::size_t>(count_of(image_dims)) * width,
                   static_cast<std::size_t>(count_of(weight_dims)) * width,
                   static_cast<std::size_t>(count_of(result_dims)) * width};
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
    built.graph.deselect_numeric_notes({fe::NumericalNote_t::NONDETERMINISTIC});
    // fp32 tensors may go through tf32 tensor cores unless that is ruled out; tf32 is just that permission.
    if (problem.precision == Precision::fp32) {
        built.graph.deselect_numeric_notes(
            {fe::NumericalNote_t::TENSOR_CORE, fe::NumericalNote_t::DOWN_CONVERT_INPUTS});
    }
}

/// Builds the first plan that can be built. Throws CudaError with what the library said.
void build(BuiltConvolution& built, const ConvolutionProblem& problem, const JoinedWork& join, cudnnHandle_t handle) {
    describe(built, problem, join);
    ask_for_plans(built, problem, join, handle);
    require(built.graph.build_plans(fe::BuildPlanPolicy_t::HEURISTICS_CHOICE), "no plan can be built");
    std::int64_t workspace = 0;
    require(built.graph.get_workspace_size(workspace), "the plan's workspace");
    built.workspace_bytes = static_cast<std::size_t>(workspace);
    require(built.graph.get_plan_name(built.name), "the plan's name");
}

float element(const std::byte* bytes, DType type) {
    std::uint16_t half = 0;
    float single = 0.0F;
    if (size_of(type) == 2) {
        std::memcpy(&half, bytes, sizeof(half));
        return type == DType::f16 ? half_to_float(half) : bfloat16_to_float(half);
    }
    std::memcpy(&single, bytes, sizeof(single));
    return single;
}

/// Runs the plan once on NaN everywhere: whether its result is NaN, too. An activation that turns NaN into a number
/// would hide that a network has none.
bool passes_nan(BuiltConvolution& built, const ConvolutionProblem& problem, cudnnHandle_t handle,
                const Stream& stream) {
    const DeviceBuffer images(built.bytes[0], stream);
    const DeviceBuffer weights(built.bytes[1], stream);
    const DeviceBuffer result(built.bytes[2], stream);
    const DeviceBuffer residual(built.residual ? built.bytes[2] : 0, stream);
    const DeviceBuffer bias(static_cast<std::size_t>(problem.out_channels) * sizeof(float), stream);
    const DeviceBuffer workspace(std::max<std::size_t>(built.workspace_bytes, 16), stream);
    for (const DeviceBuffer* buffer : {&images, &weights, &residual, &bias}) {
        if (buffer->size_bytes() > 0) fill_bytes(buffer->data(), 0xFF, buffer->size_bytes(), stream);
    }
    fill_bytes(result.data(), 0, result.size_bytes(), stream);
    built.execute(handle,
                  {images.data(), weights.data(), bias.as<float>(), residual.data(), result.data(), workspace.data()});
    std::array<std::byte, 4> first{};
    copy_to_host(first.data(), result.data(), size_of(problem.type), stream);
    stream.synchronize();
    return std::isnan(element(first.data(), problem.type));
}

}  // namespace

struct CudnnConvolutions::State {
    cudnnHandle_t handle = nullptr;
    struct Known {
        ConvolutionProblem problem;
        std::shared_ptr<BuiltConvolution> built;  ///< nullptr: there is no plan
        std::string why_not;
    };
    std::vector<Known> known;
    bool relu_hides_nan = false;  ///< seen once, plans with one are not built again: each takes a good part of a second

    State() {
        open_library();
        if (const auto status = fe::detail::create_handle(&handle); status != CUDNN_STATUS_SUCCESS)
            throw CudaError("cudnnCreate failed: {}", fe::detail::get_error_string(status));
    }
    ~State() { static_cast<void>(fe::detail::destroy_handle(handle)); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void use(const Stream& stream) const { use(stream.get()); }
    void use(cudaStream_t stream) const {
        if (const auto status = fe::detail::set_stream(handle, stream); status != CUDNN_STATUS_SUCCESS)
            throw CudaError("cudnnSetStream failed: {}", fe::detail::get_error_string(status));
    }

    [[nodiscard]] Known find(const ConvolutionProblem& problem, const Stream& stream) {
        Known result{problem, nullptr, ""};
        const JoinedWork all{problem.bias, problem.residual, problem.relu};
        std::vector<JoinedWork> attempts{all};
        if (problem.relu) attempts.push_back({problem.bias, problem.residual, false});
        if (problem.bias || problem.residual) attempts.push_back({});
        for (const JoinedWork& join : attempts) {
            std::string failure;
            try {
                if (auto built = attempt(problem, join, stream)) {
                    result.built = std::move(built);
                    return result;
                }
                failure = "its activation turns NaN into a number";
            } catch (const DeviceMemoryError&) {
                throw;
            } catch (const std::exception& error) {
                // The frontend throws exceptions of its own, too.
                failure = error.what();
            }
            result.why_not += (result.why_not.empty() ? "" : "; ") + failure;
        }
        return result;
    }

    /// nullptr when the plan hides NaN; throws when there is none.
    [[nodiscard]] std::shared_ptr<BuiltConvolution> attempt(const ConvolutionProblem& problem, const JoinedWork& join,
                                                            const Stream& stream) {
        if (join.activation && relu_hides_nan) return nullptr;
        auto built = std::make_shared<BuiltConvolution>();
        build(*built, problem, join, handle);
        use(stream);
        if (passes_nan(*built, problem, handle, stream)) return built;
        if (!join.activation) throw CudaError("plan {} turns NaN into a number", built->name);
        relu_hides_nan = true;
        return nullptr;
    }
};

namespace {

class CudnnPlan final : public ConvolutionPlan {
public:
    using SetStream = std::function<void(cudaStream_t)>;
    CudnnPlan(std::shared_ptr<BuiltConvolution> built, cudnnHandle_t handle, SetStream set_stream)
        : built_(std::move(built)), handle_(handle), set_stream_(std::move(set_stream)) {}

    [[nodiscard]] JoinedWork joined() const override { return built_->joined; }
    [[nodiscard]] std::size_t workspace_bytes() const override { return built_->workspace_bytes; }
    [[nodiscard]] std::string implementation() const override {
        const JoinedWork& joined = built_->joined;
        return fmt::format("cudnn {}{}{}{}", built_->name, joined.bias ? "+bias" : "",
                           joined.residual ? "+residual" : "", joined.activation ? "+relu" : "");
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

std::unique_ptr<ConvolutionPlan> CudnnConvolutions::plan(const ConvolutionProblem& problem, const Stream& stream,
                                                         std::string& why_not) {
    auto found = std::find_if(state_->known.begin(), state_->known.end(),
                              [&](const State::Known& known) { return known.problem == problem; });
    if (found == state_->known.end()) {
        state_->known.push_back(state_->find(problem, stream));
        found = state_->known.end() - 1;
    }
    why_not = found->why_not;
    if (found->built == nullptr) return nullptr;
    return std::make_unique<CudnnPlan>(found->built, state_->handle,
                                       [state = state_.get()](cudaStream_t used) { state->use(used); });
}

std::vector<OfferedPlan> plans_for_described_device(const std::string& device_json, const ConvolutionProblem& problem,
                                                    const JoinedWork& join) {
    open_library();
    auto device = std::make_shared<fe::DeviceProperties>();
    require(device->deserialize({device_json.begin(), device_json.end()}), "the description of the device");
    BuiltConvolution built;
    built.graph.set_device_properties(device);
    describe(built, problem, join);
    ask_for_plans(built, problem, join, nullptr);
    std::vector<OfferedPlan> result;
    for (std::int64_t k = 0; k < built.graph.get_execution_plan_count(); ++k) {
        OfferedPlan plan;
        require(built.graph.get_plan_name_at_index(k, plan.name), "a plan's name");
        fe::error_t status = built.graph.build_plan_at_index(k);
        if (status.is_bad()) {
            plan.why_not = status.get_message();
        } else {
            require(built.graph.get_workspace_size_plan_at_index(k, plan.workspace_bytes), "a plan's workspace");
        }
        result.push_back(std::move(plan));
    }
    return result;
}

std::string CudnnConvolutions::version() const {
    const std::size_t version = fe::detail::get_backend_version();
    return fmt::format("cuDNN {}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace lossmap::cuda
