#pragma once

#include <cstdint>

#include "kernels/matrix_layout.hpp"
#include "kernels/split_pair.hpp"

namespace lossmap::kernels {

/// A warpgroup's sums, N registers a thread: where numbers are two f16, those of products of high terms, and of
/// products with a low one, which are kSplitScale times as large. What is small is not added to what is large before
/// the end (docs/decisions/0021-split-products.md).
template <typename Shape, typename Group, int N>
struct WarpgroupSums {
    static constexpr int kTerms = Shape::kTerms;

    typename Group::template Registers<float, N> terms[kTerms];

    [[nodiscard]] LOSSMAP_HD float total(int thread, int k) const {
        if constexpr (kTerms == 1)
            return terms[0].at(thread, k);
        else
            return joined(terms[0].at(thread, k), terms[1].at(thread, k));
    }
    /// Makes a register of each term 0, once `value` has been computed from them. Each from itself where there are two:
    /// if both are made of one value, ptxas lets products wait for each other (C7511).
    LOSSMAP_HD void clear(const Group& group, int thread, int k, float value) {
        LOSSMAP_UNROLL
        for (int term = 0; term < kTerms; ++term)
            terms[term].at(thread, k) = group.zero_behind(kTerms == 1 ? value : terms[term].at(thread, k));
    }

    /// Begins a product with the operands whose high terms these are: sums = pixels x weights, or += where `add`.
    LOSSMAP_HD void multiply(Group& group, const MatrixDescriptor& pixels, const MatrixDescriptor& weights, bool add) {
        group.multiply(terms[0], pixels, weights, add);
        if constexpr (kTerms == 2) {
            group.multiply(terms[1], pixels, weights.moved(Shape::kLowWeights), add);
            group.multiply(terms[1], pixels.moved(Shape::kLowPixels), weights, true);
        }
    }
    /// The same with pixels from registers `first` .. of each term.
    template <int kPixels>
    LOSSMAP_HD void multiply(Group& group,
                             const typename Group::template Registers<std::uint32_t, kPixels> (&pixels)[kTerms],
                             int first, const MatrixDescriptor& weights, bool add) {
        group.multiply(terms[0], pixels[0], first, weights, add);
        if constexpr (kTerms == 2) {
            group.multiply(terms[1], pixels[0], first, weights.moved(Shape::kLowWeights), add);
            group.multiply(terms[1], pixels[1], first, weights, true);
        }
    }
    /// Waits until so many batches at most are not done, of which none has these sums: they can be read.
    template <int kBatches>
    LOSSMAP_HD void finish(Group& group) {
        if constexpr (kTerms == 1)
            group.template finish<kBatches>(terms[0]);
        else
            group.template finish<kBatches>(terms[0], terms[1]);
    }
};

}  // namespace lossmap::kernels
