#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime_api.h>

// Launchers of the probe's kernels: each runs one resource of the chip flat out and does next to nothing else. A result
// is written at the end only when a condition on run-time data holds that never does, so that nothing can be optimised
// away and nothing but the resource is measured.

namespace lossmap::bench {

/// Multiply-adds that one launch performs, for the caller's rate.
struct ProbeWork {
    double multiply_adds = 0.0;
    double bytes = 0.0;
};

/// Instruction shapes of warp-group products: m64 n{N} k16, fp16 in, fp32 accumulation; A from shared memory or
/// registers.
enum class WgmmaSource { shared, registers };

/// fp32 FFMA, 16 independent chains a thread, distinct multipliers (equal chains would be merged).
ProbeWork launch_ffma(int blocks, int iterations, float* sink, cudaStream_t stream);
/// mma.sync.m16n8k16 fp16 -> fp32 from registers only, 8 independent accumulators a warp.
ProbeWork launch_mma_fp16(int blocks, int iterations, float* sink, cudaStream_t stream);
/// One sum of a tensor core, `start` + `terms` (at most 16) times left x right, to `result`: what it cuts off. left and
/// right: f16 bits.
void launch_mma_sum(float start, int terms, std::uint16_t left, std::uint16_t right, float* result,
                    cudaStream_t stream);
/// mma.sync.m16n8k8 tf32 -> fp32.
ProbeWork launch_mma_tf32(int blocks, int iterations, float* sink, cudaStream_t stream);
/// wgmma of N in {16, 48, 96, 192}, `warpgroups` of 128 threads a block. Needs sm_90a: on other devices the kernel
/// traps nothing and returns work 0.
ProbeWork launch_wgmma(int n, WgmmaSource source, int warpgroups, int blocks, int iterations, float* sink,
                       cudaStream_t stream);
/// Every thread reads 16-byte words of `words` elements, `repeats` times over the whole array, in an order in which
/// each block meets every line; an array that fits L2 measures L2, a larger one HBM.
ProbeWork launch_read(const uint4* source, std::size_t words, int repeats, int blocks, uint4* sink,
                      cudaStream_t stream);
/// Copies `words` 16-byte words.
ProbeWork launch_copy(const uint4* source, uint4* target, std::size_t words, int blocks, cudaStream_t stream);
/// Shared-memory reads of 16 bytes a thread, conflict-free.
ProbeWork launch_shared_read(int blocks, int iterations, uint4* sink, cudaStream_t stream);
/// Does nothing: launch overhead.
void launch_empty(cudaStream_t stream);
/// Fills fp16 values in (-1, 1) from a counter hash: matrix rates depend on the data through power.
void launch_fill_fp16(std::uint16_t* target, std::size_t count, cudaStream_t stream);

}  // namespace lossmap::bench
