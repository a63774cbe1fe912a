#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "core/dtype.hpp"
#include "kernels/host/host_shared.hpp"
#include "kernels/matrix_fragments.hpp"
#include "kernels/matrix_layout.hpp"
#include "kernels/operand.hpp"

namespace lossmap::kernels {

/// 128 threads that run in step, on the host: what DeviceWarpgroup has as instructions. Products and copies happen when
/// they are waited for (`late`) or at once; sums are NaN in between. Ordinary stores are seen by products once they
/// have been published.
class HostWarpgroup : public HostShared {
public:
    template <typename T, int N>
    struct Registers {
        T values[128][N] = {};
        T& at(int thread, int index) { return values[thread][index]; }
        const T& at(int thread, int index) const { return values[thread][index]; }
    };

    /// @param seen  what products read: shared memory as of the last time that it was published
    HostWarpgroup(int index_in, std::vector<std::byte>& shared, std::vector<std::byte>& seen, bool late)
        : HostShared(shared.data(), static_cast<int>(shared.size())),
          index(index_in),
          shared_(&shared),
          seen_(&seen),
          late_(late) {}

    const int index;

    template <typename Visit>
    void each_thread(const Visit& visit) const {
        for (int k = 0; k < 128; ++k)
            visit(late_ ? k : 127 - k);
    }

    /// What compilers for devices are told (DeviceWarpgroup); here only values count.
    [[nodiscard]] static int settled(int value) { return value; }
    [[nodiscard]] static float zero_behind(float) { return 0.0F; }

    void copy_in(int offset, const void* source, bool real) {
        // Every second warpgroup copies at once even where its products are late: over what they still have to read, if
        // that were not waited for.
        do_or_wait(copies_, late_ && index % 2 == 0, [this, offset, source, real] { take(offset, source, real); });
    }
    /// Brings global memory nearer to the device, once a block: nothing here, but what it asks for must exist.
    static void prefetch(const void* source, int bytes) {
        if (bytes <= 0 || bytes % 16 != 0 || reinterpret_cast<std::uintptr_t>(source) % 16 != 0)
            refuse("prefetch", "bytes", bytes);
        const volatile auto* data = static_cast<const volatile char*>(source);
        static_cast<void>(data[0] + data[bytes - 1]);
    }
    void wait_for_copies() { carry_out(copies_); }
    /// Makes a word of shared memory at least all threads' numbers; warpgroups do so at the same time.
    void raise(int offset, const Registers<std::uint32_t, 1>& numbers) {
        for (const auto& thread : numbers.values)
            store(offset, std::max(load(offset), thread[0]));
    }
    void publish() { *seen_ = *shared_; }

    /// Four 8 x 8 matrices of f16 a warp into registers first .. first + 3; a thread's row starts at rows.at(thread, 0)
    /// + offset.
    template <int N>
    void load_matrices(Registers<std::uint32_t, N>& to, int first, const Registers<int, 1>& rows, int offset) const {
        each_matrix_element(rows, offset, [&](int thread, int matrix, std::byte* place) {
            std::memcpy(&to.at(thread, first + matrix), place, 4);
        });
    }
    /// .. and out of them.
    template <int N>
    void store_matrices(const Registers<std::uint32_t, N>& from, int first, const Registers<int, 1>& rows, int offset) {
        each_matrix_element(rows, offset, [&](int thread, int matrix, std::byte* place) {
            std::memcpy(place, &from.at(thread, first + matrix), 4);
        });
    }

    /// An operand in shared memory. By way of its descriptor: what that cannot say is lost here as it would be there.
    [[nodiscard]] static MatrixDescriptor operand(const MatrixLayout& layout) {
        return MatrixDescriptor::of(layout, 0);
    }
    /// In front of a batch of products: registers that they read or write are what they should be.
    void begin() const {}
    /// Behind a batch.
    void commit() { batches_.push_back(std::exchange(products_, {})); }
    /// sums = a x b, or += where `add`, with as many columns as there are sums.
    template <int S>
    void multiply(Registers<float, S>& sums, const MatrixDescriptor& a, const MatrixDescriptor& b, bool add) {
        spoil(sums, add);
        do_or_wait(products_, late_, [this, &sums, left = a.layout(), right = b.layout(), add] {
            product(
                sums, [&](int row, int k) { return half_at(left.offset(row, k)); }, right, add);
        });
    }
    /// The same with a from registers first .. of `pixels`, a fragment of 16 rows a warp
    /// (kernels/matrix_fragments.hpp).
    template <int S, int N>
    void multiply(Registers<float, S>& sums, const Registers<std::uint32_t, N>& pixels, int first,
                  const MatrixDescriptor& b, bool add) {
        spoil(sums, add);
        do_or_wait(products_, late_, [this, &sums, &pixels, first, right = b.layout(), add] {
            float left[64][16];
            for (int thread = 0; thread < 128; ++thread) {
                for (int k = 0; k < 8; ++k) {
                    const MatrixPlace place = a_place(thread % 32, k / 2, k % 2);
                    const std::uint32_t pair = pixels.at(thread, first + k / 2);
                    left[thread / 32 * 16 + place.row][place.column] =
                        half_to_float(static_cast<std::uint16_t>(pair >> 16 * (k % 2)));
                }
            }
            product(
                sums, [&](int row, int k) { return left[row][k]; }, right, add);
        });
    }
    /// Waits until so many of the batches at most are not done, of which none has these sums: they can be read.
    template <int kBatches, int... S>
    void finish(Registers<float, S>&...) {
        wait_for_all_but<kBatches>();
        if (!products_.empty()) refuse("wgmma", "products that belong to no batch", std::ssize(products_));
    }
    /// Waits until so many of the batches at most are not done.
    template <int kBatches>
    void wait_for_all_but() {
        for (; std::ssize(batches_) > kBatches; batches_.erase(batches_.begin()))
            carry_out(batches_.front());
    }

private:
    using Work = std::function<void()>;

    static void do_or_wait(std::vector<Work>& list, bool late, Work work) {
        if (late) return list.push_back(std::move(work));
        work();
    }
    static void carry_out(std::vector<Work>& list) {
        for (const Work& work : list)
            work();
        list.clear();
    }
    template <typename Visit>
    void each_matrix_element(const Registers<int, 1>& rows, int offset, const Visit& visit) const {
        for (int thread = 0; thread < 128; ++thread) {
            for (int matrix = 0; matrix < 4; ++matrix) {
                const MatrixPlace place = loaded_place(thread % 32, 0);
                const int row = rows.at(thread / 32 * 32 + matrix * 8 + place.row, 0) + offset;
                visit(thread, matrix, at(row, 16) + place.column * 2);
            }
        }
    }
    template <int S>
    static void spoil(Registers<float, S>& sums, bool add) {
        static_assert(S % 4 == 0);
        if (add) return;
        for (auto& thread : sums.values)
            std::fill_n(thread, S, std::numeric_limits<float>::quiet_NaN());
    }
    template <int S, typename Left>
    void product(Registers<float, S>& sums, const Left& left_at, const MatrixLayout& b, bool add) const {
        static thread_local float left[64][16], right[16][2 * S];
        for (int k = 0; k < 16; ++k) {
            for (int row = 0; row < 64; ++row)
                left[row][k] = left_at(row, k);
            for (int column = 0; column < 2 * S; ++column)
                right[k][column] = half_at(b.offset(column, k));
        }
        static thread_local double whole[64][2 * S];
        each_sum<S>([&](int thread, int sum, const GroupSumPlace& place) {
            whole[place.row][place.column] = add ? static_cast<double>(sums.at(thread, sum)) : 0.0;
        });
        // Columns innermost: compilers make vectors of them.
        for (int row = 0; row < 64; ++row) {
            for (int k = 0; k < 16; ++k) {
                for (int column = 0; column < 2 * S; ++column)
                    whole[row][column] += static_cast<double>(left[row][k] * right[k][column]);
            }
        }
        each_sum<S>([&](int thread, int sum, const GroupSumPlace& place) {
            sums.at(thread, sum) = static_cast<float>(whole[place.row][place.column]);
        });
    }
    template <int S, typename Visit>
    static void each_sum(const Visit& visit) {
        for (int thread = 0; thread < 128; ++thread) {
            for (int sum = 0; sum < S; ++sum)
                visit(thread, sum, group_sum_place(thread, sum));
        }
    }
    [[nodiscard]] float half_at(int offset) const {
        std::uint16_t bits;
        check(offset, 2);
        std::memcpy(&bits, seen_->data() + offset, 2);
        return half_to_float(bits);
    }

    std::vector<std::byte>* shared_;
    std::vector<std::byte>* seen_;
    bool late_;
    std::vector<Work> copies_;
    std::vector<Work> products_;
    std::vector<std::vector<Work>> batches_;
};

/// All warpgroups of a block on the host: each passes a phase before the next phase begins. Shared memory starts as
/// NaN, registers as 0.
template <typename Body>
class HostWarpgroupBlock {
public:
    explicit HostWarpgroupBlock(bool late)
        : shared_(Body::kSharedBytes, std::byte{0xff}), seen_(shared_), states_(Body::kWarpgroups), late_(late) {
        for (int k = 0; k < Body::kWarpgroups; ++k)
            groups_.emplace_back(k, shared_, seen_, late);
    }

    template <typename Work>
    void phase(const Work& work) {
        for (std::size_t k = 0; k < groups_.size(); ++k) {
            const std::size_t index = late_ ? k : groups_.size() - 1 - k;
            work(groups_[index], states_[index]);
        }
    }

private:
    std::vector<std::byte> shared_;
    std::vector<std::byte> seen_;
    std::vector<typename Body::template State<HostWarpgroup>> states_;
    bool late_;
    std::vector<HostWarpgroup> groups_;
};

}  // namespace lossmap::kernels
