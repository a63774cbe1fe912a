#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/dense_chain_args.hpp"
#include "kernels/dense_chain_shape.hpp"
#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::kernels {

/// A block takes kRows rows of a point through all layers. What is between two of them lies in shared memory, [outputs,
/// rows], and weights come there a piece at a time. A layer's phases: for each piece of its inputs bring and multiply,
/// then store the sums; the layer behind it applies the activation in place while its first weights come.
template <int kRows>
struct DenseChain {
    using Block = DenseBlock;
    static constexpr int kThreads = Block::kThreads;
    static constexpr int kMinBlocks = Block::kResidentBlocks;
    static constexpr int kGroups = kRows / Block::kRows;  ///< of rows
    static constexpr int kPitch = kRows + 4;              ///< an odd number of loads: rows meet different banks
    static constexpr int kMostWidth = Block::most_width(kRows);
    struct Shared {
        alignas(16) float rows[kMostWidth * kPitch];
        alignas(16) float weights[Block::kWeights];
    };
    struct Thread {
        float sums[Block::kRows][Block::kOutputs] = {};
    };

    DenseChainArgs args;
    DenseLayer layers[kMaxDenseLayers];
    std::int32_t end = 0;  ///< of the layers' phases
    bool packed = false;   ///< whether 4 inputs of a row are read at once
    FastExtent sample_rows;
    Divisor out_width;

    explicit DenseChain(const DenseChainArgs& args_in)
        : args(args_in),
          packed(reads_packs(args_in)),
          sample_rows(args_in.overflow.elements_per_sample, is_narrow(args_in.rows)),
          out_width(static_cast<std::uint32_t>(args_in.widths[args_in.layers])) {
        for (int k = 0; k < args.layers; ++k)
            layers[k] = dense::layer_of(args, k, kRows, k == 0 ? nullptr : &layers[k - 1]);
        const DenseLayer& last = layers[args.layers - 1];
        end = last.first_phase + 2 * last.pieces + 1;
    }

    [[nodiscard]] std::int64_t block_count() const { return dense::parts(args.rows, kRows); }
    LOSSMAP_HD int phases() const { return end + 2; }

    LOSSMAP_HD void phase(int phase, std::int64_t point, std::int64_t block, int thread, Shared& shared,
                          Thread& state) const {
        // The last two phases leave nothing: registers of sums are free for them.
        if (phase >= end) state = Thread{};
        if (phase > end) return write(point, block, thread, shared);
        const int index = phase == end ? args.layers : layer_of(phase);
        const int step = phase == end ? 0 : phase - layers[index].first_phase;
        if (step == 0 && index > 0) activate(index - 1, point, block, thread, shared);
        if (phase == end) return;
        const DenseLayer& layer = layers[index];
        const Tile tile = tile_of(layer, point, block, thread);
        if (step == 2 * layer.pieces) return store(tile, shared, state);
        const int first = step / 2 * layer.piece;
        const int left = layer.inputs - first;
        const int count = left < layer.piece ? left : layer.piece;
        if (step % 2 == 1) return multiply(layer, tile, index == 0 ? 0 : first, count, shared, state);
        if (step == 0) begin(layer, tile, point, state);
        bring_weights(layer, point, first, count, thread, shared.weights);
        if (index == 0) bring_rows(point, block, first, count, thread, shared.rows);
    }

private:
    static constexpr int kQuad = 4;   ///< floats that are moved at once
    static constexpr int kLoads = 4;  ///< of them, by a thread, that wait together

    /// Of a thread: rows 4 group .. and 4 group + kRows / 2 .., 4 each, and 8 outputs. Threads without one have outputs
    /// beyond the stored ones.
    struct Tile {
        int group = 0;
        int output = 0;
        bool real = false;
    };

    static bool reads_packs(const DenseChainArgs& args) {
        return args.widths[0] % kQuad == 0 && args.in.point_stride % kQuad == 0 &&
               reinterpret_cast<std::uintptr_t>(args.in.data) % (kQuad * size_of(args.in.type)) == 0;
    }

    [[nodiscard]] LOSSMAP_HD int layer_of(int phase) const {
        int index = 0;
        while (index + 1 < args.layers && phase >= layers[index + 1].first_phase)
            ++index;
        return index;
    }

    /// Layers keep different numbers of warps busy, and a scheduler has the same warps of every block: a layer begins
    /// behind the warps of the one in front of it, and neighbouring blocks, and those that one multiprocessor gets,
    /// with different ones.
    [[nodiscard]] LOSSMAP_HD Tile tile_of(const DenseLayer& layer, std::int64_t point, std::int64_t block,
                                          int thread) const {
        const auto number = static_cast<std::uint32_t>(point + block);
        const auto turned = static_cast<int>((number + (number >> 7)) % Block::kWarps) + layer.first_warp;
        const int place = (thread + 32 * (2 * Block::kWarps - turned)) % kThreads;
        Tile tile;
        tile.group = place % kGroups;
        tile.output = place / kGroups * Block::kOutputs;
        tile.real = tile.output < layer.stored;
        return tile;
    }

    LOSSMAP_HD void begin(const DenseLayer& layer, const Tile& tile, std::int64_t point, Thread& state) const {
        float bias[Block::kOutputs] = {};
        if (tile.real)
            load_packs<float>(args.bias.data, point * args.bias.point_stride + layer.bias + tile.output, bias);
        LOSSMAP_UNROLL
        for (int row = 0; row < Block::kRows; ++row) {
            LOSSMAP_UNROLL
            for (int k = 0; k < Block::kOutputs; ++k)
                state.sums[row][k] = bias[k];
        }
    }

    LOSSMAP_HD void bring_weights(const DenseLayer& layer, std::int64_t point, int first, int count, int thread,
                                  float* to) const {
        const std::int64_t from = point * args.weights.point_stride + layer.weights + first * layer.stored;
        const int quads = count * layer.stored / kQuad;
        switch (args.weights.type) {
            case DType::f16: return bring<Half>(from, quads, thread, to);
            case DType::bf16: return bring<BFloat16>(from, quads, thread, to);
            default: return bring<float>(from, quads, thread, to);
        }
    }
    /// Several loads of global memory wait together.
    template <typename T>
    LOSSMAP_HD void bring(std::int64_t from, int quads, int thread, float* to) const {
        for (int first = thread; first < quads; first += kThreads * kLoads) {
            float values[kLoads][kQuad] = {};
            LOSSMAP_UNROLL
            for (int k = 0; k < kLoads; ++k) {
                const int quad = first + k * kThreads;
                if (quad < quads) load_packs<T>(args.weights.data, from + quad * kQuad, values[k]);
            }
            LOSSMAP_UNROLL
            for (int k = 0; k < kLoads; ++k) {
                const int quad = first + k * kThreads;
                if (quad < quads) store_packs<float>(to, quad * kQuad, values[k]);
            }
        }
    }

    LOSSMAP_HD void bring_rows(std::int64_t point, std::int64_t block, int first, int count, int thread,
                               float* to) const {
        const std::int64_t from = point * args.in.point_stride + block * kRows * args.widths[0] + first;
        const std::int64_t left = args.rows - block * kRows;
        const int rows = left < kRows ? static_cast<int>(left) : kRows;
        switch (args.in.type) {
            case DType::f16: return transpose<Half>(from, rows, count, thread, to);
            case DType::bf16: return transpose<BFloat16>(from, rows, count, thread, to);
            default: return transpose<float>(from, rows, count, thread, to);
        }
    }
    /// [rows, inputs] to [inputs, rows]; zeros in rows that are none. A warp has 8 inputs of 16 rows: whole sectors of
    /// memory, and stores that meet different banks. Loads of several turns wait together.
    template <typename T>
    LOSSMAP_HD void transpose(std::int64_t begin, int rows, int count, int thread, float* to) const {
        constexpr int kSixteens = kRows / 16;
        const T* from = static_cast<const T*>(args.in.data) + begin;
        const int quads = (count + kQuad - 1) / kQuad;
        const int units = (quads + 1) / 2 * kSixteens;
        const auto row_of = [&](int unit) { return unit % kSixteens * 16 + thread % 16; };
        const auto quad_of = [&](int unit) { return unit / kSixteens * 2 + thread / 16 % 2; };
        for (int unit = thread / 32; unit < units; unit += Block::kWarps * kLoads) {
            float values[kLoads][kQuad];
            LOSSMAP_UNROLL
            for (int k = 0; k < kLoads; ++k) {
                const int row = row_of(unit + k * Block::kWarps);
                const int input = quad_of(unit + k * Block::kWarps) * kQuad;
                load_quad(from + row * args.widths[0] + input, row < rows ? count - input : 0, values[k]);
            }
            LOSSMAP_UNROLL
            for (int k = 0; k < kLoads; ++k) {
                const int quad = quad_of(unit + k * Block::kWarps);
                if (quad >= quads) continue;
                float* target = to + quad * kQuad * kPitch + row_of(unit + k * Block::kWarps);
                LOSSMAP_UNROLL
                for (int j = 0; j < kQuad; ++j)
                    target[j * kPitch] = values[k][j];
            }
        }
    }
    /// The first `left` of 4 elements, zeros behind them.
    template <typename T>
    LOSSMAP_HD void load_quad(const T* from, int left, float (&values)[kQuad]) const {
        if (packed && left > 0) return load_packs<T>(from, 0, values);
        LOSSMAP_UNROLL
        for (int j = 0; j < kQuad; ++j)
            values[j] = j < left ? to_float(from[j]) : 0.0F;
    }

    /// What a group of rows has at an output (or input), and back.
    LOSSMAP_HD static void load_rows(const Shared& shared, int at, int group, float (&values)[Block::kRows]) {
        LOSSMAP_UNROLL
        for (int half = 0; half < 2; ++half) {
            float part[kQuad];
            load_packs<float>(shared.rows, at * kPitch + half * (kRows / 2) + group * kQuad, part);
            LOSSMAP_UNROLL
            for (int j = 0; j < kQuad; ++j)
                values[half * kQuad + j] = part[j];
        }
    }
    LOSSMAP_HD static void store_rows(Shared& shared, int at, int group, const float (&values)[Block::kRows]) {
        LOSSMAP_UNROLL
        for (int half = 0; half < 2; ++half) {
            const float part[kQuad] = {values[half * kQuad], values[half * kQuad + 1], values[half * kQuad + 2],
                                       values[half * kQuad + 3]};
            store_packs<float>(shared.rows, at * kPitch + half * (kRows / 2) + group * kQuad, part);
        }
    }

    /// @param from  where the piece's first input lies
    LOSSMAP_HD void multiply(const DenseLayer& layer, const Tile& tile, int from, int count, const Shared& shared,
                             Thread& state) const {
        if (!tile.real) return;
        constexpr int kTogether = 2;
        int weight = tile.output;
        int input = from;
        for (const int most = from + count - kTogether; input <= most; input += kTogether) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kTogether; ++k, weight += layer.stored)
                add(shared, input + k, weight, tile, state);
        }
        for (; input < from + count; ++input, weight += layer.stored)
            add(shared, input, weight, tile, state);
    }
    LOSSMAP_HD void add(const Shared& shared, int input, int weight, const Tile& tile, Thread& state) const {
        float values[Block::kRows], weights[Block::kOutputs];
        load_rows(shared, input, tile.group, values);
        load_packs<float>(shared.weights, weight, weights);
        LOSSMAP_UNROLL
        for (int row = 0; row < Block::kRows; ++row) {
            LOSSMAP_UNROLL
            for (int k = 0; k < Block::kOutputs; ++k)
                state.sums[row][k] = std::fma(weights[k], values[row], state.sums[row][k]);
        }
    }

    LOSSMAP_HD void store(const Tile& tile, Shared& shared, const Thread& state) const {
        if (!tile.real) return;
        LOSSMAP_UNROLL
        for (int k = 0; k < Block::kOutputs; ++k) {
            float values[Block::kRows];
            LOSSMAP_UNROLL
            for (int row = 0; row < Block::kRows; ++row)
                values[row] = state.sums[row][k];
            store_rows(shared, tile.output + k, tile.group, values);
        }
    }

    LOSSMAP_HD void activate(int index, std::int64_t point, std::int64_t block, int thread, Shared& shared) const {
        const UnaryFunction& function = args.activations[index];
        const DType type = index == args.layers - 1 ? args.out.type : args.between;
        const bool watches = args.overflow.data != nullptr && type == DType::f16;
        if (function.op == UnaryOp::identity && !watches) return;
        const int outputs = layers[index].outputs;
        if (!layers[index].packed) {
            for (int at = thread; at < outputs * kRows; at += kThreads) {
                float& value = shared.rows[at / kRows * kPitch + at % kRows];
                const std::int64_t row = block * kRows + at % kRows;
                if (watches) flag(point, row, value);
                value = apply_activation(function, value);
                if (watches) flag(point, row, value);
            }
            return;
        }
        for (int unit = thread; unit < outputs * kGroups; unit += kThreads) {
            const int group = unit % kGroups;
            float values[Block::kRows];
            load_rows(shared, unit / kGroups, group, values);
            if (watches) flag_rows(point, block, group, values);
            apply_to_pack(function, values);
            if (watches) flag_rows(point, block, group, values);
            store_rows(shared, unit / kGroups, group, values);
        }
    }
    LOSSMAP_HD void flag_rows(std::int64_t point, std::int64_t block, int group,
                              const float (&values)[Block::kRows]) const {
        LOSSMAP_UNROLL
        for (int k = 0; k < Block::kRows; ++k)
            flag(point, block * kRows + k / kQuad * (kRows / 2) + group * kQuad + k % kQuad, values[k]);
    }
    /// flag_overflow of a value that is f16, or would be.
    LOSSMAP_HD void flag(std::int64_t point, std::int64_t row, float value) const {
        // Written so that NaN is flagged.
        if ((value >= -65504.0F && value <= 65504.0F) || row >= args.rows) return;
        std::int64_t sample = args.overflow.samples;
        if (args.overflow.elements_per_sample > 0) {
            sample = row;
            (void)sample_rows.take(sample);
        }
        set_bits(args.overflow.data + point * (args.overflow.samples + 1) + sample, 1);
    }

    LOSSMAP_HD void write(std::int64_t point, std::int64_t block, int thread, const Shared& shared) const {
        const auto width = static_cast<int>(out_width.value);
        const std::int64_t left = args.rows - block * kRows;
        const int count = (left < kRows ? static_cast<int>(left) : kRows) * width;
        const std::int64_t to = point * args.out.point_stride + block * kRows * width;
        for (int element = thread; element < count; element += kThreads) {
            const auto row = static_cast<int>(out_width.divide(static_cast<std::uint32_t>(element)));
            store_float(args.out.data, args.out.type, to + element,
                        shared.rows[(element - row * width) * kPitch + row]);
        }
    }
};

template <typename Launch>
void launch_dense_chain(const DenseChainArgs& args, const Launch& launch) {
    if (args.layers < 1 || args.layers > kMaxDenseLayers) refuse("dense_chain", "layers", args.layers);
    for (const DType type : {args.in.type, args.weights.type, args.out.type}) {
        if (!is_float_storage(type)) refuse("dense_chain", "element type", static_cast<int>(type));
    }
    if (args.bias.type != DType::f32) refuse("dense_chain", "bias type", static_cast<int>(args.bias.type));
    std::int64_t weights = 0, bias = 0;
    for (int k = 0; k < args.layers; ++k) {
        if (!is_activation_of_chains(args.activations[k].op))
            refuse("dense_chain", "activation", static_cast<int>(args.activations[k].op));
        if (args.widths[k] < 1 || args.widths[k + 1] < 1) refuse("dense_chain", "width of layer", k);
        bias += stored_width(args.widths[k + 1]);
        weights += std::int64_t{args.widths[k]} * stored_width(args.widths[k + 1]);
    }
    if (!is_packable(args.weights, weights) || !is_packable(args.bias, bias))
        refuse("dense_chain", "weights that are not aligned, of", weights);
    if (!is_narrow(weights) || !is_narrow(std::int64_t{args.widths[0]} * DenseBlock::kMostRows))
        refuse("dense_chain", "inputs", args.widths[0]);
    const auto run = [&](const auto& body) { launch.blocks(args.points, body.block_count(), body); };
    switch (dense_rows_of(args)) {
        case 128: return run(DenseChain<128>(args));
        case 64: return run(DenseChain<64>(args));
        case 32: return run(DenseChain<32>(args));
        default: refuse("dense_chain", "width of a result", dense::widest(args));
    }
}

}  // namespace lossmap::kernels
