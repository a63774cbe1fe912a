#pragma once

#include "kernels/warpgroup_rows.hpp"

namespace lossmap::kernels {

/// A layer of a warpgroup that has all rows: two input rows' products run together, and are added to sums in registers.
/// There is room for one set of weights only: the next layer's are fetched as soon as this one's are not read any more.
template <typename Shape, typename Group, bool kAdds>
class WarpgroupCarry : WarpgroupRows<Shape, Group, kAdds> {
    using Base = WarpgroupRows<Shape, Group, kAdds>;
    using Base::group_, Base::kPart, Base::products, Base::add_bias, Base::complete;
    using typename Base::Pairs, typename Base::Part;
    using RowSums = typename Base::template Sums<3 * kPart>;

    static constexpr int kRows = Shape::kRows, kHalo = Shape::kHalo;
    static constexpr int kLastPass = kRows - 2 + kHalo;  ///< input row that the last batch begins with
    static_assert(Shape::kBands == 1 && Shape::kTapBlocks == 3);

public:
    using Base::Base;

    /// @param begin   as in WarpgroupTurns
    /// @param refill  refill(tap) fetches the next layer's weights of a horizontal tap
    template <typename Begin, typename Refill>
    LOSSMAP_HD void run(const Begin& begin, const Refill& refill) {
        Part upper, next;  // output rows y - 1 and y, incomplete
        Part above, done;  // the complete rows y - 3 and y - 2, not stored
        const auto nothing = [](int) {};
        pass<true>(
            -kHalo, upper, next, above, done, [&] { this->prepare(begin()); }, nothing);
        // Unrolled, the products would wait for each other (ptxas C7511).
#if defined(__CUDA_ARCH__)
#pragma unroll 1
#endif
        for (int y = 2 - kHalo; y < kLastPass; y += 2)
            pass<false>(
                y, upper, next, above, done, [] {}, nothing);
        pass<false>(
            kLastPass, upper, next, above, done, [] {}, refill);
        complete(kLastPass - 1, above);
        complete(kLastPass, done);
        if constexpr (kHalo == 0) complete(kRows - 1, upper);
    }

private:
    /// Input rows y and y + 1, whose products run together; those of the rows in front of them are stored under them.
    /// @param kFirst  the first two rows, in front of which nothing is added up; why this is code of its own is told in
    ///                WarpgroupTurns
    /// @param begin   what is done under the products
    template <bool kFirst, typename Begin, typename Refill>
    LOSSMAP_HD void pass(int y, Part& upper, Part& next, Part& above, Part& done, const Begin& begin,
                         const Refill& refill) {
        RowSums first, second;
        group_.begin();
        LOSSMAP_UNROLL
        for (int tap = 0; tap < 3; ++tap) {
            products(first, y, 0, tap * Shape::kChunks, (tap + 1) * Shape::kChunks, false);
            products(second, y + 1, 0, tap * Shape::kChunks, (tap + 1) * Shape::kChunks, false);
            group_.commit();
        }
        begin();
        if (!kFirst && y > 2) complete(y - 3, above);
        if (!kFirst && (kHalo == 0 || y > 2)) complete(y - 2, done);
        group_.template wait_for_all_but<2>();
        refill(0);
        group_.template wait_for_all_but<1>();
        refill(1);
        group_.template wait_for_all_but<0>();
        refill(2);
        first.template finish<0>(group_);
        second.template finish<0>(group_);
        // Of copies of the neighbour's row, above the first row, only what they add to that one counts.
        if (kFirst && kHalo == 0) add_bias(done, first, kPart);
        if (!kFirst) {
            this->template add<2>(above, upper, first);
            this->template add<1>(done, next, first);
        }
        if (!kFirst || kHalo == 0) this->template add<2>(done, done, second);
        add_bias(upper, first, 0);
        this->template add<1>(upper, upper, second);
        add_bias(next, second, 0);
    }
};

}  // namespace lossmap::kernels
