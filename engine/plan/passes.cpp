#include "plan/passes.hpp"

namespace lossmap {

std::span<const PassInfo> pass_table() {
    static constexpr PassInfo kPasses[] = {
        {"constant_folding", &PassSet::constant_folding,
         "floating-point results of constants alone are computed once, not at every point"},
        {"dead_code", &PassSet::dead_code, "nodes that the loss does not read are left out"},
        {"bias_add", &PassSet::bias_add, "the Add of a bias behind MatMul or Gemm joins the product"},
        {"batch_norm", &PassSet::batch_norm,
         "a batch norm behind a convolution or dense layer is folded into its weights, after they have been perturbed"},
        {"residual", &PassSet::residual, "the Add of a skip connection joins the layer in front of it"},
        {"activation", &PassSet::activation, "Relu and Clip join the layer in front of them"},
        {"transforms", &PassSet::transforms,
         "3x3 convolutions are computed through Winograd transforms where that pays"},
        {"stages", &PassSet::stages,
         "a residual stage's 3x3 convolutions run as one kernel that keeps activations on the chip (CUDA, fp16 and "
         "tf32)"},
        {"split_stages", &PassSet::split_stages,
         "the same in fp32, on tensor cores: each operand is two fp16 halves, each product three (CUDA)"},
        {"warpgroup_stages", &PassSet::warpgroup_stages,
         "the same on Hopper's wgmma (CUDA, fp16, compute capability 9.0)"},
        {"warpgroup_split_stages", &PassSet::warpgroup_split_stages,
         "those in fp32 on Hopper's wgmma, where split_stages is on (CUDA, compute capability 9.0)"},
        {"pooling", &PassSet::pooling,
         "a MaxPool of 2 x 2 behind a convolution of all points in one launch joins it (CUDA)"},
        {"dense_chains", &PassSet::dense_chains,
         "narrow dense layers behind each other, with their activations, run as one kernel of all points (CUDA)"},
    };
    return kPasses;
}

}  // namespace lossmap
