#include "cuda/backend/dense_chain.hpp"

#include <algorithm>

#include "cuda/backend/lower/joined_layer.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "cuda/backend/lower/unary_functions.hpp"

namespace lossmap::cuda {
namespace {

/// Of an H100, under load.
constexpr double kCyclesASecond = 1.75e9;
/// Rows of a pass over which launches are spread: those of hundreds of points of a hundred samples.
constexpr double kManyRows = 65536.0;
/// The kernel has to be faster by as much as the model may err.
constexpr double kLikely = 0.9;

/// Multiply-adds a second of the library's products, and how wide they are where half of that is reached; measured:
/// 64 x 48 and 48 x 32 at 521 points of 128 samples, and large ones (docs/gpu.md). Tensor cores gain as much as they do
/// for a ResNet's layers.
constexpr double kProductMacs = 2.4e13;
constexpr double kHalfWidth = 60.0;
constexpr double kTensorGain = 4.0;
/// Columns of a library's smallest tile.
constexpr std::int32_t kTileColumns = 32;

/// Seconds a row of the layers one by one.
double library_seconds(const kernels::DenseChainArgs& shape, DType type, Precision precision) {
    const double rate = kProductMacs * (precision == Precision::fp32 ? 1.0 : kTensorGain);
    const auto width = static_cast<double>(size_of(type));
    double seconds = 0.0;
    for (int k = 0; k < shape.layers; ++k) {
        const auto inner = static_cast<double>(shape.widths[k]);
        const auto columns = static_cast<double>(shape.widths[k + 1]);
        const double narrow = std::min(inner, columns);
        const double macs = inner * static_cast<double>(std::max(shape.widths[k + 1], kTileColumns));
        seconds +=
            std::max(macs * (narrow + kHalfWidth) / (rate * narrow), (inner + columns) * width / kCacheBytesASecond) +
            kLaunchSeconds / kManyRows;
        // What overflows f16 is looked for whatever the activation is.
        const kernels::UnaryOp op = shape.activations[k].op;
        const bool joined = op == kernels::UnaryOp::identity || op == kernels::UnaryOp::relu;
        if (!joined || type == DType::f16)
            seconds += 2.0 * columns * width / kCacheBytesASecond + kLaunchSeconds / kManyRows;
    }
    return seconds;
}

}  // namespace

std::vector<std::size_t> DenseChain::members() const {
    std::vector<std::size_t> result;
    for (const Layer& layer : layers) {
        result.push_back(layer.step);
        if (layer.activation) result.push_back(*layer.activation);
    }
    return result;
}

DenseChains::DenseChains(const ProgramBuilder& builder, const Lowering& lowering)
    : builder_(builder), lowering_(lowering), readers_(builder.graph(), lowering) {}

std::optional<std::size_t> DenseChains::only_reader(ValueId value) const {
    const auto readers = readers_.of(value);
    if (readers_.is_output(value) || readers.size() != 1) return {};
    // What reads it otherwise than as the first operand computes something else with it.
    if (builder_.node(readers.front()).inputs[0] != value) return {};
    return readers_.step_of(readers.front());
}

std::optional<DenseChain::Layer> DenseChains::layer_of(std::size_t index) const {
    const Step& step = lowering_.steps[index];
    const Node& node = builder_.node(step.node);
    if (!is_dense_layer(builder_, step) || step.residual_add >= 0) return {};
    if (node.op_type == "Gemm" && node.attributes.get_int("transA", 0) != 0) return {};
    DenseChain::Layer layer;
    layer.step = index;
    layer.output = builder_.node(step.last_node()).outputs[0];
    if (!builder_.per_point(layer.output)) return {};
    if (builder_.shape(layer.output).back() > kernels::kMaxDenseWidth) return {};
    if (step.activation >= 0) {
        const auto function = unary_function(builder_.graph(), builder_.node(step.activation));
        if (!function || !kernels::is_activation_of_chains(function->op)) return {};
        layer.function = *function;
    }
    return layer;
}

void DenseChains::join_activation(DenseChain::Layer& layer) const {
    if (layer.function.op != kernels::UnaryOp::identity) return;
    const auto reader = only_reader(layer.output);
    if (!reader) return;
    const Node& node = builder_.node(lowering_.steps[*reader].node);
    const auto function = unary_function(builder_.graph(), node);
    if (!function || !kernels::is_activation_of_chains(function->op)) return;
    layer.function = *function;
    layer.activation = reader;
    layer.output = node.outputs[0];
}

std::optional<DenseChain> DenseChains::from(std::size_t step) const {
    DenseChain chain;
    std::optional<std::size_t> next = step;
    while (next && std::ssize(chain.layers) < kernels::kMaxDenseLayers) {
        auto layer = layer_of(*next);
        if (!layer) break;
        join_activation(*layer);
        chain.layers.push_back(*layer);
        next = only_reader(layer->output);
    }
    if (chain.layers.size() < 2) return {};
    const BuildOptions& options = builder_.options();
    const kernels::DenseChainArgs shape = dense_shape_of(builder_, lowering_, chain);
    if (!dense_chain_pays(shape, builder_.activation_type(), options.precision, builder_.device().facts())) return {};
    return chain;
}

kernels::DenseChainArgs dense_shape_of(const ProgramBuilder& builder, const Lowering& lowering,
                                       const DenseChain& chain) {
    kernels::DenseChainArgs shape;
    shape.layers = static_cast<int>(chain.layers.size());
    const Node& first = builder.node(lowering.steps[chain.layers.front().step].node);
    shape.widths[0] = static_cast<std::int32_t>(builder.shape(first.inputs[0]).back());
    for (std::size_t k = 0; k < chain.layers.size(); ++k) {
        shape.widths[k + 1] = static_cast<std::int32_t>(builder.shape(chain.layers[k].output).back());
        shape.activations[k] = chain.layers[k].function;
    }
    return shape;
}

BlockTimes dense_times(const kernels::DenseChainArgs& shape, std::int64_t sample_rows, const DeviceFacts& facts) {
    const kernels::DenseChainBlocks blocks = kernels::dense_blocks_of(shape);
    BlockTimes times;
    times.resident_blocks = kernels::DenseBlock::kResidentBlocks * facts.multiprocessors;
    times.round = kernels::DenseBlock::kResidentBlocks * blocks.cycles / kCyclesASecond;
    times.alone = std::min(blocks.alone_cycles / kCyclesASecond, times.round);
    times.group_rows = blocks.rows;
    times.sample_rows = sample_rows;
    return times;
}

bool dense_chain_pays(const kernels::DenseChainArgs& shape, DType type, Precision precision, const DeviceFacts& facts) {
    const BlockTimes times = dense_times(shape, 1, facts);
    const double own = times.full() + kLaunchSeconds / kManyRows;
    return own < kLikely * library_seconds(shape, type, precision);
}

}  // namespace lossmap::cuda
