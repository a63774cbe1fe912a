#pragma once

#include <cstdint>

#include "kernels/stage_args.hpp"
#include "kernels/storage.hpp"
#include "kernels/warpgroup_packs.hpp"

namespace lossmap::kernels {

/// A tile of images on its way between global and shared memory, 16 bytes at a time, spread over a block.
template <typename Shape, typename Group>
class WarpgroupTile : public WarpgroupPacks<Shape, Group> {
    using Base = WarpgroupPacks<Shape, Group>;
    using Base::args_, Base::group_, Base::point_, Base::first_;
    /// Of what the exit writes; rows have no ends there.
    static constexpr int kExitStep = Shape::kThreads / Shape::kExitPlanes;
    static_assert(!Shape::kHasExit || Shape::kExitPixels % kExitStep == 0);

public:
    using Base::Base;

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

private:
    template <typename Visit>
    LOSSMAP_HD void each_pack(int channels, const Visit& visit) const {
        group_.each_thread([&](int thread) { this->packs_of(thread, channels, visit); });
    }
};

}  // namespace lossmap::kernels
