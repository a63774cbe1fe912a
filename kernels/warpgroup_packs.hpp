#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/stage_args.hpp"
#include "kernels/storage.hpp"
#include "kernels/warpgroup_shape.hpp"

namespace lossmap::kernels {

/// Which 8 channels of a pixel of a tile of images each thread of a block carries between global and shared memory.
template <typename Shape, typename Group>
class WarpgroupPacks {
protected:
    /// Of one row of the image; a thread has packs of every kStep-th row.
    static constexpr int kRowPacks = Shape::kSide * Shape::kChannelPlanes, kStep = Shape::kThreads / kRowPacks;
    static constexpr int kPacks = Shape::kImages * Shape::kSide / kStep;  ///< of a thread
    using Element = std::conditional_t<Shape::kTerms == 1, Half, float>;  ///< in global memory
    static_assert(Shape::kThreads % kRowPacks == 0 && Shape::kRows % kStep == 0);

public:
    /// @param first  sample of the tile
    LOSSMAP_HD WarpgroupPacks(const StageArgs& args, Group& group, std::int64_t point, std::int64_t first)
        : args_(args), group_(group), point_(point), first_(first) {}

    /// Begins to bring images nearer, for a copy later.
    LOSSMAP_HD void prefetch(const Input& from, int channels) const {
        if (from.data == nullptr) return;
        const std::int64_t left = args_.samples - first_, images = left < Shape::kImages ? left : Shape::kImages;
        const std::int64_t image = std::int64_t{1} * Shape::kPixels * channels;
        group_.prefetch(static_cast<const Element*>(from.data) + point_ * from.point_stride + first_ * image,
                        static_cast<int>(images * image * static_cast<int>(sizeof(Element))));
    }

protected:
    /// visit(image, half of it, row in that half, byte in a buffer, element of a point's images, whether it exists) for
    /// each of a thread's packs, always in the same order.
    template <typename Visit>
    LOSSMAP_HD void packs_of(int thread, int channels, const Visit& visit) const {
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
    }

    const StageArgs& args_;
    Group& group_;
    std::int64_t point_;
    std::int64_t first_;
};

}  // namespace lossmap::kernels
