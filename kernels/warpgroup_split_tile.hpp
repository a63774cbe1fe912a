#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/larger_number.hpp"
#include "kernels/split_pair.hpp"
#include "kernels/storage.hpp"
#include "kernels/warpgroup_packs.hpp"

namespace lossmap::kernels {

/// A tile of images on its way from f32 in global memory to two f16 in shared memory, and back.
template <typename Shape, typename Group>
class WarpgroupSplitTile : public WarpgroupPacks<Shape, Group> {
    using Base = WarpgroupPacks<Shape, Group>;
    using Base::args_, Base::group_, Base::point_, Base::first_, Base::kPacks;

public:
    using Base::Base;
    /// Bits of the largest magnitude that a thread has met, by image.
    using Largest = typename Group::template Registers<std::uint32_t, 1>[Shape::kImages];

    /// Copies images, of so many channels in global memory, to the buffer at a byte; others' are zeros.
    LOSSMAP_HD void copy_in(const Input& from, int channels, int buffer, Largest& largest) const {
        const float* source = static_cast<const float*>(from.data) + point_ * from.point_stride;
        group_.each_thread([&](int thread) {
            float values[kPacks][8] = {};
            int k = 0;
            // All loads in front of all stores: between stores each load would wait.
            this->packs_of(thread, channels, [&](int, int, int, int, std::int64_t element, bool exists) {
                if (exists) load_packs<float>(source, element, values[k]);
                ++k;
            });
            LOSSMAP_UNROLL
            for (int image = 0; image < Shape::kImages; ++image)
                largest[image].at(thread, 0) = 0;
            k = 0;
            this->packs_of(thread, channels, [&](int image, int half, int row, int offset, std::int64_t, bool) {
                const int copy = Shape::copy_distance(Shape::slot_of(image, half), row);
                std::uint32_t& most = largest[image].at(thread, 0);
                most = magnitude_bits(store(values[k], buffer + offset, copy, magnitude_of(most)));
                ++k;
            });
        });
    }

    /// Writes the images in a buffer.
    LOSSMAP_HD void copy_out(const Output& to, int channels, int buffer) const {
        if (to.data == nullptr) return;
        float* target = static_cast<float*>(to.data) + point_ * to.point_stride;
        group_.each_thread([&](int thread) {
            this->packs_of(thread, channels, [&](int, int, int, int offset, std::int64_t element, bool exists) {
                if (!exists) return;
                std::uint32_t high[4], low[4];
                group_.load_pack(high, buffer + offset);
                group_.load_pack(low, buffer + offset + Shape::kLowPixels);
                float values[8];
                LOSSMAP_UNROLL
                for (int k = 0; k < 8; ++k)
                    values[k] = joined(half_number(high[k / 2], k % 2), half_number(low[k / 2], k % 2));
                store_packs<float>(target, element, values);
            });
        });
    }

private:
    /// Stores 8 channels, and their copy where there is one.
    /// @returns the largest of their magnitudes and another one
    LOSSMAP_HD float store(const float (&values)[8], int place, int copy, float largest) const {
        std::uint32_t high[4], low[4];
        LOSSMAP_UNROLL
        for (int pair = 0; pair < 4; ++pair) {
            const float a = values[2 * pair], b = values[2 * pair + 1];
            const SplitPair split = split_pair(a, b);
            high[pair] = split.high;
            low[pair] = split.low;
            largest = larger_number(larger_number(largest, std::fabs(a)), std::fabs(b));
        }
        group_.store_pack(place, high);
        group_.store_pack(place + Shape::kLowPixels, low);
        if (copy != 0) {
            group_.store_pack(place + copy, high);
            group_.store_pack(place + copy + Shape::kLowPixels, low);
        }
        return largest;
    }
};

}  // namespace lossmap::kernels
