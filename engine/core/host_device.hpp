#pragma once

// Functions that CUDA kernels share with the host carry this mark; it is empty in plain C++.
#if defined(__CUDACC__)
#define LOSSMAP_HD __host__ __device__
#else
#define LOSSMAP_HD
#endif
