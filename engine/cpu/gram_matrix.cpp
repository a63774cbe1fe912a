#include "cpu/gram_matrix.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

namespace lossmap::cpu {
namespace {

// Additions go in eight fixed lanes: their order does not depend on the instruction set, and since the product of two
// fp32 numbers is exact in fp64, neither does it matter whether product and sum are one instruction or two.
constexpr std::size_t kLanes = 8;
// Rows by columns of the matrix summed at a time: eight accumulators; the rows stay in the first-level cache while
// the columns pass by.
constexpr std::size_t kRows = 4;
constexpr std::size_t kColumns = 2;

constexpr std::size_t kGramChunk = LinearAlgebra::kChunk;
static_assert(kGramChunk % kLanes == 0);

using Block = std::array<std::array<double, kColumns>, kRows>;

#if defined(__x86_64__) && defined(__GNUC__)
#define LOSSMAP_GRAM_X86 1
#define LOSSMAP_GRAM_INLINE __attribute__((always_inline)) inline
#else
#define LOSSMAP_GRAM_INLINE inline
#endif

using Lanes __attribute__((vector_size(kLanes * sizeof(double)))) = double;

LOSSMAP_GRAM_INLINE void load(const double* from, Lanes& to) { std::memcpy(&to, from, sizeof(to)); }

/// Inner products of `length` elements (a multiple of kLanes) of kRows rows with kColumns columns.
LOSSMAP_GRAM_INLINE void multiply_generic(const std::array<const double*, kRows>& rows,
                                          const std::array<const double*, kColumns>& columns, std::size_t length,
                                          Block& products) {
    Lanes sums[kRows][kColumns] = {};
    for (std::size_t i = 0; i < length; i += kLanes) {
        Lanes b[kColumns];
        for (std::size_t c = 0; c < kColumns; ++c)
            load(columns[c] + i, b[c]);
        for (std::size_t r = 0; r < kRows; ++r) {
            Lanes a;
            load(rows[r] + i, a);
            for (std::size_t c = 0; c < kColumns; ++c)
                sums[r][c] += a * b[c];
        }
    }
    for (std::size_t r = 0; r < kRows; ++r) {
        for (std::size_t c = 0; c < kColumns; ++c) {
            double sum = 0.0;
            for (std::size_t lane = 0; lane < kLanes; ++lane)
                sum += sums[r][c][lane];
            products[r][c] = sum;
        }
    }
}

using Multiply = void (*)(const std::array<const double*, kRows>&, const std::array<const double*, kColumns>&,
                          std::size_t, Block&);

void multiply_plain(const std::array<const double*, kRows>& rows, const std::array<const double*, kColumns>& columns,
                    std::size_t length, Block& products) {
    multiply_generic(rows, columns, length, products);
}

#if defined(LOSSMAP_GRAM_X86)
__attribute__((target("avx2,fma"))) void multiply_avx2(const std::array<const double*, kRows>& rows,
                                                       const std::array<const double*, kColumns>& columns,
                                                       std::size_t length, Block& products) {
    multiply_generic(rows, columns, length, products);
}

__attribute__((target("avx512f,prefer-vector-width=512"))) void multiply_avx512(
    const std::array<const double*, kRows>& rows, const std::array<const double*, kColumns>& columns,
    std::size_t length, Block& products) {
    multiply_generic(rows, columns, length, products);
}
#endif

Multiply widest() {
#if defined(LOSSMAP_GRAM_X86)
    if (__builtin_cpu_supports("avx512f")) return multiply_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return multiply_avx2;
#endif
    return multiply_plain;
}

/// The part of the matrix that belongs to one thread: every `threads`-th block of rows.
class Share {
public:
    Share(std::span<const float> rows, std::size_t first_block, std::size_t threads, SquareMatrix& gram)
        : rows_(rows),
          first_block_(first_block),
          threads_(threads),
          gram_(gram),
          length_(rows.size() / gram.size),
          wide_(gram.size * kGramChunk) {}

    void run() {
        for (std::size_t start = 0; start < length_; start += kGramChunk) {
            widen(start);
            for (std::size_t row = first_block_ * kRows; row < gram_.size; row += threads_ * kRows) {
                for (std::size_t column = 0; column < std::min(row + kRows, gram_.size); column += kColumns)
                    add_block(row, column);
            }
        }
    }

private:
    /// The chunk of every row in fp64, filled up with zeros to whole lanes.
    void widen(std::size_t start) {
        const std::size_t length = std::min(kGramChunk, length_ - start);
        padded_ = (length + kLanes - 1) / kLanes * kLanes;
        for (std::size_t row = 0; row < gram_.size; ++row) {
            const float* from = rows_.data() + row * length_ + start;
            double* to = wide_.data() + row * kGramChunk;
            for (std::size_t i = 0; i < length; ++i)
                to[i] = static_cast<double>(from[i]);
            std::fill(to + length, to + padded_, 0.0);
        }
    }

    /// A block that juts out repeats the last row, whose products are then left.
    void add_block(std::size_t row, std::size_t column) {
        const auto chunk_of = [this](std::size_t index) {
            return wide_.data() + std::min(index, gram_.size - 1) * kGramChunk;
        };
        std::array<const double*, kRows> rows{};
        for (std::size_t r = 0; r < kRows; ++r)
            rows[r] = chunk_of(row + r);
        std::array<const double*, kColumns> columns{};
        for (std::size_t c = 0; c < kColumns; ++c)
            columns[c] = chunk_of(column + c);
        multiply_(rows, columns, padded_, products_);
        for (std::size_t r = row; r < std::min(row + kRows, gram_.size); ++r) {
            for (std::size_t c = column; c < std::min(column + kColumns, r + 1); ++c)
                gram_.at(r, c) += products_[r - row][c - column];
        }
    }

    std::span<const float> rows_;
    std::size_t first_block_;
    std::size_t threads_;
    SquareMatrix& gram_;
    std::size_t length_;
    std::size_t padded_ = 0;
    std::vector<double> wide_;
    Block products_{};
    Multiply multiply_ = widest();
};

}  // namespace

void add_inner_products(std::span<const float> rows, int threads, SquareMatrix& gram) {
    const auto count = static_cast<std::size_t>(threads);
    std::vector<std::jthread> others;
    for (std::size_t thread = 1; thread < count; ++thread)
        others.emplace_back([&, thread] { Share(rows, thread, count, gram).run(); });
    Share(rows, 0, count, gram).run();
}

}  // namespace lossmap::cpu
