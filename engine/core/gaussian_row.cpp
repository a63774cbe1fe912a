#include "core/gaussian_row.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <thread>

#include "core/gaussian_element.hpp"
#include "core/in_parallel.hpp"

namespace lossmap {
namespace {

constexpr std::size_t kBatch = 256;
/// Some milliseconds of work: what a thread is worth.
constexpr std::size_t kPiece = std::size_t{1} << 18;
constexpr unsigned kMostThreads = 16;
constexpr std::uint64_t kUpper = std::uint64_t{1} << 52;

/// normal_quantile_of, of numbers in its centre; what it is of others is of no use. Without a branch, so that compilers
/// turn loops of it into vector instructions: the operations are the same ones, and so are the bits.
float central_quantile(std::uint64_t bits) {
    constexpr double kUnit = 1.0 / 9007199254740992.0;  // 2^-53
    const std::uint64_t mirror = -(bits >> 52);         // all ones in the upper half
    const std::uint64_t tail_bits = (bits ^ mirror) & (kUpper - 1);
    // Exact: a number below 2^52 as the mantissa of one between 2^52 and 2^53.
    const double exact = std::bit_cast<double>(tail_bits | 0x4330000000000000u) - 4503599627370496.0;
    const double q = (exact + 0.5) * kUnit - 0.5;
    const double value = gaussian_detail::centre_value(q, 0.180625 - q * q);
    return static_cast<float>(std::bit_cast<double>(std::bit_cast<std::uint64_t>(value) ^ (mirror << 63)));
}

bool is_central(std::uint64_t bits) {
    // A little less than the centre, from 0.075 of 2^53 on: what is left out is computed the other way.
    constexpr std::uint64_t kLeast = (std::uint64_t{1} << 53) / 10000 * 751;
    return bits - kLeast < 2 * kUpper - 2 * kLeast;
}

/// An even first element and at most kBatch of them.
void batch(std::uint64_t seed, std::uint32_t axis, std::uint64_t hash, std::uint64_t first, std::span<float> row) {
    std::array<std::uint64_t, kBatch> bits;
    const std::array<std::uint32_t, 2> key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
    for (std::size_t k = 0; k < (row.size() + 1) / 2; ++k) {
        const std::uint64_t block = first / 2 + k;
        const auto words =
            philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32) | (axis << 24),
                        static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(hash >> 32)},
                       key);
        bits[2 * k] = ((static_cast<std::uint64_t>(words[1]) << 32) | words[0]) >> 11;
        bits[2 * k + 1] = ((static_cast<std::uint64_t>(words[3]) << 32) | words[2]) >> 11;
    }
    for (std::size_t k = 0; k < row.size(); ++k)
        row[k] = central_quantile(bits[k]);
    for (std::size_t k = 0; k < row.size(); ++k) {
        if (!is_central(bits[k])) row[k] = static_cast<float>(normal_quantile_of(bits[k]));
    }
}

}  // namespace

void gaussian_row(std::uint64_t seed, std::uint32_t axis, std::uint64_t parameter_hash, std::uint64_t first,
                  std::span<float> row) {
    if (row.empty()) return;
    if (first % 2 != 0) {
        row[0] = gaussian_element(seed, axis, parameter_hash, first);
        row = row.subspan(1);
        ++first;
    }
    const auto piece = [&](std::size_t index) {
        const std::size_t end = std::min(row.size(), (index + 1) * kPiece);
        for (std::size_t k = index * kPiece; k < end; k += kBatch)
            batch(seed, axis, parameter_hash, first + k, row.subspan(k, std::min(kBatch, end - k)));
    };
    in_parallel((row.size() + kPiece - 1) / kPiece, std::min(std::thread::hardware_concurrency(), kMostThreads), piece);
}

}  // namespace lossmap
