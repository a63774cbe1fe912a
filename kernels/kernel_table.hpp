#pragma once

#include "kernels/batch_statistics.hpp"
#include "kernels/binary.hpp"
#include "kernels/cast.hpp"
#include "kernels/channel_layout.hpp"
#include "kernels/channel_scale.hpp"
#include "kernels/convolution.hpp"
#include "kernels/convolution_tiles.hpp"
#include "kernels/copy.hpp"
#include "kernels/decode.hpp"
#include "kernels/dense_chain.hpp"
#include "kernels/epilogue.hpp"
#include "kernels/fold_factors.hpp"
#include "kernels/gather.hpp"
#include "kernels/gaussian_fill.hpp"
#include "kernels/gemm.hpp"
#include "kernels/generate.hpp"
#include "kernels/gram.hpp"
#include "kernels/loss_sums.hpp"
#include "kernels/loss_terms.hpp"
#include "kernels/normalize.hpp"
#include "kernels/normalize_direction.hpp"
#include "kernels/operand.hpp"
#include "kernels/ordering.hpp"
#include "kernels/perturb.hpp"
#include "kernels/perturb_bias.hpp"
#include "kernels/pool.hpp"
#include "kernels/recurrent.hpp"
#include "kernels/reduce.hpp"
#include "kernels/resample.hpp"
#include "kernels/scatter.hpp"
#include "kernels/select.hpp"
#include "kernels/softmax.hpp"
#include "kernels/split_stage.hpp"
#include "kernels/stage.hpp"
#include "kernels/unary.hpp"
#include "kernels/warpgroup_split_stage.hpp"
#include "kernels/warpgroup_stage.hpp"

/// The one list of operations: ENTRY(name, arguments).
#define LOSSMAP_KERNELS(ENTRY)                         \
    ENTRY(fold_factors, FoldFactorsArgs)               \
    ENTRY(perturb, PerturbArgs)                        \
    ENTRY(perturb_bias, PerturbBiasArgs)               \
    ENTRY(gaussian_fill, GaussianFillArgs)             \
    ENTRY(normalize_direction, NormalizeDirectionArgs) \
    ENTRY(gram_parts, GramPartsArgs)                   \
    ENTRY(gram_sums, GramSumsArgs)                     \
    ENTRY(decode, DecodeArgs)                          \
    ENTRY(channel_layout, ChannelLayoutArgs)           \
    ENTRY(loss_terms, LossTermsArgs)                   \
    ENTRY(loss_sums, LossSumsArgs)                     \
    ENTRY(unary, UnaryArgs)                            \
    ENTRY(cast, CastArgs)                              \
    ENTRY(binary, BinaryArgs)                          \
    ENTRY(select, SelectArgs)                          \
    ENTRY(epilogue, EpilogueArgs)                      \
    ENTRY(batch_statistics, BatchStatisticsArgs)       \
    ENTRY(batch_norm, BatchNormArgs)                   \
    ENTRY(normalize, NormalizeArgs)                    \
    ENTRY(local_response, LocalResponseArgs)           \
    ENTRY(lp_normalize, LpNormalizeArgs)               \
    ENTRY(softmax, SoftmaxArgs)                        \
    ENTRY(reduce, ReduceArgs)                          \
    ENTRY(arg_reduce, ArgReduceArgs)                   \
    ENTRY(pool, PoolArgs)                              \
    ENTRY(convolution, ConvolutionArgs)                \
    ENTRY(convolution_tiles, ConvolutionArgs)          \
    ENTRY(stage, StageArgs)                            \
    ENTRY(split_stage, StageArgs)                      \
    ENTRY(tf32_stage, StageArgs)                       \
    ENTRY(warpgroup_stage, StageArgs)                  \
    ENTRY(warpgroup_split_stage, StageArgs)            \
    ENTRY(gemm, GemmArgs)                              \
    ENTRY(dense_chain, DenseChainArgs)                 \
    ENTRY(copy, CopyArgs)                              \
    ENTRY(gather, GatherArgs)                          \
    ENTRY(gather_elements, GatherElementsArgs)         \
    ENTRY(gather_nd, GatherNdArgs)                     \
    ENTRY(scatter_elements, ScatterElementsArgs)       \
    ENTRY(scatter_nd, ScatterNdArgs)                   \
    ENTRY(resample, ResampleArgs)                      \
    ENTRY(cumulative, CumulativeArgs)                  \
    ENTRY(top_k, TopKArgs)                             \
    ENTRY(range, RangeArgs)                            \
    ENTRY(one_hot, OneHotArgs)                         \
    ENTRY(trilu, TriluArgs)                            \
    ENTRY(lstm_cell, LstmCellArgs)                     \
    ENTRY(gru_reset, GruCellArgs)                      \
    ENTRY(gru_output, GruCellArgs)                     \
    ENTRY(rnn_cell, RnnCellArgs)

namespace lossmap::kernels {

/// The operations of one device. Each call queues work and returns; arguments are copied, what they point to has to
/// live until the queue has passed the work. Throws InternalError for arguments that the operation does not take,
/// CudaError when a launch fails.
struct KernelTable {
#define LOSSMAP_ENTRY(name, Args) void (*name)(const Args& args, Queue queue) = nullptr;  // NOLINT: a type
    LOSSMAP_KERNELS(LOSSMAP_ENTRY)
#undef LOSSMAP_ENTRY
};

/// Runs the same bodies on host memory, thread by thread, one after the other: index, layout and arithmetic code of the
/// kernels without a device. Returns when done. Not fast.
[[nodiscard]] const KernelTable& host_kernels();

/// The same with points, blocks, elements and threads in reverse order. A result that differs from host_kernels() shows
/// a race: a body that depends on the order of threads that nothing orders.
[[nodiscard]] const KernelTable& reversed_host_kernels();

/// The kernels of the CUDA device that is current when they are called.
[[nodiscard]] const KernelTable& cuda_kernels();

}  // namespace lossmap::kernels
