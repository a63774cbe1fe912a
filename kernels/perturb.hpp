#pragma once

#include <cstdint>

#include "kernels/fold_factors.hpp"
#include "kernels/operand.hpp"
#include "kernels/split_pair.hpp"
#include "kernels/storage.hpp"
#include "kernels/theta.hpp"

namespace lossmap::kernels {

/// Dimensions of a packed weight.
inline constexpr int kPackRank = 6;

/// One weight as its consumer wants it: perturbed, multiplied by its filter's factor (batch norm folded behind the
/// perturbation, alpha of a Gemm), converted, laid out with zeros as padding.
///
/// The packed array is row-major with `extents`; element (i0, i1, ..) is source element sum_k i_k * source_strides[k]
/// where every i_k < valid[k], else 0. OIHW -> OHWI padded to 8 channels: extents {O, H, W, 8}, valid {O, H, W, I},
/// source_strides {I*H*W, W, 1, H*W}. A weight has fewer than 2^31 elements; it is written by packs where its last
/// extent is a multiple of 8 (the point stride has to be one, too, then).
struct PerturbTarget {
    ThetaArray source;
    int rank = 1;
    std::int64_t extents[kPackRank] = {1, 1, 1, 1, 1, 1};
    std::int64_t valid[kPackRank] = {1, 1, 1, 1, 1, 1};
    std::int64_t source_strides[kPackRank] = {};
    const double* scale = nullptr;  ///< [points, filters] of fold_factors; null: 1
    std::int64_t scale_point_stride = 0;
    int filter_axis = 0;         ///< dimension of the packed array that counts filters
    double weight_factor = 1.0;  ///< multiplies the scale; the product is rounded to fp32
    void* out = nullptr;         ///< 16-byte aligned
    DType type = DType::f32;     ///< f32, f16, bf16
    std::int64_t out_point_stride = 0;
    /// f16: elements from a weight to its low part (kernels/split_pair.hpp), a multiple of 8; 0: there is none.
    std::int64_t low_offset = 0;
    std::uint32_t* overflow = nullptr;  ///< [points]; set where a value overflows f16; null: not watched
    std::int64_t first = 0;             ///< sum of packs() of the targets in front

    /// Elements that one thread writes: 8 where the last dimension allows, else 1.
    [[nodiscard]] LOSSMAP_HD int pack_size() const { return extents[rank - 1] % 8 == 0 ? 8 : 1; }
    [[nodiscard]] LOSSMAP_HD std::int64_t count() const {
        std::int64_t product = 1;
        for (int axis = 0; axis < rank; ++axis)
            product *= extents[axis];
        return product;
    }
    [[nodiscard]] LOSSMAP_HD std::int64_t packs() const { return count() / pack_size(); }
};

struct PerturbArgs {
    const PerturbTarget* targets = nullptr;  ///< [target_count] in device memory
    int target_count = 0;
    std::int64_t packs = 0;  ///< of all targets
    Coordinates coordinates;
    std::int64_t points = 0;
};

/// One thread lays out one pack of elements for `kPoints` points: theta and the axes are read once for all of them.
struct Perturb {
    static constexpr int kPoints = 8;
    PerturbArgs args;

    LOSSMAP_HD void operator()(std::int64_t group, std::int64_t index) const {
        const PerturbTarget& target = target_of(args.targets, args.target_count, index);
        if (target.pack_size() == 8)
            lay_out<8>(target, group, index - target.first);
        else
            lay_out<1>(target, group, index - target.first);
    }

private:
    /// Where the elements of a pack come from.
    template <int N>
    struct Places {
        std::int32_t source[N];    ///< -1: padding
        std::int32_t filter;       ///< of element 0
        std::int32_t filter_step;  ///< 1 where the innermost dimension counts filters
    };

    template <int N>
    LOSSMAP_HD static Places<N> places_of(const PerturbTarget& target, std::int64_t pack) {
        const int last = target.rank - 1;
        std::int64_t base = 0;
        std::int64_t filter = 0;
        bool inside = true;
        auto rest = static_cast<std::uint32_t>(pack);
        std::uint32_t width = static_cast<std::uint32_t>(target.extents[last]) / N;
        const std::int64_t begin = static_cast<std::int64_t>(rest % width) * N;
        rest /= width;
        for (int axis = last - 1; axis >= 0; --axis) {
            width = static_cast<std::uint32_t>(target.extents[axis]);
            const std::int64_t at = rest % width;
            rest /= width;
            base += at * target.source_strides[axis];
            inside = inside && at < target.valid[axis];
            if (axis == target.filter_axis) filter = at;
        }
        Places<N> places;
        places.filter = static_cast<std::int32_t>(target.filter_axis == last ? begin : filter);
        places.filter_step = target.filter_axis == last ? 1 : 0;
        LOSSMAP_UNROLL
        for (int k = 0; k < N; ++k) {
            const bool real = inside && begin + k < target.valid[last];
            places.source[k] = real ? static_cast<std::int32_t>(base + (begin + k) * target.source_strides[last]) : -1;
        }
        return places;
    }

    template <int N>
    LOSSMAP_HD static void gather(const float* from, const Places<N>& places, float (&values)[N]) {
        LOSSMAP_UNROLL
        for (int k = 0; k < N; ++k)
            values[k] = from != nullptr && places.source[k] >= 0 ? from[places.source[k]] : 0.0F;
    }

    template <int N>
    LOSSMAP_HD void lay_out(const PerturbTarget& target, std::int64_t group, std::int64_t pack) const {
        const Places<N> places = places_of<N>(target, pack);
        const std::int64_t first = group * kPoints;
        const std::int64_t last = first + kPoints < args.points ? first + kPoints : args.points;
        const bool resident = args.coordinates.axes <= 2 && target.source.base_point_stride == 0;
        const float* axis0 = args.coordinates.axes > 0 ? target.source.axes[0] : nullptr;
        const float* axis1 = args.coordinates.axes > 1 ? target.source.axes[1] : nullptr;
        float base[N], step0[N], step1[N];
        if (resident) {
            gather<N>(target.source.base, places, base);
            gather<N>(axis0, places, step0);
            gather<N>(axis1, places, step1);
        }
        for (std::int64_t point = first; point < last; ++point) {
            float values[N];
            if (resident) {
                const float* c = args.coordinates.values + point * args.coordinates.axes;
                LOSSMAP_UNROLL
                for (int k = 0; k < N; ++k) {
                    // An axis that does not move the weight adds nothing, not even a +0.
                    if (axis0 != nullptr && axis1 != nullptr)
                        values[k] = base[k] + (step0[k] * c[0] + step1[k] * c[1]);
                    else if (axis0 != nullptr)
                        values[k] = base[k] + step0[k] * c[0];
                    else
                        values[k] = axis1 != nullptr ? base[k] + step1[k] * c[1] : base[k];
                }
            } else {
                LOSSMAP_UNROLL
                for (int k = 0; k < N; ++k) {
                    values[k] = places.source[k] < 0
                                    ? 0.0F
                                    : theta_at(target.source, args.coordinates, point, places.source[k]);
                }
            }
            finish<N>(target, places, point, pack, values);
        }
    }

    /// Factor of a filter, rounded to fp32; 0 for a filter that is padding.
    LOSSMAP_HD static float factor_of(const PerturbTarget& target, std::int64_t point, std::int64_t filter,
                                      bool is_real) {
        if (!is_real) return 0.0F;
        const double scale = target.scale == nullptr ? 1.0 : target.scale[point * target.scale_point_stride + filter];
        return static_cast<float>(scale * target.weight_factor);
    }

    template <int N>
    LOSSMAP_HD static void finish(const PerturbTarget& target, const Places<N>& places, std::int64_t point,
                                  std::int64_t pack, float (&values)[N]) {
        bool overflow = false;
        if (target.scale != nullptr || target.weight_factor != 1.0) {
            float factor = 0.0F;
            LOSSMAP_UNROLL
            for (int k = 0; k < N; ++k) {
                if (k == 0 || places.filter_step != 0)
                    factor = factor_of(target, point, places.filter + k * places.filter_step, places.source[k] >= 0);
                values[k] *= factor;
            }
        }
        LOSSMAP_UNROLL
        for (int k = 0; k < N; ++k) {
            // Padding stays 0, whatever its filter's factor is.
            if (places.source[k] < 0) values[k] = 0.0F;
            overflow = overflow || !(values[k] >= -65504.0F && values[k] <= 65504.0F);
        }
        if (overflow && target.overflow != nullptr && target.type == DType::f16) set_bits(target.overflow + point, 1);
        const std::int64_t place = point * target.out_point_stride + pack * N;
        store_pack<N>(target.out, target.type, place, values);
        if (target.low_offset == 0) return;
        LOSSMAP_UNROLL
        for (int k = 0; k < N; ++k)
            values[k] = low_part(values[k]);
        store_pack<N>(target.out, target.type, place + target.low_offset, values);
    }
};

template <typename Launch>
void launch_perturb(const PerturbArgs& args, const Launch& launch) {
    if (args.coordinates.axes > kMaxAxes) refuse("perturb", "too many axes", args.coordinates.axes);
    launch.items((args.points + Perturb::kPoints - 1) / Perturb::kPoints, args.packs, Perturb{args});
}

}  // namespace lossmap::kernels
