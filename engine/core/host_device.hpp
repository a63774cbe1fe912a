#pragma once

// Marks for functions that CUDA kernels share with the host; empty in plain C++.
#if defined(__CUDACC__)
#define LOSSMAP_HD __host__ __device__
/// In front of a loop of constant length whose body indexes arrays: without it they live in local memory.
#define LOSSMAP_UNROLL _Pragma("unroll")
#else
#define LOSSMAP_HD
#define LOSSMAP_UNROLL
#endif
