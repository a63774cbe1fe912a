#include <bit>
#include <cmath>

#include <gtest/gtest.h>

#include "kernel_case.hpp"
#include "kernels/copy.hpp"
#include "kernels/host/host_launch.hpp"
#include "kernels/window.hpp"

namespace lossmap::kernels::test {
namespace {

TEST(Divisor, DividesLikeDivision) {
    constexpr std::uint32_t kLargest = 0x7fffffff;
    for (const std::uint32_t divisor :
         {1u, 2u, 3u, 5u, 7u, 10u, 64u, 255u, 641u, 65535u, 65537u, 1000003u, 0x40000000u, kLargest}) {
        const Divisor fast(divisor);
        for (std::uint64_t n = 0; n <= kLargest; n += 1 + n / 37) {
            for (const std::uint64_t near : {n, n / divisor * divisor, (n / divisor + 1) * divisor - 1}) {
                if (near > kLargest) continue;
                ASSERT_EQ(fast.divide(static_cast<std::uint32_t>(near)), near / divisor) << near << " / " << divisor;
            }
        }
    }
}

TEST(Divisor, DividesWideNumbers) {
    for (const std::uint64_t divisor :
         {std::uint64_t{1}, std::uint64_t{3}, std::uint64_t{1} << 31, (std::uint64_t{1} << 33) + 1,
          std::uint64_t{999999999989}, (std::uint64_t{1} << 62) + 7}) {
        const WideDivisor fast(divisor);
        for (std::uint64_t n = 1; n < std::uint64_t{1} << 63; n += 1 + n / 11) {
            for (const std::uint64_t near : {n, n / divisor * divisor, n / divisor * divisor + divisor - 1}) {
                if (near >= std::uint64_t{1} << 63) continue;
                ASSERT_EQ(fast.divide(near), near / divisor) << near << " / " << divisor;
            }
        }
    }
}

/// Offsets by repeated division, dimension by dimension.
std::int64_t plain_offset(const Dims& dims, const Strides& strides, std::int64_t index) {
    std::int64_t offset = 0;
    for (int axis = dims.rank; axis-- > 0;) {
        offset += index % dims.extents[axis] * strides.values[axis];
        index /= dims.extents[axis];
    }
    return offset;
}

TEST(StridedLoop, GivesTheOffsetsOfItsDefinition) {
    const Dims dims = dims_of({3, 1, 4, 5, 2});
    const Strides dense = dense_strides(dims);
    const Strides broadcast = broadcast_to({4, 1, 1}, {3, 1, 4, 5, 2});
    Strides backwards{{2, 7, -6, 1, 30}};
    const StridedLoop<3> loop(dims, {dense, broadcast, backwards});
    EXPECT_EQ(loop.count(), dims.count());
    for (std::int64_t index = 0; index < dims.count(); ++index) {
        std::int64_t offsets[3];
        loop.offsets(index, offsets);
        EXPECT_EQ(offsets[0], index);
        EXPECT_EQ(offsets[1], plain_offset(dims, broadcast, index));
        EXPECT_EQ(offsets[2], plain_offset(dims, backwards, index));
    }
}

/// Whether a dense array of `dims` is copied by tiles when it is read with `strides`.
bool tiles(const Shape& shape, const Strides& strides) {
    CopyArgs args;
    args.dims = dims_of(shape);
    args.in_strides = strides;
    args.out_strides = dense_strides(args.dims);
    return tiled_copy(args, StridedLoop<2>(args.dims, {args.in_strides, args.out_strides})).has_value();
}

TEST(TiledCopy, IsChosenWhereTheInnermostDimensionChanges) {
    EXPECT_TRUE(tiles({64, 32}, {{1, 64}}));
    EXPECT_TRUE(tiles({3, 5, 7, 40}, {{1400, 7, 1, 35}}));
    EXPECT_TRUE(tiles({9, 2, 8}, {{1, 100, 18}}));
    EXPECT_FALSE(tiles({64, 32}, {{32, 1}})) << "nothing moves";
    EXPECT_FALSE(tiles({4, 6, 16}, {{16, 64, 1}})) << "rows move as wholes";
    EXPECT_FALSE(tiles({64, 3}, {{1, 64}})) << "too short a line to be worth a tile";
    EXPECT_FALSE(tiles({3, 64}, {{1, 3}}));
    EXPECT_FALSE(tiles({64, 32}, {{2, 128}})) << "the input has no neighbours";
    EXPECT_FALSE(tiles({64, 32}, {{0, 0}})) << "one value for all";
}

TEST(StridedLoop, MergesWhatLiesSideBySide) {
    const Dims dims = dims_of({6, 1, 4, 5});
    const Strides dense = dense_strides(dims);
    EXPECT_TRUE((StridedLoop<1>(dims, {dense}).contiguous()));
    EXPECT_EQ((StridedLoop<1>(dims, {dense}).rank), 1);
    const Strides column = broadcast_to({4, 1}, {6, 1, 4, 5});
    EXPECT_FALSE((StridedLoop<2>(dims, {dense, column}).contiguous()));
    EXPECT_EQ((StridedLoop<2>(dims, {dense, column}).rank), 3);
    const StridedLoop<1> scalar(Dims{}, {Strides{}});
    std::int64_t offset[1];
    scalar.offsets(0, offset);
    EXPECT_EQ(offset[0], 0);
    EXPECT_TRUE(scalar.contiguous());
}

TEST(StridedLoop, ReachesBeyond32Bits) {
    const Dims dims = dims_of({5, std::int64_t{1} << 20, 3000});
    Strides odd{{7, 3, std::int64_t{1} << 21}};
    const StridedLoop<1> loop(dims, {odd});
    for (std::int64_t index = 1; index < dims.count(); index += 1 + index / 5) {
        std::int64_t offset[1];
        loop.offsets(index, offset);
        EXPECT_EQ(offset[0], plain_offset(dims, odd, index)) << index;
    }
}

TEST(PlaneLoop, CountsTheDimensionThatLiesInnermost) {
    const std::int64_t positions[3] = {2, 3, 4};
    for (const bool inside : {false, true}) {
        const PlaneLoop loop(5, 6, positions, inside);
        const PlaneStrides strides = inside ? channels_last(6, positions) : channels_first(6, positions);
        for (std::int64_t index = 0; index < 5 * 6 * 24; ++index) {
            const PlaneLoop::Place p = loop.at(index);
            EXPECT_EQ(plane_offset(strides, p.sample, p.channel) +
                          spatial_offset(strides, p.position[0], p.position[1], p.position[2]),
                      index);
        }
    }
}

TEST(Storage, SixteenBitTypesSurviveARoundTrip) {
    for (std::uint32_t bits = 0; bits < 65536; ++bits) {
        const Half half{static_cast<std::uint16_t>(bits)};
        const BFloat16 bfloat{static_cast<std::uint16_t>(bits)};
        if (!std::isnan(to_float(half))) {
            EXPECT_EQ(from_float<Half>(to_float(half)).bits, bits);
        }
        if (!std::isnan(to_float(bfloat))) {
            EXPECT_EQ(from_float<BFloat16>(to_float(bfloat)).bits, bits);
        }
    }
}

/// Between two neighbours the nearer one is taken, in the middle the even one.
template <typename T>
void expect_rounding() {
    for (std::uint32_t bits = 0; bits + 1 < 65536; bits += 7) {
        const T low{static_cast<std::uint16_t>(bits)};
        const T high{static_cast<std::uint16_t>(bits + 1)};
        const float a = to_float(low), b = to_float(high);
        if (!std::isfinite(a) || !std::isfinite(b) || std::signbit(a) != std::signbit(b)) continue;
        const auto middle = static_cast<float>((static_cast<double>(a) + static_cast<double>(b)) / 2);
        EXPECT_EQ(from_float<T>(middle).bits, bits % 2 == 0 ? bits : bits + 1);
        EXPECT_EQ(from_float<T>(std::nextafter(middle, a)).bits, bits);
        EXPECT_EQ(from_float<T>(std::nextafter(middle, b)).bits, bits + 1);
    }
}
TEST(Storage, SixteenBitTypesRoundToNearestEven) {
    expect_rounding<Half>();
    expect_rounding<BFloat16>();
    EXPECT_EQ(from_float<Half>(65519.9F).bits, 0x7bff);
    EXPECT_EQ(from_float<Half>(65520.0F).bits, 0x7c00);
    EXPECT_EQ(from_float<Half>(-1e30F).bits, 0xfc00);
    EXPECT_TRUE(std::isnan(to_float(from_float<Half>(NAN))));
    EXPECT_TRUE(std::isnan(to_float(from_float<BFloat16>(NAN))));
    EXPECT_EQ(from_float<BFloat16>(3.4e38F).bits, 0x7f80);
}

/// A body with a race: every thread of a phase writes the same word.
struct Racy {
    static constexpr int kThreads = 4;
    struct Shared {
        int last;
    };
    struct Thread {};
    int* out;
    [[nodiscard]] int phases() const { return 2; }
    void phase(int phase, std::int64_t, std::int64_t, int thread, Shared& memory, Thread&) const {
        if (phase == 0)
            memory.last = thread;
        else
            *out = memory.last;
    }
};

TEST(HostLaunch, AReversedOrderShowsARace) {
    int forward = -1, backward = -1;
    HostLaunch(false).blocks(1, 1, Racy{&forward});
    HostLaunch(true).blocks(1, 1, Racy{&backward});
    EXPECT_EQ(forward, 3);
    EXPECT_EQ(backward, 0);
}

TEST(Launch, RefusesWhatAnOperationDoesNotDo) {
    const KernelTable& table = host_kernels();
    float values[8] = {};
    UnaryArgs unary{{UnaryOp::tanh, 0, 0}, {values, DType::i64, 0}, {values, DType::i64, 0}, 1, 1, {}};
    EXPECT_THROW(table.unary(unary, {}), InternalError);
    unary.in.type = DType::f32;
    EXPECT_THROW(table.unary(unary, {}), InternalError);  // fp32 to i64 is a cast
    BinaryArgs binary;
    binary.a.type = DType::i64;
    EXPECT_THROW(table.binary(binary, {}), InternalError);
    EpilogueArgs epilogue;
    epilogue.activation.op = UnaryOp::cosh;
    EXPECT_THROW(table.epilogue(epilogue, {}), InternalError);
    GatherArgs gather;
    gather.indices.type = DType::u8;
    EXPECT_THROW(table.gather(gather, {}), InternalError);
    CopyArgs copy;
    copy.in.type = DType::f16;
    EXPECT_THROW(table.copy(copy, {}), InternalError);
}

}  // namespace
}  // namespace lossmap::kernels::test
