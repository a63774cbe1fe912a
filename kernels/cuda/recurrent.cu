#include "kernels/recurrent.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(lstm_cell, LstmCellArgs)
LOSSMAP_CUDA_KERNEL(gru_reset, GruCellArgs)
LOSSMAP_CUDA_KERNEL(gru_output, GruCellArgs)
LOSSMAP_CUDA_KERNEL(rnn_cell, RnnCellArgs)
