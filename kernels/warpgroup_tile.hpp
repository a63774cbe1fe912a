#pragma once

#include <cstdint>

#include "kernels/stage_args.hpp"
#include "kernels/storage.hpp"
#include "kernels/warpgroup_shape.hpp"

namespace lossmap::kernels {

/// A tile of images on its way between global and shared memory, 16 bytes at a time, spread over a block.
template <typename Shape, typename Group>
class WarpgroupTile {
    /// Of one row of the image; a thread has packs of every kStep-th row.
    static constexpr int kRowPacks = Shape::kSide * Shape::kChannelPlanes, kStep = Shape::kThreads / kRowPacks;
    static_assert(Shape::kThreads % kRowPacks == 0 && Shape::kRows % kStep == 0);
    /// The same of what the exit writes; rows have no ends there.
    static constexpr int kExitStep = Shape::kThreads / Shape::kExitPlanes;
    static_assert(!Shape::kHasExit || Shape::kExitPixels % kExitStep == 0);

public:
    /// @param first  sample of the tile
    LOSSMAP_HD WarpgroupTile(const StageArgs& args, Group& group, std::int64_t point, std::int64_t first)
        : args_(args), group_(group), point_(point), first_(first) {}

    /// Begins to copy images, of so many channels in global memory, to the buffer at a byte; others' are zeros.
    LOSSMAP_HD void copy_in(const Input& from, int channels, int buffer) const {
        const Half* source = static_cast<const Half*>(from.data) + point_ * from.point_stride;
        each_pack(channels, [&](int image, int half, int row, int offset, std::int64_t element, bool exists) {
            const Half* place = source + (exists ? element : 0);
            group_.copy_in(buffer + offset, place, exists);
            const int copy = Shape::copy_distance(Shape::slot_of(image, half), row);
            if (copy != 0) group_.copy_in(buffer + offset + copy, place, exists);
        });
    }
    /// Writes the images in a buffer.
    LOSSMAP_HD void copy_out(const Output& to, int channels, int buffer) const {
        if (to.data == nullptr) return;
        Half* target = static_cast<Half*>(to.data) + point_ * to.point_stride;
        each_pack(channels, [&](int, int, int, int offset, std::int64_t element, bool exists) {
            if (exists) group_.copy_out(target + element, buffer + offset);
        });
    }
    /// Writes what the exit (tensor 0) or its shortcut (1) has left in a buffer.
    LOSSMAP_HD void copy_exit(const Output& to, int tensor, int buffer) const {
        if (to.data == nullptr) return;
        Half* target = static_cast<Half*>(to.data) + point_ * to.point_stride;
        group_.each_thread([&](int thread) {
            const int k = group_.settled(group_.index * 128 + thread);
            const int plane = k % Shape::kExitPlanes, pixel = k / Shape::kExitPlanes;
            if (plane * 8 >= args_.exit_channels) return;
            const int offset = buffer + Shape::exit_offset(tensor, plane, 0, pixel);
            std::int64_t element = (first_ * Shape::kExitPixels + pixel) * args_.exit_channels + plane * 8;
            LOSSMAP_UNROLL
            for (int image = 0; image < Shape::kImages; ++image) {
                LOSSMAP_UNROLL
                for (int step = 0; step < Shape::kExitPixels / kExitStep; ++step) {
                    if (first_ + image < args_.samples)
                        group_.copy_out(target + element, offset + (step * kExitStep * Shape::kImages + image) * 16);
                    element += std::int64_t{1} * kExitStep * args_.exit_channels;
                }
            }
        });
    }
    /// Begins to bring images nearer, for a copy later.
    LOSSMAP_HD void prefetch(const Input& from, int channels) const {
        if (from.data == nullptr) return;
        const std::int64_t left = args_.samples - first_, images = left < Shape::kImages ? left : Shape::kImages;
        const std::int64_t image = std::int64_t{1} * Shape::kPixels * channels;
        group_.prefetch(static_cast<const Half*>(from.data) + point_ * from.point_stride + first_ * image,
                        static_cast<int>(images * image * 2));
    }

private:
    /// visit(image, half of it, row in that half, byte in a buffer, element of a point's images, whether it exists)
    template <typename Visit>
    LOSSMAP_HD void each_pack(int channels, const Visit& visit) const {
        group_.each_thread([&](int thread) {
            const int k = group_.settled(group_.index * 128 + thread), plane = k % Shape::kChannelPlanes;
            const int x = k / Shape::kChannelPlanes % Shape::kSide, first_row = k / kRowPacks;
            const int offset = Shape::pixel_offset(0, first_row, x, plane);
            const bool stored = plane * 8 < channels;
            std::int64_t element = (first_ * Shape::kPixels + k / Shape::kChannelPlanes) * channels + plane * 8;
            LOSSMAP_UNROLL
            for (int image = 0; image < Shape::kImages; ++image) {
                const bool exists = stored && first_ + image < args_.samples;
                LOSSMAP_UNROLL
                for (int half = 0; half < Shape::kHalves; ++half) {
                    LOSSMAP_UNROLL
                    for (int row = 0; row < Shape::kRows; row += kStep) {
                        visit(image, half, first_row + row,
                              offset + Shape::slot_of(image, half) * 16 + row * Shape::kRowBytes, element, exists);
                        element += std::int64_t{1} * kStep * Shape::kSide * channels;
                    }
                }
            }
        });
    }

    const StageArgs& args_;
    Group& group_;
    std::int64_t point_;
    std::int64_t first_;
};

}  // namespace lossmap::kernels
