#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::kernels {

/// What the cells of a recurrent layer share: one direction, one step. The products with the weights are made outside:
/// `from_input` = X W^T + input bias for all steps at once, `from_state` = h R^T + state bias for this one.
///
/// A sample of length L reads step t = step (or L - 1 - step when reversed) and writes row t of the output; from step L
/// on its state stays and nothing is written (the caller clears the output).
struct CellStep {
    std::int64_t points = 1;
    std::int64_t step = 0;
    std::int64_t steps = 1;
    std::int64_t batch = 1;
    std::int64_t hidden = 1;
    bool reverse = false;
    const void* lengths = nullptr;  ///< [batch] i32 or i64; null: all `steps`
    DType lengths_type = DType::i64;
    Input from_input;  ///< [steps, batch, gates * hidden] with the strides below
    std::int64_t input_step_stride = 0;
    std::int64_t input_batch_stride = 0;
    Input from_state;  ///< [batch, gates * hidden]
    Output state;      ///< h [batch, hidden], read and written
    Output out;        ///< Y: row (t, sample) of `hidden` elements; null data: not wanted
    std::int64_t out_step_stride = 0;
    std::int64_t out_batch_stride = 0;
    float clip = 0.0F;  ///< bound of what enters an activation; 0: none
};

/// Gates in ONNX's order i, o, f, c.
struct LstmCellArgs {
    CellStep cell;
    Output cell_state;  ///< c [batch, hidden], read and written
    Input peephole;     ///< [3 * hidden] in the order i, o, f; null data: none
    bool input_forget = false;
    UnaryFunction gate, candidate, output;  ///< activations f, g, h
};

/// Gates in ONNX's order z, r, h. With linear_before_reset one launch of `gru_output` makes the step; without,
/// gru_reset gives r * h first, whose product with R_h the caller puts into from_state's third gate.
struct GruCellArgs {
    CellStep cell;
    bool linear_before_reset = false;
    Output reset_state;  ///< gru_reset: r * h [batch, hidden]
    UnaryFunction gate, candidate;
};

struct RnnCellArgs {
    CellStep cell;
    UnaryFunction activation;
};

}  // namespace lossmap::kernels
