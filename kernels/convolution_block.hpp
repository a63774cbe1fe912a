#pragma once

#include <cstdint>

#include "kernels/convolution.hpp"
#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/unary_function.hpp"

/// What the blocks of tiled convolutions share: a patch of the input and weights in shared memory, results back.
namespace lossmap::kernels {

/// Threads of a block, and floats of shared memory.
struct ConvolutionBlock {
    static constexpr int kThreads = 256;
    static constexpr int kWarps = kThreads / 32;
    static constexpr int kPatch = 8192;
    static constexpr int kWeights = 3072;

    struct Shared {
        alignas(16) float patch[kPatch];
        alignas(16) float weights[kWeights];
    };
    /// What a block computes, by its first ones.
    struct Place {
        std::int64_t filter = 0;
        std::int64_t row = 0;
        std::int64_t sample = 0;
    };
    /// Channels that are in shared memory together.
    struct Piece {
        std::int64_t first = 0;
        Divisor count;
    };
};

namespace tiles {

inline std::int64_t parts(std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; }

/// What is looked at at once, so that loads of global memory wait together.
inline constexpr int kLoads = 8;

/// Takes the innermost coordinate off `index`.
LOSSMAP_HD inline int take(const Divisor& divisor, std::uint32_t& index) {
    const std::uint32_t quotient = divisor.divide(index);
    const std::uint32_t rest = index - quotient * divisor.value;
    index = quotient;
    return static_cast<int>(rest);
}

/// Whether blocks compute a convolution at all: channels-last planes, groups of 1, in one or two dimensions.
inline bool is_plain(const ConvolutionArgs& args) {
    const WindowGeometry& w = args.window;
    const bool flat = w.input[0] == 1 && w.output[0] == 1 && w.kernel[0] == 1;
    const bool last = args.in_strides.channel == 1 && args.out_strides.channel == 1;
    const bool compact = args.weight_channel_stride == 1 &&
                         (w.kernel[1] == 1 || args.weight_tap_strides[1] == w.kernel[2] * args.weight_tap_strides[2]);
    return !args.transposed && args.groups == 1 && flat && last && compact && args.overflow.data == nullptr &&
           is_narrow(args.samples * w.output[1]) && is_narrow(ConvolutionBlock::kThreads * args.in_strides.sample) &&
           is_narrow(args.group_filters * args.weight_filter_stride) && args.group_filters > 0 &&
           args.group_channels > 0;
}

}  // namespace tiles

/// How a patch lies in shared memory: [channels, samples, rows, pitch].
struct ConvolutionPatch {
    std::int32_t samples = 1;
    std::int32_t rows = 1;     ///< of the input, padding included
    std::int32_t columns = 1;  ///< the same
    std::int32_t pitch = 1;    ///< floats from one row to the next
    std::int32_t sample_floats = 1;

    [[nodiscard]] LOSSMAP_HD int channel_floats() const { return samples * sample_floats; }
};

/// Brings patches and weights to shared memory. Positions outside the input, samples that are none and filters beyond
/// the last one are zeros.
class ConvolutionStaging {
public:
    using Block = ConvolutionBlock;

    ConvolutionStaging(const ConvolutionArgs& args, const ConvolutionPatch& patch, std::int64_t filters)
        : patch_(patch),
          filters_(static_cast<std::int32_t>(filters)),
          in_sample_(static_cast<std::int32_t>(args.in_strides.sample)),
          in_row_(static_cast<std::int32_t>(args.in_strides.spatial[1])),
          in_column_(static_cast<std::int32_t>(args.in_strides.spatial[2])),
          filter_stride_(static_cast<std::int32_t>(args.weight_filter_stride)),
          tap_stride_(static_cast<std::int32_t>(args.weight_tap_strides[2])),
          rows_(static_cast<std::uint32_t>(patch.rows)),
          taps_(static_cast<std::uint32_t>(args.window.kernel[1] * args.window.kernel[2])) {}

    [[nodiscard]] LOSSMAP_HD int taps() const { return static_cast<int>(taps_.value); }

    LOSSMAP_HD void fill(const ConvolutionArgs& args, std::int64_t point, const Block::Place& place,
                         const Block::Piece& piece, int thread, Block::Shared& shared) const {
        switch (args.in.type) {
            case DType::f16: fill_patch<Half>(args, point, place, piece, thread, shared.patch); break;
            case DType::bf16: fill_patch<BFloat16>(args, point, place, piece, thread, shared.patch); break;
            default: fill_patch<float>(args, point, place, piece, thread, shared.patch);
        }
        switch (args.weight.type) {
            case DType::f16: return fill_weights<Half>(args, point, place, piece, thread, shared.weights);
            case DType::bf16: return fill_weights<BFloat16>(args, point, place, piece, thread, shared.weights);
            default: return fill_weights<float>(args, point, place, piece, thread, shared.weights);
        }
    }

private:
    /// A warp takes whole rows, so that an element's channel and column are worked out once for many of them.
    template <typename T>
    LOSSMAP_HD void fill_patch(const ConvolutionArgs& args, std::int64_t point, const Block::Place& place,
                               const Block::Piece& piece, int thread, float* to) const {
        const WindowGeometry& w = args.window;
        const T* from = static_cast<const T*>(args.in.data) + point * args.in.point_stride +
                        place.sample * args.in_strides.sample + piece.first;
        const auto first_row = static_cast<int>(place.row * w.stride[1] - w.pad_begin[1]);
        const auto first_column = static_cast<int>(-w.pad_begin[2]);
        const auto height = static_cast<int>(w.input[1]);
        const std::int64_t left = args.samples - place.sample;
        const int samples = left < patch_.samples ? static_cast<int>(left) : patch_.samples;
        const int lines = patch_.samples * patch_.rows;
        const int elements = patch_.columns * static_cast<int>(piece.count.value);
        for (int element = thread % 32; element < elements; element += 32) {
            auto rest = static_cast<std::uint32_t>(element);
            const int channel = tiles::take(piece.count, rest);
            const auto column = static_cast<int>(rest);
            const int x = first_column + column;
            const bool is_column = x >= 0 && x < w.input[2];
            const int source = x * in_column_ + channel;
            const int target = channel * patch_.channel_floats() + column;
            for (int first = thread / 32; first < lines; first += Block::kWarps * tiles::kLoads) {
                float values[tiles::kLoads];
                int places[tiles::kLoads];
                LOSSMAP_UNROLL
                for (int k = 0; k < tiles::kLoads; ++k) {
                    auto line = static_cast<std::uint32_t>(first + k * Block::kWarps);
                    const int row = tiles::take(rows_, line);
                    const auto sample = static_cast<int>(line);
                    const int y = first_row + row;
                    const bool inside = is_column && sample < samples && y >= 0 && y < height;
                    values[k] = inside ? to_float(from[source + sample * in_sample_ + y * in_row_]) : 0.0F;
                    places[k] = target + sample * patch_.sample_floats + row * patch_.pitch;
                }
                LOSSMAP_UNROLL
                for (int k = 0; k < tiles::kLoads; ++k) {
                    if (first + k * Block::kWarps < lines) to[places[k]] = values[k];
                }
            }
        }
    }

    /// As [channels, taps, filters].
    template <typename T>
    LOSSMAP_HD void fill_weights(const ConvolutionArgs& args, std::int64_t point, const Block::Place& place,
                                 const Block::Piece& piece, int thread, float* to) const {
        const T* from = static_cast<const T*>(args.weight.data) + point * args.weight.point_stride +
                        place.filter * args.weight_filter_stride + piece.first;
        const std::int64_t left = args.group_filters - place.filter;
        const int filters = left < filters_ ? static_cast<int>(left) : filters_;
        const int elements = taps() * static_cast<int>(piece.count.value) * filters_;
        for (int first = thread; first < elements; first += Block::kThreads * tiles::kLoads) {
            float values[tiles::kLoads];
            int places[tiles::kLoads];
            LOSSMAP_UNROLL
            for (int k = 0; k < tiles::kLoads; ++k) {
                auto rest = static_cast<std::uint32_t>(first + k * Block::kThreads);
                const int channel = tiles::take(piece.count, rest);
                const int tap = tiles::take(taps_, rest);
                const auto filter = static_cast<int>(rest);
                values[k] =
                    filter < filters ? to_float(from[filter * filter_stride_ + tap * tap_stride_ + channel]) : 0.0F;
                places[k] = (channel * taps() + tap) * filters_ + filter;
            }
            LOSSMAP_UNROLL
            for (int k = 0; k < tiles::kLoads; ++k) {
                if (first + k * Block::kThreads < elements) to[places[k]] = values[k];
            }
        }
    }

    ConvolutionPatch patch_;
    std::int32_t filters_;
    std::int32_t in_sample_, in_row_, in_column_;
    std::int32_t filter_stride_, tap_stride_;
    Divisor rows_, taps_;
};

/// What blocks do one after the other: bring a piece of the channels to shared memory and multiply it, for all pieces,
/// then write.
struct ConvolutionSteps {
    ConvolutionArgs args;
    ConvolutionStaging staging;
    std::int32_t filters, rows, samples;  ///< that a block has, at most
    std::int32_t pieces, piece_channels;
    FastExtent filter_tiles, bands;
    Divisor channels, last_channels;  ///< of a piece, and of the last one

    /// @param blocks  of a point
    ConvolutionSteps(const ConvolutionArgs& args_in, const ConvolutionPatch& patch, std::int32_t filters_in,
                     std::int32_t rows_in, std::int32_t channels_in, std::int64_t blocks)
        : args(args_in),
          staging(args_in, patch, filters_in),
          filters(filters_in),
          rows(rows_in),
          samples(patch.samples),
          pieces(static_cast<std::int32_t>(tiles::parts(args_in.group_channels, channels_in))),
          piece_channels(channels_in),
          filter_tiles(tiles::parts(args_in.group_filters, filters_in), is_narrow(blocks)),
          bands(tiles::parts(args_in.window.output[1], rows_in), is_narrow(blocks)),
          channels(static_cast<std::uint32_t>(channels_in)),
          last_channels(static_cast<std::uint32_t>(args_in.group_channels - std::int64_t{pieces - 1} * channels_in)) {}

    LOSSMAP_HD int phases() const { return 2 * pieces + 1; }
    [[nodiscard]] LOSSMAP_HD bool is_last(int phase) const { return phase == phases() - 1; }

    [[nodiscard]] LOSSMAP_HD ConvolutionBlock::Place place_of(std::int64_t block) const {
        ConvolutionBlock::Place place;
        place.filter = filter_tiles.take(block) * filters;
        place.row = bands.take(block) * rows;
        place.sample = block * samples;
        return place;
    }
    [[nodiscard]] LOSSMAP_HD ConvolutionBlock::Piece piece_of(int phase) const {
        return {std::int64_t{phase / 2} * piece_channels, phase >= phases() - 3 ? last_channels : channels};
    }
    /// 0 where there is none.
    [[nodiscard]] LOSSMAP_HD float bias_of(std::int64_t point, std::int64_t filter) const {
        const bool added = args.bias.data != nullptr && filter < args.group_filters;
        return added ? element_at<float>(args.bias.data, point * args.bias.point_stride + filter) : 0.0F;
    }
};

/// Filters that can be stored at once: 8, 2 or 1.
inline int filters_at_once(const ConvolutionArgs& args) {
    if (is_packable(args.out, args.group_filters) && has_channel_packs(args.out_strides)) return kPackWidth;
    const PlaneStrides& strides = args.out_strides;
    const bool even = args.group_filters % 2 == 0 && args.out.point_stride % 2 == 0 && strides.sample % 2 == 0 &&
                      strides.spatial[1] % 2 == 0 && strides.spatial[2] % 2 == 0 &&
                      reinterpret_cast<std::uintptr_t>(args.out.data) % (2 * size_of(args.out.type)) == 0;
    return even ? 2 : 1;
}

/// Whether tiles apply an activation: those that may stand behind a maximum as well as in front of it. Few, as each
/// position of a thread has code of its own.
inline bool is_activation_of_tiles(UnaryOp op) { return op == UnaryOp::identity || op == UnaryOp::relu; }

/// Applies the activation to kPackWidth filters of a position from `filter` on, and stores as many as there are.
/// @param width  filters_at_once
LOSSMAP_HD inline void store_filters(const ConvolutionArgs& args, int width, std::int64_t filter, std::int64_t at,
                                     float (&values)[kPackWidth]) {
    if (args.activation.op == UnaryOp::relu) {
        const UnaryFunction relu{UnaryOp::relu};
        LOSSMAP_UNROLL
        for (float& value : values)
            value = apply_activation(relu, value);
    }
    if (width == kPackWidth) {
        if (filter < args.group_filters) store_pack(args.out.data, args.out.type, at, values);
        return;
    }
    LOSSMAP_UNROLL
    for (int f = 0; f < kPackWidth; f += 2) {
        if (width == 2) {
            const float pair[2] = {values[f], values[f + 1]};
            if (filter + f < args.group_filters) store_pack(args.out.data, args.out.type, at + f, pair);
            continue;
        }
        for (int k = f; k < f + 2; ++k) {
            if (filter + k < args.group_filters) store_float(args.out.data, args.out.type, at + k, values[k]);
        }
    }
}

}  // namespace lossmap::kernels
