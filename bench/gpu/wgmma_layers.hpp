#pragma once

#include <cstdint>

#include "bench/gpu/wgmma_shape.hpp"
#include "kernels/half_pair.hpp"
#include "kernels/operand.hpp"
#include "kernels/storage.hpp"

namespace lossmap::bench {

/// `layers` 3x3 convolutions with bias and ReLU, one after the other, on f16 [samples, side, side, channels].
struct WgmmaArgs {
    const kernels::Half* in = nullptr;       ///< 16-byte aligned, as all of them
    const kernels::Half* weights = nullptr;  ///< [layers, 3 horizontal, channels / 8, 3 vertical, filters, 8]
    const float* bias = nullptr;             ///< [layers, filters]
    kernels::Half* out = nullptr;
    std::int64_t samples = 0;
    int layers = 0;
};

/// The inner loop of a stage on `wgmma`: a warpgroup takes an input row (64 pixels of all images) times the weights of
/// all three vertical taps at once, so that the row is read once for 3 x channels columns, and adds the three parts to
/// the output rows below, at and above it in registers. A prototype to be measured: no residuals, no overflow flags,
/// one set of weights. `Warpgroup` is HostWarpgroup or DeviceWarpgroup.
template <typename Shape>
struct WgmmaLayers {
    WgmmaArgs args;

    /// `phase(work)` runs work(warpgroup) in all warpgroups and passes a barrier.
    template <typename Block>
    LOSSMAP_HD void run(Block& block, std::int64_t tile) const {
        const std::int64_t first = tile * Shape::kImages;
        block.phase([&](auto& group) { load(group, first); });
        for (int layer = 0; layer < args.layers; ++layer) {
            block.phase([&](auto& group) {
                if (Shape::kWeightBuffers == 2) copy_weights(group, layer + 1);
                convolve(group, layer);
                ready(group);
            });
            if (Shape::kWeightBuffers == 2) continue;
            block.phase([&](auto& group) {
                copy_weights(group, layer + 1);
                ready(group);
            });
        }
        block.phase([&](auto& group) { write(group, first); });
    }

private:
    static constexpr int kPart = Shape::kChannels / 2;  ///< registers of one vertical tap's sums

    template <typename Group>
    using Sums = typename Group::template Registers<float, 3 * kPart>;
    template <typename Group>
    using Carry = typename Group::template Registers<float, kPart>;

    template <typename Group, typename Visit>
    LOSSMAP_HD static void share_out(const Group& group, int count, const Visit& visit) {
        group.each_thread([&](int thread) {
            for (int k = group.index * 128 + thread; k < count; k += Shape::kThreads)
                visit(k);
        });
    }

    /// Behind it, and the barrier, products see what was stored.
    template <typename Group>
    LOSSMAP_HD static void ready(Group& group) {
        group.wait_for_copies();
        group.publish();
    }

    template <typename Group>
    LOSSMAP_HD void load(Group& group, std::int64_t first) const {
        share_out(group, 2 * Shape::kPlanes * Shape::kBorderPixels, [&](int k) {
            group.clear_pack(k / Shape::kBorderPixels * Shape::kPlaneBytes +
                             Shape::border_offset(k % Shape::kBorderPixels));
        });
        each_pack(group, first, [&](std::int64_t element, int offset, bool exists) {
            group.copy_in(offset, args.in + (exists ? element : 0), exists);
        });
        copy_weights(group, 0);
        ready(group);
    }

    template <typename Group, typename Visit>
    LOSSMAP_HD void each_pack(const Group& group, std::int64_t first, const Visit& visit) const {
        share_out(group, Shape::kImages * Shape::kPixels * Shape::kPlanes, [&](int k) {
            const int plane = k % Shape::kPlanes, pixel = k / Shape::kPlanes % Shape::kPixels;
            const int image = k / (Shape::kPlanes * Shape::kPixels);
            visit(first * Shape::kPixels * Shape::kChannels + k * 8,
                  Shape::pixel_offset(image, pixel / Shape::kSide, pixel % Shape::kSide) + plane * Shape::kPlaneBytes,
                  first + image < args.samples);
        });
    }

    template <typename Group>
    LOSSMAP_HD void copy_weights(Group& group, int layer) const {
        if (layer >= args.layers) return;
        const int to = Shape::kWeightOffset + layer % Shape::kWeightBuffers * Shape::kWeightBytes;
        const kernels::Half* source = args.weights + static_cast<std::int64_t>(layer) * Shape::kWeights;
        share_out(group, Shape::kWeightBytes / 16, [&](int k) { group.copy_in(to + k * 16, source + k * 8, true); });
    }

    /// One layer of a warpgroup's band of rows.
    template <typename Group>
    LOSSMAP_HD void convolve(Group& group, int layer) const {
        const int begin = group.index * Shape::kBandRows, end = begin + Shape::kBandRows;
        Carry<Group> bias, next, upper;  // of the layer; partial sums of output rows y and y - 1
        group.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart; ++k)
                bias.at(thread, k) = args.bias[layer * Shape::kChannels + wgmma_sum_place(thread, k).column];
        });
        if (begin > 0) {
            // Of the row above the band only what it adds to the row below it.
            Carry<Group> sums;
            multiply<0>(group, sums, layer, begin - 1);
            add<0>(group, next, bias, sums);
        } else {
            next = bias;
        }
        // Unrolled, the products would wait for each other (ptxas C7511).
#if defined(__CUDA_ARCH__)
#pragma unroll 1
#endif
        for (int y = begin; y < end; ++y) {
            Sums<Group> sums;
            multiply<0>(group, sums, layer, y);
            if (y > begin) {
                add<2>(group, upper, upper, sums);
                store(group, layer, y - 1, upper);
            }
            add<1>(group, upper, next, sums);
            add<0>(group, next, bias, sums);
        }
        if (end < Shape::kSide) {
            Carry<Group> sums;
            multiply<2>(group, sums, layer, end);
            add<0>(group, upper, upper, sums);
        }
        store(group, layer, end - 1, upper);
    }

    /// sums = input row y x weights, as many columns as there are sums, from vertical tap kTap on.
    template <int kTap, typename Group, typename RowSums>
    LOSSMAP_HD void multiply(Group& group, RowSums& sums, int layer, int y) const {
        group.begin();
        LOSSMAP_UNROLL
        for (int tap = 0; tap < 3; ++tap) {
            LOSSMAP_UNROLL
            for (int chunk = 0; chunk < Shape::kChannels / 16; ++chunk) {
                group.multiply(sums, Shape::pixels(layer % 2 * Shape::kBufferBytes, y, tap, chunk),
                               Shape::weights(layer % Shape::kWeightBuffers, tap, chunk, kTap), tap > 0 || chunk > 0);
            }
        }
        group.finish(sums);
    }

    /// to = from + a part of sums.
    template <int kPartIndex, typename Group, typename RowSums>
    LOSSMAP_HD static void add(const Group& group, Carry<Group>& to, const Carry<Group>& from, const RowSums& sums) {
        group.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart; ++k)
                to.at(thread, k) = from.at(thread, k) + sums.at(thread, kPartIndex * kPart + k);
        });
    }

    template <typename Group>
    LOSSMAP_HD void store(Group& group, int layer, int y, const Carry<Group>& sums) const {
        const int row = Shape::kBufferBytes - layer % 2 * Shape::kBufferBytes + Shape::pixel_offset(0, y, 0);
        group.each_thread([&](int thread) {
            const SumPlace place = wgmma_sum_place(thread, 0);
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart; k += 2) {
                const std::uint32_t pair = kernels::pack_halves(sums.at(thread, k), sums.at(thread, k + 1));
                group.store(row + k / 4 * Shape::kPlaneBytes + (place.row + k / 2 % 2 * 8) * 16 + place.column * 2,
                            kernels::larger_halves(pair, 0));
            }
        });
    }

    template <typename Group>
    LOSSMAP_HD void write(const Group& group, std::int64_t first) const {
        const int buffer = args.layers % 2 * Shape::kBufferBytes;
        each_pack(group, first, [&](std::int64_t element, int offset, bool exists) {
            if (exists) group.copy_out(args.out + element, buffer + offset);
        });
    }
};

}  // namespace lossmap::bench
