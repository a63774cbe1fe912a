#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "bench/gpu/wgmma_shape.hpp"
#include "core/dtype.hpp"
#include "kernels/operand.hpp"

namespace lossmap::bench {

/// 128 threads that run in step, on the host: what DeviceWarpgroup has as instructions. Products and copies happen when
/// they are waited for (`late`) or at once; sums are NaN in between. Ordinary stores are seen by products once they
/// have been published. An offset outside shared memory, or off its alignment, throws InternalError.
class HostWarpgroup {
public:
    template <typename T, int N>
    struct Registers {
        T values[128][N] = {};
        T& at(int thread, int index) { return values[thread][index]; }
        const T& at(int thread, int index) const { return values[thread][index]; }
    };

    /// @param seen  what products read: shared memory as of the last time that it was published
    HostWarpgroup(int index_in, std::vector<std::byte>& shared, std::vector<std::byte>& seen, bool late)
        : index(index_in), shared_(&shared), seen_(&seen), late_(late) {}

    const int index;

    template <typename Visit>
    void each_thread(const Visit& visit) const {
        for (int k = 0; k < 128; ++k)
            visit(late_ ? k : 127 - k);
    }

    void store(int offset, std::uint32_t value) { std::memcpy(at(*shared_, offset, 4), &value, 4); }
    void clear_pack(int offset) { std::memset(at(*shared_, offset, 16), 0, 16); }
    void copy_out(void* target, int offset) const { std::memcpy(target, at(*shared_, offset, 16), 16); }
    void copy_in(int offset, const void* source, bool real) {
        do_or_wait(copies_, [this, offset, source, real] {
            if (real)
                std::memcpy(at(*shared_, offset, 16), source, 16);
            else
                clear_pack(offset);
        });
    }
    void wait_for_copies() { carry_out(copies_); }
    void publish() { *seen_ = *shared_; }

    void begin() const {}
    /// sums = a x b, or += where `add`, with as many columns as there are sums; the first one of a batch does not add.
    template <int S>
    void multiply(Registers<float, S>& sums, const MatrixLayout& a, const MatrixLayout& b, bool add) {
        static_assert(S % 4 == 0);
        if (!add) {
            for (auto& thread : sums.values)
                std::fill_n(thread, S, std::numeric_limits<float>::quiet_NaN());
        } else if (late_ && products_.empty()) {
            kernels::refuse("wgmma", "a batch that begins with an addition", S);
        }
        // By way of the descriptors: what they cannot say is lost here as it would be there.
        do_or_wait(products_, [this, &sums, left = MatrixLayout::of(a.descriptor(0)),
                               right = MatrixLayout::of(b.descriptor(0)), add] { product(sums, left, right, add); });
    }
    template <int S>
    void finish(Registers<float, S>&) {
        carry_out(products_);
    }

private:
    using Work = std::function<void()>;

    void do_or_wait(std::vector<Work>& list, Work work) const {
        if (late_) return list.push_back(std::move(work));
        work();
    }
    static void carry_out(std::vector<Work>& list) {
        for (const Work& work : list)
            work();
        list.clear();
    }
    template <int S>
    void product(Registers<float, S>& sums, const MatrixLayout& a, const MatrixLayout& b, bool add) const {
        static thread_local float left[64][16], right[2 * S][16];
        for (int k = 0; k < 16; ++k) {
            for (int row = 0; row < 64; ++row)
                left[row][k] = half_at(a.offset(row, k));
            for (int row = 0; row < 2 * S; ++row)
                right[row][k] = half_at(b.offset(row, k));
        }
        for (int thread = 0; thread < 128; ++thread) {
            for (int sum_index = 0; sum_index < S; ++sum_index) {
                const SumPlace place = wgmma_sum_place(thread, sum_index);
                double sum = add ? static_cast<double>(sums.at(thread, sum_index)) : 0.0;
                for (int k = 0; k < 16; ++k)
                    sum += static_cast<double>(left[place.row][k] * right[place.column][k]);
                sums.at(thread, sum_index) = static_cast<float>(sum);
            }
        }
    }
    [[nodiscard]] float half_at(int offset) const {
        std::uint16_t bits;
        std::memcpy(&bits, at(*seen_, offset, 2), 2);
        return half_to_float(bits);
    }
    static std::byte* at(std::vector<std::byte>& memory, int offset, int bytes) {
        if (offset < 0 || offset + bytes > static_cast<int>(memory.size()) || offset % bytes != 0)
            kernels::refuse("shared memory", "offset", offset);
        return memory.data() + offset;
    }

    std::vector<std::byte>* shared_;
    std::vector<std::byte>* seen_;
    bool late_;
    std::vector<Work> copies_;
    std::vector<Work> products_;
};

/// All warpgroups of a block on the host: each passes a phase before the next phase begins. Shared memory starts as
/// NaN.
template <typename Shape>
class HostWarpgroupBlock {
public:
    explicit HostWarpgroupBlock(bool late)
        : shared_(Shape::kSharedBytes, std::byte{0xff}), seen_(shared_), late_(late) {
        for (int k = 0; k < Shape::kWarpgroups; ++k)
            groups_.emplace_back(k, shared_, seen_, late);
    }

    template <typename Work>
    void phase(const Work& work) {
        for (std::size_t k = 0; k < groups_.size(); ++k)
            work(groups_[late_ ? k : groups_.size() - 1 - k]);
    }

private:
    std::vector<std::byte> shared_;
    std::vector<std::byte> seen_;
    bool late_;
    std::vector<HostWarpgroup> groups_;
};

}  // namespace lossmap::bench
