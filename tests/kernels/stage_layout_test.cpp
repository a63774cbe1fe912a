#include <array>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "kernels/half_pair.hpp"
#include "kernels/host/host_warp.hpp"
#include "kernels/stage.hpp"

// Where the stage kernel keeps pixels and weights in shared memory, and what its emulated instructions do.
namespace lossmap::kernels {
namespace {

constexpr int kBankBytes = 4, kBanks = 32;

bool share_no_bank(const std::vector<int>& bytes, int width) {
    std::set<int> banks;
    for (const int byte : bytes) {
        for (int word = 0; word < width; word += kBankBytes)
            banks.insert((byte + word) / kBankBytes % kBanks);
    }
    return static_cast<int>(banks.size()) * kBankBytes == static_cast<int>(bytes.size()) * width;
}

TEST(StageLayout, PixelsAndBordersFillEachBufferOnce) {
    for_each_stage_shape([](auto shape) {
        using Shape = decltype(shape);
        std::set<int> places;
        int count = 0;
        for (int plane = 0; plane < Shape::kPlanes; ++plane) {
            for (int image = 0; image < Shape::kImages; ++image) {
                for (int pixel = 0; pixel < Shape::kPixels; ++pixel, ++count)
                    places.insert(plane * Shape::kPlaneBytes + Shape::pixel_offset(image, pixel));
            }
            for (int group = 0; group < Shape::kGroups; ++group) {
                for (int k = 0; k < Shape::kBorderPixels; ++k, ++count)
                    places.insert(group * Shape::kGroupBytes + plane * Shape::kPlaneBytes + Shape::border_offset(k));
            }
        }
        EXPECT_EQ(static_cast<int>(places.size()), count);
        EXPECT_EQ(count * 16, Shape::kBufferBytes);
        EXPECT_EQ(*places.rbegin(), Shape::kBufferBytes - 16);
        EXPECT_LE(Shape::kMinBlocks * (Shape::kSharedBytes + 1024), 228 * 1024) << "a Hopper multiprocessor's";
    });
}

TEST(StageLayout, NeighboursOfAPixelAreItsOwnImagesOrZeros) {
    for_each_stage_shape([](auto shape) {
        using Shape = decltype(shape);
        std::set<int> borders;
        for (int k = 0; k < Shape::kBorderPixels; ++k)
            borders.insert(Shape::border_offset(k));
        for (int image = 0; image < Shape::kRowImages; ++image) {
            for (int pixel = 0; pixel < Shape::kPixels; ++pixel) {
                const int x = pixel % Shape::kSide, at = Shape::pixel_offset(image, pixel);
                if (x == 0) {
                    EXPECT_TRUE(borders.contains(at - 16));
                } else {
                    EXPECT_EQ(Shape::pixel_offset(image, pixel - 1), at - 16);
                }
                if (x == Shape::kSide - 1) {
                    EXPECT_TRUE(borders.contains(at + 16));
                }
                if (pixel >= Shape::kSide) {
                    EXPECT_EQ(Shape::pixel_offset(image, pixel - Shape::kSide), at - Shape::kRowBytes);
                }
            }
        }
    });
}

TEST(StageLayout, NoTwoLanesOfAnAccessShareABank) {
    for_each_stage_shape([](auto shape) {
        using Shape = decltype(shape);
        for (int segment = 0; segment < 2 * Shape::kColumns; ++segment) {
            for (int tap = 0; tap < 3; ++tap) {
                std::vector<int> rows;  // of one matrix: what ldmatrix reads at a time
                for (int row = 0; row < 8; ++row)
                    rows.push_back((Shape::segment_pixel(segment) + row + tap) * 16);
                EXPECT_TRUE(share_no_bank(rows, 16));
            }
            std::vector<int> words;
            for (int lane = 0; lane < 32; ++lane) {
                const MatrixPlace place = sum_place(lane, 0);
                words.push_back((1 + Shape::segment_pixel(segment) + place.row) * 16 + place.column * 2);
            }
            EXPECT_TRUE(share_no_bank(words, 4));
        }
        std::vector<int> filters;
        for (int filter = 0; filter < 8; ++filter)
            filters.push_back(2 * Shape::weight_index(4, 8 + filter, 8));
        EXPECT_TRUE(share_no_bank(filters, 16));
    });
    EXPECT_FALSE(share_no_bank({0, 128}, 4));
}

TEST(StageLayout, WhatTheExitWritesHasOnePlaceEach) {
    for_each_stage_shape([](auto shape) {
        using Shape = decltype(shape);
        if (!Shape::kHasExit) return;
        std::set<int> places, pixels;
        for (int tensor = 0; tensor < 2; ++tensor) {
            for (int plane = 0; plane < 2 * Shape::kPlanes; ++plane) {
                for (int image = 0; image < Shape::kImages; ++image) {
                    for (int pixel = 0; pixel < Shape::kExitPixels; ++pixel)
                        places.insert(Shape::exit_offset(tensor, plane, image, pixel));
                }
            }
        }
        EXPECT_EQ(static_cast<int>(places.size()), 4 * Shape::kPlanes * Shape::kImages * Shape::kExitPixels);
        EXPECT_LE(*places.rbegin() + 16, Shape::kBufferBytes);
        for (int segment = 0; segment < Shape::kExitSegments; ++segment) {
            if (Shape::exit_segment_pixel(segment) + 8 > Shape::kExitSide) continue;  // pixels that are dropped
            std::vector<int> rows;
            for (int row = 0; row < 8; ++row)
                rows.push_back(Shape::exit_row_offset(segment, row, 1));
            EXPECT_TRUE(share_no_bank(rows, 16));
        }
        // Every pixel of every image belongs to one unit of work.
        for (int unit = 0; unit < Shape::kExitUnits; ++unit) {
            for (int k = 0; k < 16; ++k) {
                const int segment = unit / Shape::kExitSide * 2 + k / 8, x = Shape::exit_segment_pixel(segment) + k % 8;
                if (x >= Shape::kExitSide) continue;
                const int pixel = unit % Shape::kExitSide * Shape::kExitSide + x;
                EXPECT_TRUE(pixels.insert(Shape::exit_segment_image(segment) * Shape::kExitPixels + pixel).second);
            }
        }
        EXPECT_EQ(static_cast<int>(pixels.size()), Shape::kImages * Shape::kExitPixels);
    });
}

TEST(StageLayout, WeightsHaveOnePlaceEach) {
    using Shape = Stage32x16;
    std::set<int> places;
    for (int tap = 0; tap < 9; ++tap) {
        for (int filter = 0; filter < Shape::kChannels; ++filter) {
            for (int channel = 0; channel < Shape::kChannels; ++channel)
                places.insert(Shape::weight_index(tap, filter, channel));
        }
    }
    EXPECT_EQ(static_cast<int>(places.size()), Shape::kWeights);
    EXPECT_EQ(*places.rbegin(), Shape::kWeights - 1);
    // The order in which the backend asks for them: dimensions tap, plane of channels, filter, channel.
    EXPECT_EQ(Shape::weight_index(5, 3, 17), ((5 * 4 + 2) * 32 + 3) * 8 + 1);
}

TEST(StageLayout, TheLargestTileThatFitsIsChosen) {
    const auto fit = [](std::int64_t channels, std::int64_t side, int kilobytes) {
        const StageFit found = stage_fit(channels, side, std::int64_t{kilobytes} << 10);
        return std::pair(found.channels, found.tile_images);
    };
    EXPECT_EQ(fit(64, 8, 227), std::pair(64, 8));
    EXPECT_EQ(fit(64, 8, 163), std::pair(64, 4));
    EXPECT_EQ(fit(64, 8, 99), std::pair(0, 0));
    EXPECT_EQ(fit(16, 32, 99), std::pair(16, 1));
    EXPECT_EQ(fit(32, 16, 99), std::pair(32, 2));
    // Channels that are computed for nothing: fewer than half of them, up to 16 any.
    EXPECT_EQ(fit(24, 16, 227), std::pair(32, 2));
    EXPECT_EQ(fit(16, 16, 227), std::pair(0, 0));
    EXPECT_EQ(fit(4, 28, 227), std::pair(16, 1));
    EXPECT_EQ(fit(16, 14, 227), std::pair(16, 4));
    EXPECT_EQ(fit(17, 14, 227), std::pair(32, 2));
    EXPECT_EQ(fit(65, 8, 227), std::pair(0, 0));
}

/// A [16, 16] times B [16, 8] through the emulated instructions, against the sum as it is written on paper.
TEST(HostWarp, LoadsAndMultipliesMatrices) {
    alignas(16) std::array<std::uint16_t, 24 * 16> shared{};
    const auto value = [](int k) { return static_cast<float>(k * 37 % 11 - 5); };
    for (int k = 0; k < 24 * 16; ++k)
        shared[static_cast<std::size_t>(k)] = float_to_half(value(k));
    // Rows 0 .. 15 are A, 16 .. 23 B transposed, each row of 16 numbers.
    HostWarp warp(0, reinterpret_cast<std::byte*>(shared.data()), sizeof(shared), false);
    HostWarp::Registers<int, 1> a_rows, b_rows;
    for (int lane = 0; lane < 32; ++lane) {
        const int matrix = row_matrix(lane), row = row_in_matrix(lane);
        a_rows.at(lane, 0) = (matrix % 2 * 8 + row) * 32 + matrix / 2 * 16;
        b_rows.at(lane, 0) = (16 + row) * 32 + matrix % 2 * 16;
    }
    HostWarp::Registers<std::uint32_t, 4> a, b;
    HostWarp::Registers<float, 4> sums;
    warp.load_matrices(a, 0, a_rows, 0);
    warp.load_matrices(b, 0, b_rows, 0);
    for (int lane = 0; lane < 32; ++lane)
        sums.at(lane, 3) = 100.0F;
    HostWarp::multiply(sums, 0, a, b, 0);
    for (int lane = 0; lane < 32; ++lane) {
        for (int k = 0; k < 4; ++k) {
            const int row = lane / 4 + (k >= 2 ? 8 : 0), column = lane % 4 * 2 + k % 2;
            float expected = k == 3 ? 100.0F : 0.0F;
            for (int depth = 0; depth < 16; ++depth)
                expected += value(row * 16 + depth) * value((16 + column) * 16 + depth);
            EXPECT_EQ(sums.at(lane, k), expected) << lane << ' ' << k;
        }
    }
}

TEST(HostWarp, RefusesWhatLiesOutsideSharedMemory) {
    alignas(16) std::array<std::byte, 64> shared{};
    HostWarp warp(0, shared.data(), 64, false);
    EXPECT_THROW(warp.store(64, 1), InternalError);
    EXPECT_THROW(warp.store(-4, 1), InternalError);
    EXPECT_THROW(warp.store(2, 1), InternalError);
    EXPECT_THROW(warp.clear_pack(8), InternalError);
    EXPECT_THROW(warp.copy_in(56, shared.data(), true), InternalError);
}

TEST(HostWarp, CopiesArriveWhenTheyAreWaitedForAtTheLatest) {
    for (const bool reversed : {false, true}) {
        alignas(16) std::array<std::byte, 16> shared{};
        const std::array<std::uint32_t, 4> source{7, 8, 9, 10};
        HostWarp warp(0, shared.data(), 16, reversed);
        warp.copy_in(0, source.data(), true);
        EXPECT_EQ(warp.load(4), reversed ? 8u : 0u);
        warp.wait_for_copies();
        EXPECT_EQ(warp.load(4), 8u);
        warp.copy_in(0, source.data(), false);
        warp.wait_for_copies();
        EXPECT_EQ(warp.load(4), 0u);
    }
}

TEST(HalfPair, RoundsComparesAndKeepsNaN) {
    const std::uint32_t pair = pack_halves(1.0F, -2.5F);
    EXPECT_EQ(first_half(pair), 1.0F);
    EXPECT_EQ(second_half(pair), -2.5F);
    EXPECT_EQ(first_half(pack_halves(65519.0F, 0.0F)), 65504.0F);
    EXPECT_TRUE(std::isinf(first_half(pack_halves(65520.0F, 0.0F))));
    EXPECT_EQ(larger_halves(pair, 0), pack_halves(1.0F, 0.0F));
    EXPECT_EQ(larger_halves(pair, 0xfc00fc00u), pair);
    EXPECT_EQ(larger_halves(pack_halves(-0.0F, 0.0F), 0), 0u);
    EXPECT_TRUE(std::isnan(first_half(larger_halves(pack_halves(NAN, 1.0F), 0))));
    EXPECT_EQ(larger_magnitudes(pack_halves(2.0F, 2.0F), pair), pack_halves(2.0F, 2.5F));
    EXPECT_FALSE(has_non_finite(pack_halves(65504.0F, 0.0F)));
    for (const std::uint32_t bad :
         {pack_halves(INFINITY, 0.0F), pack_halves(0.0F, -INFINITY), pack_halves(NAN, 1.0F)}) {
        EXPECT_TRUE(has_non_finite(larger_magnitudes(0, bad)));
        // A later number does not hide it.
        EXPECT_TRUE(has_non_finite(larger_magnitudes(larger_magnitudes(0, bad), pair)));
    }
}

}  // namespace
}  // namespace lossmap::kernels
