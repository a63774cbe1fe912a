#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/dtype.hpp"
#include "core/error.hpp"
#include "kernels/host/host_warpgroup.hpp"
#include "kernels/warpgroup_shape.hpp"

// Where the stage kernel on wgmma keeps pixels and weights, how descriptors address them, and what its emulated
// instructions do.
namespace lossmap::kernels {
namespace {

TEST(MatrixLayout, IsWhatItsDescriptorSays) {
    const MatrixLayout layout{0x12340, 0x8420, 0x80};
    const MatrixLayout again = MatrixDescriptor::of(layout, 0x10).layout();
    EXPECT_EQ(again.start, 0x12350);
    EXPECT_EQ(again.leading, 0x8420);
    EXPECT_EQ(again.stride, 0x80);
    // As written out by hand: address / 16 in bits 0 to 13, the other two from bits 16 and 32 on, no swizzle in 62
    // and 63.
    EXPECT_EQ(MatrixDescriptor::of(layout, 0).bits(),
              0x12340u / 16 | std::uint64_t{0x842} << 16 | std::uint64_t{8} << 32);
    EXPECT_EQ(MatrixDescriptor::of(layout, 0).moved(0x230).layout().start, 0x12570);
    EXPECT_EQ(MatrixDescriptor::of(layout, 0).moved(-0x230).layout().start, 0x12110);
    // 8 rows of 16 bytes follow each other.
    EXPECT_EQ(layout.offset(0, 7), 0x12340 + 14);
    EXPECT_EQ(layout.offset(7, 0), 0x12340 + 112);
    EXPECT_EQ(layout.offset(9, 8), 0x12340 + 0x80 + 16 + 0x8420);
}

TEST(MatrixLayout, EveryThreadHoldsItsOwnSums) {
    std::set<std::pair<int, int>> places;
    for (int thread = 0; thread < 128; ++thread) {
        for (int index = 0; index < 24; ++index)
            places.emplace(group_sum_place(thread, index).row, group_sum_place(thread, index).column);
    }
    EXPECT_EQ(places.size(), 64u * 48u);
    EXPECT_EQ(*places.rbegin(), std::pair(63, 47));
}

/// Calls visit(Shape{}) for those of fp16 and of fp32.
template <typename Visit>
void for_each_shape(const Visit& visit) {
    for_each_warpgroup_shape(visit);
    for_each_warpgroup_split_shape(visit);
}

/// Byte of 8 channels of a pixel of one image, in or beside it: where a neighbour is read.
template <typename Shape>
int neighbour(int image, int y, int x, int plane) {
    const int half = y < 0 ? 0 : y >= Shape::kSide ? Shape::kHalves - 1 : y / Shape::kRows;
    const int cell = (x + Shape::kPair) / Shape::kPair - 1;
    return Shape::cell_offset(Shape::slot_of(image, half), y - half * Shape::kRows, cell) +
           (x - cell * Shape::kPair) * Shape::kChannelPlanes * Shape::kPlaneBytes + plane * Shape::kPlaneBytes;
}

TEST(WarpgroupShape, PixelsTheirCopiesAndZerosFillEachPlaneOnce) {
    for_each_shape([](auto shape) {
        using Shape = decltype(shape);
        std::set<int> places;
        int count = 0;
        for (int image = 0; image < Shape::kImages; ++image) {
            for (int pixel = 0; pixel < Shape::kPixels; pixel += Shape::kPair) {
                const int y = pixel / Shape::kSide, at = Shape::pixel_offset(image, y, pixel % Shape::kSide, 0);
                const int copy = Shape::copy_distance(Shape::slot_of(image, y / Shape::kRows), y % Shape::kRows);
                places.insert(at);
                places.insert(at + copy);
                count += copy != 0 ? 2 : 1;
            }
        }
        for (int k = 0; k < Shape::kZeroCells; ++k, ++count)
            places.insert(Shape::zero_offset(k));
        EXPECT_EQ(static_cast<int>(places.size()), count);
        EXPECT_EQ(*places.begin(), 0);
        EXPECT_EQ(*places.rbegin(), (count - 1) * 16);
        EXPECT_LE(count * 16, Shape::kPlaneBytes);
        EXPECT_LE(Shape::kSharedBytes, 227 * 1024);
        // What the descriptors have bits for.
        EXPECT_LT(Shape::kSharedBytes, 1 << 18);
    });
}

TEST(WarpgroupShape, AStepOfKReadsThePixelsThatItsWeightsAreFor) {
    for_each_shape([](auto shape) {
        using Shape = decltype(shape);
        std::set<int> zeros;
        for (int k = 0; k < Shape::kZeroCells; ++k)
            zeros.insert(Shape::zero_offset(k));
        std::map<int, int> source_of;
        for (int pack = 0; pack < Shape::kSourcePacks; ++pack) {
            for (int pixel = 0; pixel < Shape::kPair; ++pixel) {
                const int place = Shape::weight_place(pack, pixel),
                          second = Shape::second_distance(pack / (Shape::kSourcePacks / 3)) / 16;
                EXPECT_TRUE(source_of.emplace(place, pack).second);
                if (second != 0) {
                    EXPECT_TRUE(source_of.emplace(place + second, pack).second);
                }
            }
        }
        std::set<int> unused;
        for (int k = 0; k < Shape::kZeroPacks; ++k)
            unused.insert(Shape::zero_pack(k));
        EXPECT_EQ(static_cast<int>(source_of.size() + unused.size()), Shape::kWeightPacks);
        for (const int pack : unused) {
            EXPECT_FALSE(source_of.contains(pack));
            EXPECT_LT(pack, Shape::kWeightPacks);
        }
        // For each row of a product (a cell) and column (a vertical tap, a pixel of the cell and a filter).
        for (int row = 0; row < 64; ++row) {
            const int slot = row % Shape::kSlots, cell = row / Shape::kSlots;
            for (int k = 0; k < Shape::kTapBlocks * Shape::kCellChannels; k += 5) {
                const int block = k / Shape::kCellChannels, of_cell = k % Shape::kCellChannels;
                const int tap_y = Shape::kTurns ? (5 - block) % 3 : block;  // 2, 1, 0, 2, 1
                const int group = of_cell / Shape::kGroupFilters;
                const int column = block * Shape::kGroupFilters + of_cell % Shape::kGroupFilters;
                const int filter = of_cell % Shape::kChannels, x = cell * Shape::kPair + of_cell / Shape::kChannels;
                std::set<int> sources;
                for (int step = 0; step < Shape::kSteps; ++step) {
                    for (int half = 0; half < 2; ++half) {
                        const int pack = Shape::weight_pack(step, half, block, of_cell);
                        const MatrixLayout b = Shape::weights(Shape::kWeightBuffers - 1, group, step, 0);
                        ASSERT_EQ(b.offset(column, 8 * half),
                                  Shape::kWeightOffset + (Shape::kWeightBuffers - 1) * Shape::kWeightBytes + pack * 16);
                        const auto found = source_of.find(pack);
                        if (found == source_of.end()) continue;
                        const int source = found->second;
                        ASSERT_EQ(source % Shape::kChannels, filter);
                        const int plane = source / Shape::kChannels % Shape::kChannelPlanes;
                        const int tap = source / Shape::kChannels / Shape::kChannelPlanes;
                        ASSERT_EQ(tap / 3, tap_y);
                        EXPECT_TRUE(sources.insert(source).second);
                        // Row y of a slot is input row y for whatever output row the vertical tap makes of it.
                        const int y = 3 % Shape::kRows;
                        const int image = Shape::image_of(slot), in_image = Shape::half_of(slot) * Shape::kRows + y;
                        const int at = Shape::pixels(Shape::kBufferBytes, y, step).offset(row, 8 * half);
                        EXPECT_EQ(at, Shape::kBufferBytes + neighbour<Shape>(image, in_image, x + tap % 3 - 1, plane));
                        const int from = x + tap % 3 - 1;
                        if (from < 0 || from >= Shape::kSide) {
                            EXPECT_TRUE(zeros.contains((at - Shape::kBufferBytes) % Shape::kPlaneBytes));
                        }
                    }
                }
                EXPECT_EQ(static_cast<int>(sources.size()), 3 * Shape::kChannelPlanes) << "every weight once";
            }
        }
        // Left of a row and right of the one above it are the same zeros.
        EXPECT_EQ(Shape::cell_offset(0, 2, Shape::kCells), Shape::cell_offset(0, 3, -1));
    });
}

TEST(WarpgroupShape, PlanesOfAPixelStandInDifferentBanks) {
    for_each_shape([](auto shape) {
        using Shape = decltype(shape);
        // 8 threads copy 16 bytes each: neighbours in global memory.
        for (int first = 0; first < Shape::kPixels * Shape::kChannelPlanes; first += 8) {
            std::set<int> banks;
            for (int k = first; k < first + 8; ++k) {
                const int pixel = k / Shape::kChannelPlanes;
                banks.insert(
                    Shape::pixel_offset(0, pixel / Shape::kSide, pixel % Shape::kSide, k % Shape::kChannelPlanes) %
                    128);
            }
            ASSERT_EQ(banks.size(), 8u) << Shape::kChannels << " channels, " << first;
        }
    });
}

TEST(WarpgroupShape, TheExitReadsItsPixelsNeighboursAndWritesEachPixelOnce) {
    for_each_shape([](auto shape) {
        using Shape = decltype(shape);
        if (!Shape::kHasExit) return;
        std::set<int> written;
        for (int unit = 0; unit < Shape::kExitUnits; ++unit) {
            for (int row = 0; row < 64; ++row) {
                const auto pixel = Shape::exit_pixel(unit, row);
                const int image = Shape::image_of(pixel.slot);
                const int y = Shape::half_of(pixel.slot) * Shape::kExitSlotRows + pixel.y;
                written.insert(Shape::exit_offset(1, 1, image, y * Shape::kExitSide + pixel.x));
                for (int tap = 0; tap < 9; ++tap) {
                    const int from_y = 2 * y + tap / 3 - 1, from_x = 2 * pixel.x + tap % 3 - 1;
                    const int at = Shape::exit_source(pixel, tap / 3, tap % 3, 1);
                    int expected = neighbour<Shape>(image, from_y, from_x, 1);
                    if (from_y < 0 && Shape::kHalo == 0) {
                        expected = Shape::zero_offset(0);
                    } else if (from_y == y / Shape::kExitSlotRows * Shape::kRows - 1) {
                        // Its own copy of what stands above it: the other half's last row, or zeros.
                        expected = neighbour<Shape>(image, 0, from_x, 1) - Shape::kRowBytes +
                                   Shape::half_of(pixel.slot) * Shape::kImages * 16;
                    }
                    EXPECT_EQ(at, expected);
                }
            }
        }
        EXPECT_EQ(static_cast<int>(written.size()), Shape::kImages * Shape::kExitPixels);
        EXPECT_LE(Shape::exit_offset(1, Shape::kExitPlanes - 1, Shape::kImages - 1, Shape::kExitPixels - 1) + 16,
                  Shape::kBufferBytes);
    });
}

/// A product through descriptors against the sum on paper, with rows that are not where their neighbours' are.
TEST(HostWarpgroup, MultipliesWhatDescriptorsPointAt) {
    std::vector<std::byte> shared(32768);
    for (std::size_t k = 0; k < shared.size() / 2; ++k) {
        const std::uint16_t bits = float_to_half(static_cast<float>(k * 37 % 11) - 5.0F);
        std::memcpy(shared.data() + 2 * k, &bits, 2);
    }
    std::vector<std::byte> seen = shared;
    const MatrixLayout a{160, 4096, 256}, b_layout{8224, 1024, 128};
    const MatrixDescriptor pixels_at = HostWarpgroup::operand(a), b = HostWarpgroup::operand(b_layout);
    for (const bool late : {false, true}) {
        HostWarpgroup group(0, shared, seen, late);
        HostWarpgroup::Registers<float, 8> sums;
        group.multiply(sums, pixels_at, b, false);
        group.multiply(sums, pixels_at, b, true);
        group.commit();
        EXPECT_EQ(std::isnan(sums.at(5, 4)), late);
        group.finish<0>(sums);
        for (int thread = 0; thread < 128; ++thread) {
            for (int index = 0; index < 8; ++index) {
                const int row = thread / 32 * 16 + thread % 32 / 4 + (index & 2 ? 8 : 0);
                const int column = index / 4 * 8 + thread % 4 * 2 + index % 2;
                float expected = 0.0F;
                for (int k = 0; k < 16; ++k) {
                    const int left = 160 + row / 8 * 256 + row % 8 * 16 + k / 8 * 4096 + k % 8 * 2;
                    const int right = 8224 + column / 8 * 128 + column % 8 * 16 + k / 8 * 1024 + k % 8 * 2;
                    expected += 2.0F * static_cast<float>((left / 2 * 37 % 11 - 5) * (right / 2 * 37 % 11 - 5));
                }
                ASSERT_EQ(sums.at(thread, index), expected);
            }
        }
    }
    HostWarpgroup group(0, shared, seen, false);
    HostWarpgroup::Registers<float, 8> sums;
    // The same pixels from registers.
    HostWarpgroup::Registers<std::uint32_t, 8> pixels;
    HostWarpgroup::Registers<int, 1> rows;
    for (int thread = 0; thread < 128; ++thread) {
        const int row = thread / 32 * 16 + thread % 32 / 8 % 2 * 8 + thread % 8;
        rows.at(thread, 0) = a.offset(row, thread % 32 / 16 * 8);
    }
    group.load_matrices(pixels, 4, rows, 0);
    group.multiply(sums, pixels, 4, b, false);
    HostWarpgroup::Registers<float, 8> others;
    group.multiply(others, pixels_at, b, false);
    group.commit();
    group.finish<0>(others);
    for (int thread = 0; thread < 128; ++thread) {
        for (int index = 0; index < 8; ++index)
            ASSERT_EQ(sums.at(thread, index), others.at(thread, index));
    }
    EXPECT_THROW((group.multiply(sums, HostWarpgroup::operand({32768 - 64, 128, 128}), b, false)), InternalError);
}

TEST(HostWarpgroup, ProductsDoNotSeeWhatWasNotPublished) {
    std::vector<std::byte> shared(4096), seen = shared;
    HostWarpgroup group(0, shared, seen, false);
    const std::uint32_t ones = 0x3c003c00u;
    for (int offset = 0; offset < 4096; offset += 4)
        group.store(offset, ones);
    HostWarpgroup::Registers<float, 4> sums;
    group.multiply(sums, HostWarpgroup::operand({0, 1024, 128}), HostWarpgroup::operand({2048, 128, 128}), false);
    EXPECT_EQ(sums.at(0, 0), 0.0F);
    group.publish();
    group.multiply(sums, HostWarpgroup::operand({0, 1024, 128}), HostWarpgroup::operand({2048, 128, 128}), false);
    EXPECT_EQ(sums.at(0, 0), 16.0F);
}

}  // namespace
}  // namespace lossmap::kernels
