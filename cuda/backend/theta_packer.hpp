#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cuda/backend/located.hpp"
#include "cuda/backend/operation.hpp"
#include "kernels/kernel_table.hpp"

namespace lossmap::cuda {

/// Where what belongs to a block of points lies, in the theta phase.
struct ThetaPlaces {
    Place coordinates;   ///< f32 [points, axes]
    Located states;      ///< f32 [states] a point: few, moved or replaced on the host
    Place faults;        ///< u32: what is wrong with the data
    Place weight_flags;  ///< u32 [points]: a weight that f16 does not hold
};

/// Scale and shift of a batch norm, f64 [channels] a point; absent: 1 and 0.
struct NormFactorsPlace {
    Located scale;
    Located shift;
};

/// One weight for its consumer: dimension k of the packed array runs over `valid[k]` elements of the source,
/// `source_strides[k]` apart, and holds zeros up to `extents[k]`.
struct WeightPack {
    Located source;
    Shape extents;
    Shape valid;
    Shape source_strides;
    std::optional<Located> scale;
    int filter_axis = 0;
    double weight_factor = 1.0;
    Located out;
    std::optional<Located> low;  ///< of weights that are split (kernels/split_pair.hpp), beside `out`: their low parts
};

struct BiasPack {
    std::optional<Located> bias;
    bool one_for_all = false;
    double bias_factor = 1.0;
    std::optional<Located> added;
    std::optional<NormFactorsPlace> norm;
    std::int64_t filters = 0;
    std::int64_t padded_filters = 0;
    Located out;
};

struct NormFold {
    Located gamma;
    Located beta;
    Located mean;
    Located variance;
    double epsilon = 1e-5;
    std::int64_t channels = 0;
    NormFactorsPlace out;
};

/// All weights of one wave in three launches: factors of batch norms, weights, biases. Their descriptions lie in device
/// memory, one table for each set of weights.
class ThetaWave final : public Operation {
public:
    ThetaWave(const kernels::KernelTable& kernels, ThetaPlaces own, std::int64_t points, bool first)
        : kernels_(kernels), own_(std::move(own)), points_(points), first_(first) {}

    void add(const NormFold& fold) { folds_.push_back(fold); }
    void add(const WeightPack& pack) { packs_.push_back(pack); }
    void add(const BiasPack& pack) { biases_.push_back(pack); }
    [[nodiscard]] bool empty() const { return folds_.empty() && packs_.empty() && biases_.empty(); }
    /// Bytes of the tables of one set of weights.
    [[nodiscard]] std::size_t table_bytes() const;
    void use_tables(const std::array<Place, kThetaSets>& tables) { tables_ = tables; }

    void prepare(const Frame& frame, const Upload& upload) const override;
    void queue(const Frame& frame) const override;
    [[nodiscard]] std::vector<Place> places() const override;
    [[nodiscard]] std::string implementation() const override { return "kernels perturb"; }

private:
    [[nodiscard]] kernels::ThetaArray array(const Frame& frame, const Located& source) const;
    [[nodiscard]] std::vector<kernels::FoldTarget> fold_targets(const Frame& frame) const;
    [[nodiscard]] std::vector<kernels::PerturbTarget> perturb_targets(const Frame& frame) const;
    [[nodiscard]] std::vector<kernels::BiasTarget> bias_targets(const Frame& frame) const;
    [[nodiscard]] kernels::Coordinates coordinates(const Frame& frame) const;
    /// Everything that is read and written, for devices that check.
    [[nodiscard]] std::vector<Access> accesses(const Frame& frame) const;
    void visit(const std::function<void(const Located&, bool writes)>& visitor) const;

    const kernels::KernelTable& kernels_;
    ThetaPlaces own_;
    std::int64_t points_;
    bool first_;  ///< clears flags and faults
    std::vector<NormFold> folds_;
    std::vector<WeightPack> packs_;
    std::vector<BiasPack> biases_;
    std::array<Place, kThetaSets> tables_{};
};

/// Gathers weights into two waves: what can be computed from origin and axes alone goes in front of everything else,
/// what needs values that the graph computes from parameters behind them.
class ThetaPacker {
public:
    ThetaPacker(const kernels::KernelTable& kernels, const ThetaPlaces& places, std::int64_t points);

    void add(const NormFold& fold);
    void add(const WeightPack& pack);
    void add(const BiasPack& pack);

    [[nodiscard]] std::unique_ptr<ThetaWave> take_first() { return std::move(first_); }
    [[nodiscard]] std::unique_ptr<ThetaWave> take_last() { return std::move(last_); }

private:
    /// Whether an array is there before the first theta-only node has run.
    [[nodiscard]] bool early(const Located& array) const;

    std::unique_ptr<ThetaWave> first_;
    std::unique_ptr<ThetaWave> last_;
    std::vector<Place> made_early_;  ///< results of the first wave
};

}  // namespace lossmap::cuda
