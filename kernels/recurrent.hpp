#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
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

/// What one hidden unit of one sample needs in a step.
struct CellPlace {
    bool active = false;
    std::int64_t step = 0;  ///< row of input and output
    std::int64_t unit = 0;  ///< flat index into [batch, hidden]
    std::int64_t sample = 0, k = 0;

    LOSSMAP_HD CellPlace(const CellStep& cell, std::int64_t index)
        : unit(index),
          sample(static_cast<std::uint32_t>(index) / static_cast<std::uint32_t>(cell.hidden)),
          k(index - sample * cell.hidden) {
        const std::int64_t length =
            cell.lengths == nullptr ? cell.steps : load_int(cell.lengths, cell.lengths_type, sample);
        active = cell.step < length;
        step = cell.reverse ? length - 1 - cell.step : cell.step;
    }
};

/// The input's and the state's part of a gate.
LOSSMAP_HD inline float input_part(const CellStep& cell, const CellPlace& place, std::int64_t point, int gate) {
    return load_float(cell.from_input.data, cell.from_input.type,
                      point * cell.from_input.point_stride + place.step * cell.input_step_stride +
                          place.sample * cell.input_batch_stride + gate * cell.hidden + place.k);
}
LOSSMAP_HD inline float state_part(const CellStep& cell, const CellPlace& place, std::int64_t point, int gate,
                                   int gates) {
    return load_float(
        cell.from_state.data, cell.from_state.type,
        point * cell.from_state.point_stride + place.sample * gates * cell.hidden + gate * cell.hidden + place.k);
}
LOSSMAP_HD inline float activate(const CellStep& cell, const UnaryFunction& function, float x) {
    if (cell.clip > 0.0F) x = x < -cell.clip ? -cell.clip : x > cell.clip ? cell.clip : x;
    return apply_activation(function, x);
}
/// Stores the new h, in the state and in the output.
LOSSMAP_HD inline void store_state(const CellStep& cell, const CellPlace& place, std::int64_t point, float h) {
    store_float(cell.state.data, cell.state.type, point * cell.state.point_stride + place.unit, h);
    if (cell.out.data == nullptr) return;
    store_float(cell.out.data, cell.out.type,
                point * cell.out.point_stride + place.step * cell.out_step_stride +
                    place.sample * cell.out_batch_stride + place.k,
                h);
}

struct LstmCell {
    LstmCellArgs args;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const CellStep& cell = args.cell;
        const CellPlace place(cell, index);
        if (!place.active) return;
        const auto gate_sum = [&](int gate) {
            return input_part(cell, place, point, gate) + state_part(cell, place, point, gate, 4);
        };
        const auto peep = [&](int gate, float c) {
            if (args.peephole.data == nullptr) return 0.0F;
            return c * load_float(args.peephole.data, args.peephole.type,
                                  point * args.peephole.point_stride + gate * cell.hidden + place.k);
        };
        const std::int64_t at = point * args.cell_state.point_stride + place.unit;
        const float old = load_float(args.cell_state.data, args.cell_state.type, at);
        const float i = activate(cell, args.gate, gate_sum(0) + peep(0, old));
        const float f = args.input_forget ? 1.0F - i : activate(cell, args.gate, gate_sum(2) + peep(2, old));
        const float c = f * old + i * activate(cell, args.candidate, gate_sum(3));
        const float o = activate(cell, args.gate, gate_sum(1) + peep(1, c));
        store_float(args.cell_state.data, args.cell_state.type, at, c);
        store_state(cell, place, point, o * apply_activation(args.output, c));
    }
};

/// r * h, for the product that the candidate needs.
struct GruReset {
    GruCellArgs args;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const CellStep& cell = args.cell;
        const CellPlace place(cell, index);
        const std::int64_t at = point * args.reset_state.point_stride + place.unit;
        // The product with the weights reads all rows: an idle sample's must hold something.
        if (!place.active) return store_float(args.reset_state.data, args.reset_state.type, at, 0.0F);
        const float r =
            activate(cell, args.gate, input_part(cell, place, point, 1) + state_part(cell, place, point, 1, 3));
        const float h = load_float(cell.state.data, cell.state.type, point * cell.state.point_stride + place.unit);
        store_float(args.reset_state.data, args.reset_state.type, at, r * h);
    }
};

struct GruOutput {
    GruCellArgs args;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const CellStep& cell = args.cell;
        const CellPlace place(cell, index);
        if (!place.active) return;
        const auto gate = [&](int k) {
            return activate(cell, args.gate, input_part(cell, place, point, k) + state_part(cell, place, point, k, 3));
        };
        const float z = gate(0);
        float from_state = state_part(cell, place, point, 2, 3);
        if (args.linear_before_reset) from_state *= gate(1);
        const float candidate = activate(cell, args.candidate, input_part(cell, place, point, 2) + from_state);
        const float h = load_float(cell.state.data, cell.state.type, point * cell.state.point_stride + place.unit);
        store_state(cell, place, point, (1.0F - z) * candidate + z * h);
    }
};

struct RnnCell {
    RnnCellArgs args;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const CellStep& cell = args.cell;
        const CellPlace place(cell, index);
        if (!place.active) return;
        store_state(
            cell, place, point,
            activate(cell, args.activation, input_part(cell, place, point, 0) + state_part(cell, place, point, 0, 1)));
    }
};

template <typename Body, typename Args, typename Launch>
void launch_cell(const Args& args, const Launch& launch) {
    const std::int64_t units = args.cell.batch * args.cell.hidden;
    if (!is_narrow(units)) refuse("cell", "too many units", units);
    launch.items(args.cell.points, units, Body{args});
}
template <typename Launch>
void launch_lstm_cell(const LstmCellArgs& args, const Launch& launch) {
    launch_cell<LstmCell>(args, launch);
}
template <typename Launch>
void launch_gru_reset(const GruCellArgs& args, const Launch& launch) {
    launch_cell<GruReset>(args, launch);
}
template <typename Launch>
void launch_gru_output(const GruCellArgs& args, const Launch& launch) {
    launch_cell<GruOutput>(args, launch);
}
template <typename Launch>
void launch_rnn_cell(const RnnCellArgs& args, const Launch& launch) {
    launch_cell<RnnCell>(args, launch);
}

}  // namespace lossmap::kernels
