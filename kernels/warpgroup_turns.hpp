#pragma once

#include "kernels/warpgroup_rows.hpp"

namespace lossmap::kernels {

/// A layer of a warpgroup that has a band of rows. Three rows of output take turns in three parts of the sums, to which
/// products are added as they are: row o of the band in part o % 3. An input row finds its three taps in the order of
/// the parts, whichever that is (Shape::kTapBlocks).
///
/// As little as possible stands between one row's products and the next row's: a row is taken out of the sums as soon
/// as it is complete, and becomes what is stored under those.
template <typename Shape, typename Group, bool kAdds>
class WarpgroupTurns : WarpgroupRows<Shape, Group, kAdds> {
    using Base = WarpgroupRows<Shape, Group, kAdds>;
    using Base::group_, Base::kPart, Base::products, Base::load_residual, Base::complete;
    using RowSums = typename Base::template Sums<3 * kPart>;
    using Edge = typename Base::template Sums<kPart>;
    using typename Base::Pairs, typename Base::Part;

    static constexpr int kLast = Shape::kBandRows - 1;
    static_assert(Shape::kTapBlocks == 5 && kLast >= 3);

public:
    using Base::Base;

    /// @param begin  begin() does what products do not need, under the first ones, and returns the biases of the
    /// layer's
    ///               filters
    template <typename Begin>
    LOSSMAP_HD void run(const Begin& begin) {
        RowSums sums;
        Part done;  // the last complete row, not stored
        Edge edge;  // what a row beyond the band adds to the first or last one
        if (this->reads_above()) multiply_edge(edge, -1, Shape::tap_block(0));
        turn<0, true>(sums, done, edge, 0, [&] { this->prepare(begin()); });
        for (int row = 1;; row += 3) {
            turn<1, false>(sums, done, edge, row, [] {});
            if (kLast % 3 == 1 && row == kLast) break;
            turn<2, false>(sums, done, edge, row + 1, [] {});
            if (kLast % 3 == 2 && row + 1 == kLast) break;
            turn<0, false>(sums, done, edge, row + 2, [] {});
            if (kLast % 3 == 0 && row + 2 == kLast) break;
        }
        Pairs residuals[2];
        load_residual(residuals[0], kLast - 1);
        load_residual(residuals[1], kLast);
        complete(kLast - 1, done, residuals[0]);
        this->add_bias(done, sums, kLast % 3 * kPart);
        if (this->reads_below()) add_edge(done, edge);
        complete(kLast, done, residuals[1]);
    }

private:
    /// Input row `row` of the band, which is kTurn modulo 3: completes the row above it, whose part is the next but
    /// one's then.
    /// @param kFirst  the band's first row, whose code stands apart: sums that may be read before they have been
    /// written
    ///                would keep their registers through all of the kernel
    /// @param begin   what is done under its products
    template <int kTurn, bool kFirst, typename Begin>
    LOSSMAP_HD void turn(RowSums& sums, Part& done, Edge& edge, int row, const Begin& begin) {
        constexpr int kDone = (kTurn + 2) % 3 * kPart;
        if (kTurn == kLast % 3 && row == kLast && this->reads_below())
            multiply_edge(edge, kLast + 1, Shape::tap_block(2));
        group_.begin();
        products(sums, row, (4 - kTurn) % 3, 0, Shape::kSteps, !kFirst);
        group_.commit();
        begin();
        // Behind a branch, as the compiler would mix it into the products, which then begin later.
        if (!kFirst && group_.settled(row) > 1) complete(row - 2, done);
        sums.template finish<0>(group_);
        // Behind the first row what is taken belongs to no row of the band; its part is 0 then.
        this->take(done, sums, kDone);
        if (kTurn == 1 && row == 1 && this->reads_above()) add_edge(done, edge);
    }
    /// Begins what a row beyond the band adds to the one beside it.
    LOSSMAP_HD void multiply_edge(Edge& edge, int row, int block) {
        group_.begin();
        products(edge, row, block, 0, Shape::kSteps, false);
        group_.commit();
    }
    LOSSMAP_HD void add_edge(Part& done, Edge& edge) {
        edge.template finish<0>(group_);
        this->template add<0>(done, done, edge);
    }
};

}  // namespace lossmap::kernels
