// Rows on their way to the device, cut anywhere.
#include "cuda/backend/padded_rows.hpp"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

namespace lossmap::cuda {
namespace {

/// Five rows of three, of which the middle three are read and the last of those is repeated up to six.
template <typename Stored, typename Read>
void expect_rows(DType stored, DType read) {
    Tensor source(stored, {5, 3});
    for (std::size_t k = 0; k < 15; ++k)
        source.as<Stored>()[k] = static_cast<Stored>(k);
    const PaddedRows rows{source, 1, 3, 3, read};
    std::vector<Read> expected;
    for (const int row : {1, 2, 3, 3, 3, 3}) {
        for (int column = 0; column < 3; ++column)
            expected.push_back(static_cast<Read>(3 * row + column));
    }
    ASSERT_EQ(rows.row_bytes(), 3 * sizeof(Read));
    for (std::size_t first = 0; first < expected.size(); ++first) {
        for (std::size_t last = first; last <= expected.size(); ++last) {
            std::vector<Read> actual(last - first, static_cast<Read>(-1));
            rows.copy(first * sizeof(Read), std::as_writable_bytes(std::span(actual)));
            EXPECT_TRUE(std::equal(actual.begin(), actual.end(), expected.begin() + static_cast<std::ptrdiff_t>(first)))
                << first << " to " << last;
        }
    }
}

TEST(PaddedRows, AreCutAnywhere) {
    expect_rows<float, float>(DType::f32, DType::f32);
    expect_rows<std::uint8_t, std::uint8_t>(DType::u8, DType::u8);
}

TEST(PaddedRows, NarrowTokens) { expect_rows<std::int64_t, std::int32_t>(DType::i64, DType::i32); }

}  // namespace
}  // namespace lossmap::cuda
