#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "core/error.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "cuda/backend/lower/lowerings.hpp"

namespace lossmap::cuda {
namespace {

constexpr std::array kViews{"Reshape",  "Flatten",   "Squeeze", "Unsqueeze", "Identity", "Dropout",        "Cast",
                            "CastLike", "Transpose", "Expand",  "Split",     "Gather",   "ConstantOfShape"};
constexpr std::array kMoves{"Concat",   "Slice",        "Pad",          "Tile",   "Resize",
                            "Upsample", "DepthToSpace", "SpaceToDepth", "Gather", "GatherND"};
constexpr std::array kResamples{"Resize", "Upsample"};
constexpr std::array kUnary{
    "Abs",      "Acos", "Acosh",       "Asin",      "Asinh", "Atan",  "Atanh",     "BitwiseNot", "Cast",
    "CastLike", "Ceil", "Celu",        "Clip",      "Cos",   "Cosh",  "Elu",       "Erf",        "Exp",
    "Floor",    "Gelu", "HardSigmoid", "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Log",        "Mish",
    "Neg",      "Not",  "Reciprocal",  "Relu",      "Round", "Selu",  "Shrink",    "Sigmoid",    "Sign",
    "Sin",      "Sinh", "Softplus",    "Softsign",  "Sqrt",  "Swish", "Tan",       "Tanh",       "ThresholdedRelu"};
constexpr std::array kBinary{"Add",        "And",         "BitShift", "BitwiseAnd", "BitwiseOr",
                             "BitwiseXor", "Div",         "Equal",    "Greater",    "GreaterOrEqual",
                             "Less",       "LessOrEqual", "Max",      "Mean",       "Min",
                             "Mod",        "Mul",         "Or",       "PRelu",      "Pow",
                             "Sub",        "Sum",         "Where",    "Xor"};
constexpr std::array kReductions{"ReduceSum",    "ReduceMean",      "ReduceProd",        "ReduceMax",
                                 "ReduceMin",    "ReduceL1",        "ReduceL2",          "ReduceSumSquare",
                                 "ReduceLogSum", "ReduceLogSumExp", "GlobalAveragePool", "GlobalMaxPool",
                                 "ArgMax",       "ArgMin",          "Softmax",           "LogSoftmax",
                                 "Hardmax",      "CumSum",          "CumProd",           "LpNormalization"};
constexpr std::array kPools{"MaxPool", "AveragePool", "LpPool", "GlobalLpPool"};
constexpr std::array kProducts{"MatMul", "Gemm"};
constexpr std::array kEinsum{"Einsum"};
constexpr std::array kIndexing{"Gather",  "GatherElements", "GatherND", "ScatterElements",
                               "Scatter", "ScatterND",      "Trilu",    "TopK"};
constexpr std::array kNormalizations{"LayerNormalization", "RMSNormalization",   "InstanceNormalization",
                                     "GroupNormalization", "BatchNormalization", "LRN"};
constexpr std::array kConvolutions{"Conv", "ConvTranspose"};
constexpr std::array kRecurrent{"LSTM", "GRU", "RNN"};
constexpr std::array kAttention{"Attention"};

struct Way {
    bool (*lower)(ProgramBuilder&, const Node&);
    std::span<const char* const> operators;
};

/// What the GPU computes: the one list. Ways of the same operator are tried in this order.
constexpr std::array<Way, 14> kWays{{{lower_view, kViews},
                                     {lower_move, kMoves},
                                     {lower_resample, kResamples},
                                     {lower_unary, kUnary},
                                     {lower_binary, kBinary},
                                     {lower_reduction, kReductions},
                                     {lower_pool, kPools},
                                     {lower_product, kProducts},
                                     {lower_einsum, kEinsum},
                                     {lower_indexing, kIndexing},
                                     {lower_normalization, kNormalizations},
                                     {lower_direct_convolution, kConvolutions},
                                     {lower_recurrent, kRecurrent},
                                     {lower_attention, kAttention}}};

bool takes(const Way& way, std::string_view name) {
    return std::ranges::find(way.operators, name) != way.operators.end();
}

}  // namespace

std::set<std::string_view> cuda_operators() {
    std::set<std::string_view> names;
    for (const Way& way : kWays)
        names.insert(way.operators.begin(), way.operators.end());
    return names;
}

void lower_node(ProgramBuilder& builder, const Node& node) {
    for (const ValueId id : node.outputs) {
        if (id != kNoValue && builder.value(id).dtype == DType::f64)
            throw UnsupportedError("arithmetic in f64 is not supported on the GPU");
    }
    for (const Way& way : kWays) {
        if (node.domain.empty() && takes(way, node.op_type) && way.lower(builder, node)) return;
    }
    throw UnsupportedError("not supported on the GPU");
}

}  // namespace lossmap::cuda
