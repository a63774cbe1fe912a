// The only source of the probe that sees cudnn_frontend: it takes most of a minute to compile.
#include "bench/gpu/convolution_probe.hpp"

#include <algorithm>
#include <memory>
#include <unordered_map>

#include <cudnn_frontend.h>

#include "bench/gpu/probe_timer.hpp"
#include "cuda/runtime/buffer.hpp"
#include "cuda/runtime/error.hpp"

namespace lossmap::bench {
namespace {

namespace fe = cudnn_frontend;
using TensorPointer = std::shared_ptr<fe::graph::Tensor_attributes>;

struct DestroyHandle {
    void operator()(cudnnHandle_t handle) const noexcept { static_cast<void>(cudnnDestroy(handle)); }
};
using Handle = std::unique_ptr<std::remove_pointer_t<cudnnHandle_t>, DestroyHandle>;

Handle make_handle(const cuda::Stream& stream) {
    cudnnHandle_t handle = nullptr;
    if (const cudnnStatus_t status = cudnnCreate(&handle); status != CUDNN_STATUS_SUCCESS) {
        throw Error("cudnnCreate failed: {}", cudnnGetErrorString(status));
    }
    Handle owner(handle);
    if (const cudnnStatus_t status = cudnnSetStream(handle, stream.get()); status != CUDNN_STATUS_SUCCESS) {
        throw Error("cudnnSetStream failed: {}", cudnnGetErrorString(status));
    }
    return owner;
}

void require(fe::error_t status, const char* step) {
    if (status.is_bad()) throw Error("{}: {}", step, status.get_message());
}

fe::DataType_t data_type(const std::string& precision) {
    if (precision == "fp16") return fe::DataType_t::HALF;
    if (precision == "bf16") return fe::DataType_t::BFLOAT16;
    return fe::DataType_t::FLOAT;
}

std::vector<std::int64_t> nhwc_strides(std::int64_t c, std::int64_t h, std::int64_t w) {
    return {h * w * c, 1, w * c, c};
}

TensorPointer make_tensor(fe::graph::Graph& graph, const char* name, const std::vector<std::int64_t>& dims) {
    return graph.tensor(fe::graph::Tensor_attributes().set_name(name).set_dim(dims).set_stride(
        nhwc_strides(dims[1], dims[2], dims[3])));
}

/// That are timed of a problem, the heuristics' favourites first: compiling one takes up to seconds.
constexpr int kMostPlans = 6;

/// The graph of one shape with its buffers.
class Problem {
public:
    Problem(const ConvolutionShape& shape, const std::string& precision, const std::string& epilogue,
            const cuda::Stream& stream)
        : stream_(stream),
          precision_(precision),
          element_bytes_(data_type(precision) == fe::DataType_t::FLOAT ? 4 : 2) {
        graph_.set_io_data_type(data_type(precision))
            .set_intermediate_data_type(fe::DataType_t::FLOAT)
            .set_compute_data_type(fe::DataType_t::FLOAT);
        build(shape, epilogue);
    }

    ConvolutionResult run(cudnnHandle_t handle) {
        require(graph_.validate(), "validate");
        require(graph_.build_operation_graph(handle), "build_operation_graph");
        require(graph_.create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}), "heuristics");
        graph_.deselect_numeric_notes({fe::NumericalNote_t::NONDETERMINISTIC});
        // fp32 tensors may go through tf32 tensor cores unless that is ruled out; tf32 is just that permission.
        if (precision_ == "fp32") {
            graph_.deselect_numeric_notes({fe::NumericalNote_t::TENSOR_CORE, fe::NumericalNote_t::DOWN_CONVERT_INPUTS});
        }
        return time_plans(handle);
    }

private:
    void build(const ConvolutionShape& s, const std::string& epilogue) {
        const std::int64_t out_h = s.height / s.stride;
        const std::int64_t out_w = s.width / s.stride;
        const TensorPointer x = add_input("x", {s.images, s.channels_in, s.height, s.width});
        const TensorPointer w = add_input("w", {s.channels_out, s.channels_in, s.kernel, s.kernel});
        const std::int64_t pad = s.kernel / 2;
        TensorPointer y = graph_.conv_fprop(x, w,
                                            fe::graph::Conv_fprop_attributes()
                                                .set_padding({pad, pad})
                                                .set_stride({s.stride, s.stride})
                                                .set_dilation({1, 1}));
        const auto add = fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::ADD);
        if (epilogue != "none") y = graph_.pointwise(y, add_input("bias", {1, s.channels_out, 1, 1}), add);
        if (epilogue == "bias_add_relu") {
            y = graph_.pointwise(y, add_input("residual", {s.images, s.channels_out, out_h, out_w}), add);
        }
        if (epilogue != "none") {
            y = graph_.pointwise(y, fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::RELU_FWD));
        }
        y->set_output(true)
            .set_dim({s.images, s.channels_out, out_h, out_w})
            .set_stride(nhwc_strides(s.channels_out, out_h, out_w));
        add_buffer(y, s.images * s.channels_out * out_h * out_w);
    }

    TensorPointer add_input(const char* name, const std::vector<std::int64_t>& dims) {
        TensorPointer tensor = make_tensor(graph_, name, dims);
        add_buffer(tensor, dims[0] * dims[1] * dims[2] * dims[3]);
        return tensor;
    }

    void add_buffer(const TensorPointer& tensor, std::int64_t count) {
        buffers_.emplace_back(static_cast<std::size_t>(count) * element_bytes_, stream_);
        cuda::fill_bytes(buffers_.back().data(), 0x2c, buffers_.back().size_bytes(),
                         stream_);  // small, finite, varied enough
        pack_[tensor] = buffers_.back().data();
    }

    ConvolutionResult time_plans(cudnnHandle_t handle) {
        ConvolutionResult result;
        for (std::int64_t index = 0; index < graph_.get_execution_plan_count() && result.plans < kMostPlans; ++index) {
            if (graph_.build_plan_at_index(index).is_bad()) continue;
            const std::int64_t bytes = graph_.get_workspace_size_plan_at_index(index);
            const cuda::DeviceBuffer workspace(static_cast<std::size_t>(std::max<std::int64_t>(bytes, 16)), stream_);
            if (graph_.execute_plan_at_index(handle, pack_, workspace.data(), index).is_bad()) continue;
            const double ms = median_ms(stream_, 7, [&] {
                require(graph_.execute_plan_at_index(handle, pack_, workspace.data(), index), "execute");
            });
            if (result.plans++ == 0 || ms < result.best_ms) {
                result.best_ms = ms;
                result.workspace_bytes = bytes;
                std::string name;
                if (graph_.get_plan_name_at_index(index, name).is_good()) result.plan = name;
            }
        }
        if (result.plans == 0) result.failure = "no plan runs";
        return result;
    }

    const cuda::Stream& stream_;
    std::string precision_;
    std::size_t element_bytes_;
    fe::graph::Graph graph_;
    std::vector<cuda::DeviceBuffer> buffers_;
    std::unordered_map<TensorPointer, void*> pack_;
};

}  // namespace

ConvolutionResult probe_convolution(const ConvolutionShape& shape, const std::string& precision,
                                    const std::string& epilogue, const cuda::Stream& stream) {
    ConvolutionResult result;
    try {
        const Handle handle = make_handle(stream);
        Problem problem(shape, precision, epilogue, stream);
        result = problem.run(handle.get());
    } catch (const std::exception& error) {  // the frontend has exceptions of its own
        result.failure = error.what();
    }
    result.precision = precision;
    result.epilogue = epilogue;
    return result;
}

std::string cudnn_version() {
    const std::size_t version = cudnnGetVersion();
    return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace lossmap::bench
