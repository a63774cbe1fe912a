#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/dtype.hpp"
#include "kernels/host/host_shared.hpp"
#include "kernels/matrix_fragments.hpp"
#include "kernels/operand.hpp"

namespace lossmap::kernels {

/// 32 lanes that run in step, on the host: the same operations that DeviceWarp has as instructions.
///
/// A copy into shared memory may happen at any time until it is waited for: `late` does them then, else at once.
class HostWarp : public HostShared {
public:
    template <typename T, int N>
    struct Registers {
        T values[32][N] = {};
        T& at(int lane, int place) { return values[lane][place]; }
        const T& at(int lane, int place) const { return values[lane][place]; }
    };

    HostWarp(int index_in, std::byte* shared, int shared_bytes, bool reversed)
        : HostShared(shared, shared_bytes), index(index_in), reversed_(reversed), late_(!reversed) {}

    const int index;  ///< in its block

    template <typename Visit>
    void each_lane(const Visit& visit) const {
        for (int k = 0; k < 32; ++k)
            visit(reversed_ ? 31 - k : k);
    }

    /// The largest of all lanes' numbers.
    template <int N>
    [[nodiscard]] static std::uint32_t largest(const Registers<std::uint32_t, N>& numbers, int place) {
        std::uint32_t result = 0;
        for (int lane = 0; lane < 32; ++lane)
            result = std::max(result, numbers.at(lane, place));
        return result;
    }
    /// Makes a word of shared memory at least `value`; warps do so at the same time.
    void raise(int offset, std::uint32_t value) { store(offset, std::max(load(offset), value)); }
    /// Begins to copy 16 bytes of global memory, or of zeros when they are not `real`.
    void copy_in(int offset, const void* source, bool real) {
        check(offset, 16);
        if (late_) return pending_.push_back({offset, source, real});
        take(offset, source, real);
    }
    /// Time does not pass here; on a device it changes when something is done, never what.
    static std::uint32_t now() { return 0; }
    static void wait_until(std::uint32_t) {}
    void wait_for_copies() {
        for (const Copy& copy : pending_)
            take(copy.offset, copy.source, copy.real);
        pending_.clear();
    }

    /// Four 8 x 8 matrices of f16 into registers first .. first + 3; a lane's row starts at rows.at(lane, 0) + offset.
    template <int N>
    void load_matrices(Registers<std::uint32_t, N>& to, int first, const Registers<int, 1>& rows, int offset) const {
        for (int lane = 0; lane < 32; ++lane) {
            for (int matrix = 0; matrix < 4; ++matrix) {
                const MatrixPlace place = loaded_place(lane, 0);
                const int source = matrix * 8 + place.row;
                const std::byte* row = at(rows.at(source, 0) + offset, 16);
                std::memcpy(&to.at(lane, first + matrix), row + place.column * 2, 4);
            }
        }
    }

    /// sums[s .. s + 3] += a[0 .. 3] * b[k, k + 1], exact products, rounded once.
    template <int S, int N>
    static void multiply(Registers<float, S>& sums, int s, const Registers<std::uint32_t, 4>& a,
                         const Registers<std::uint32_t, N>& b, int k) {
        float left[16][16], right[16][8];
        for (int lane = 0; lane < 32; ++lane) {
            for (int half = 0; half < 2; ++half) {
                for (int index = 0; index < 4; ++index) {
                    const MatrixPlace place = a_place(lane, index, half);
                    left[place.row][place.column] = half_at(a.at(lane, index), half);
                }
                for (int index = 0; index < 2; ++index) {
                    const MatrixPlace place = b_place(lane, index, half);
                    right[place.row][place.column] = half_at(b.at(lane, k + index), half);
                }
            }
        }
        double whole[16][8];
        for (int lane = 0; lane < 32; ++lane) {
            for (int index = 0; index < 4; ++index) {
                const MatrixPlace place = sum_place(lane, index);
                whole[place.row][place.column] = static_cast<double>(sums.at(lane, s + index));
            }
        }
        // Columns innermost: compilers make vectors of them.
        for (int row = 0; row < 16; ++row) {
            for (int depth = 0; depth < 16; ++depth) {
                for (int column = 0; column < 8; ++column)
                    whole[row][column] += static_cast<double>(left[row][depth] * right[depth][column]);
            }
        }
        for (int lane = 0; lane < 32; ++lane) {
            for (int index = 0; index < 4; ++index) {
                const MatrixPlace place = sum_place(lane, index);
                sums.at(lane, s + index) = static_cast<float>(whole[place.row][place.column]);
            }
        }
    }

private:
    struct Copy {
        int offset;
        const void* source;
        bool real;
    };

    /// half_to_float where it can be inlined: half of the time went into calls.
    static float half_at(std::uint32_t pair, int half) {
        const std::uint32_t bits = pair >> (16 * half), exponent = bits & 0x7c00u;
        const std::uint32_t magnitude = (bits & 0x7fffu) << 13;
        const float value = exponent == 0x7c00u ? std::bit_cast<float>(0x70000000u + magnitude)
                                                : std::bit_cast<float>(magnitude) * 0x1p112F;
        return (bits & 0x8000u) != 0 ? -value : value;
    }

    bool reversed_;
    bool late_;
    std::vector<Copy> pending_;
};

/// A block of Body::kWarps warps on the host: all of them pass a phase before the next one begins.
template <typename Body>
class HostBlock {
public:
    explicit HostBlock(bool reversed) : memory_(Body::kSharedBytes / sizeof(Pack)), reversed_(reversed) { restart(); }

    /// New work: shared memory is full of NaN, registers are 0.
    void restart() {
        std::memset(memory_.data(), 0xff, Body::kSharedBytes);
        auto* shared = reinterpret_cast<std::byte*>(memory_.data());
        warps_.clear();
        for (int k = 0; k < Body::kWarps; ++k)
            warps_.emplace_back(k, shared, Body::kSharedBytes, reversed_);
        states_.assign(Body::kWarps, {});
    }

    /// Runs `work(warp, state)` for each warp, then a barrier.
    template <typename Work>
    void phase(const Work& work) {
        for (int k = 0; k < Body::kWarps; ++k) {
            const auto warp = static_cast<std::size_t>(reversed_ ? Body::kWarps - 1 - k : k);
            work(warps_[warp], states_[warp]);
        }
    }

private:
    struct alignas(16) Pack {
        std::byte bytes[16];
    };
    static_assert(Body::kSharedBytes % sizeof(Pack) == 0);

    std::vector<Pack> memory_;
    bool reversed_;
    std::vector<HostWarp> warps_;
    std::vector<typename Body::template State<HostWarp>> states_;
};

}  // namespace lossmap::kernels
