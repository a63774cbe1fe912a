#include "cuda/backend/theta_packer.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "core/error.hpp"

namespace lossmap::cuda {
namespace {

constexpr std::size_t kTableAlignment = 64;

std::size_t aligned(std::size_t bytes) { return (bytes + kTableAlignment - 1) / kTableAlignment * kTableAlignment; }

}  // namespace

std::size_t ThetaWave::table_bytes() const {
    return aligned(folds_.size() * sizeof(kernels::FoldTarget)) +
           aligned(packs_.size() * sizeof(kernels::PerturbTarget)) +
           aligned(biases_.size() * sizeof(kernels::BiasTarget));
}

void ThetaWave::visit(const std::function<void(const Located&, bool)>& visitor) const {
    for (const NormFold& fold : folds_) {
        for (const Located* source : {&fold.gamma, &fold.beta, &fold.mean, &fold.variance})
            visitor(*source, false);
        visitor(fold.out.scale, true);
        visitor(fold.out.shift, true);
    }
    for (const WeightPack& pack : packs_) {
        visitor(pack.source, false);
        if (pack.scale) visitor(*pack.scale, false);
        visitor(pack.out, true);
        if (pack.low) visitor(*pack.low, true);
    }
    for (const BiasPack& pack : biases_) {
        if (pack.bias) visitor(*pack.bias, false);
        if (pack.added) visitor(*pack.added, false);
        if (pack.norm) {
            visitor(pack.norm->scale, false);
            visitor(pack.norm->shift, false);
        }
        visitor(pack.out, true);
    }
}

std::vector<Place> ThetaWave::places() const {
    std::vector<Place> result{own_.coordinates, own_.weight_flags, own_.faults, own_.states.place};
    visit([&](const Located& array, bool) {
        if (!array.pristine) result.push_back(array.place);
    });
    result.insert(result.end(), tables_.begin(), tables_.end());
    return result;
}

std::vector<Access> ThetaWave::accesses(const Frame& frame) const {
    std::vector<Access> result = frame.theta->accesses();
    result.push_back({frame.address(tables_[frame.theta_set]), table_bytes(), false});
    visit([&](const Located& array, bool writes) {
        if (!array.pristine) result.push_back({frame.address(array), array.span_bytes(points_), writes});
    });
    return result;
}

kernels::ThetaArray ThetaWave::array(const Frame& frame, const Located& source) const {
    kernels::ThetaArray result;
    if (!source.pristine) {
        result.base = reinterpret_cast<const float*>(frame.address(source));
        result.base_point_stride = source.point_stride;
        return result;
    }
    const std::int64_t offset = source.pristine->offset + source.offset;
    if (source.pristine->states) {
        result.base = reinterpret_cast<const float*>(frame.address(own_.states.place)) + offset;
        result.base_point_stride = own_.states.point_stride;
        return result;
    }
    result.base = frame.theta->origin() + offset;
    for (std::size_t k = 0; k < frame.theta->axes(); ++k) {
        if (frame.theta->axis(k) != nullptr) result.axes[k] = frame.theta->axis(k) + offset;
    }
    return result;
}

std::vector<kernels::FoldTarget> ThetaWave::fold_targets(const Frame& frame) const {
    std::vector<kernels::FoldTarget> targets;
    std::int64_t first = 0;
    for (const NormFold& fold : folds_) {
        kernels::FoldTarget target;
        target.gamma = array(frame, fold.gamma);
        target.beta = array(frame, fold.beta);
        target.mean = array(frame, fold.mean);
        target.variance = array(frame, fold.variance);
        target.epsilon = fold.epsilon;
        target.channels = fold.channels;
        target.scale = reinterpret_cast<double*>(frame.address(fold.out.scale));
        target.shift = reinterpret_cast<double*>(frame.address(fold.out.shift));
        target.point_stride = fold.out.scale.point_stride;
        target.first = first;
        first += fold.channels;
        targets.push_back(target);
    }
    return targets;
}

std::vector<kernels::PerturbTarget> ThetaWave::perturb_targets(const Frame& frame) const {
    std::vector<kernels::PerturbTarget> targets;
    std::int64_t first = 0;
    for (const WeightPack& pack : packs_) {
        kernels::PerturbTarget target;
        target.source = array(frame, pack.source);
        target.rank = static_cast<int>(pack.extents.size());
        std::copy(pack.extents.begin(), pack.extents.end(), target.extents);
        std::copy(pack.valid.begin(), pack.valid.end(), target.valid);
        std::copy(pack.source_strides.begin(), pack.source_strides.end(), target.source_strides);
        if (pack.scale) {
            target.scale = reinterpret_cast<const double*>(frame.address(*pack.scale));
            target.scale_point_stride = pack.scale->point_stride;
        }
        target.filter_axis = pack.filter_axis;
        target.weight_factor = pack.weight_factor;
        target.out = frame.address(pack.out);
        target.type = pack.out.type;
        target.out_point_stride = pack.out.point_stride;
        if (pack.low) target.low_offset = pack.low->offset - pack.out.offset;
        if (pack.out.type == DType::f16)
            target.overflow = reinterpret_cast<std::uint32_t*>(frame.address(own_.weight_flags));
        target.first = first;
        first += target.packs();
        targets.push_back(target);
    }
    return targets;
}

std::vector<kernels::BiasTarget> ThetaWave::bias_targets(const Frame& frame) const {
    std::vector<kernels::BiasTarget> targets;
    std::int64_t first = 0;
    for (const BiasPack& pack : biases_) {
        kernels::BiasTarget target;
        if (pack.bias) target.bias = array(frame, *pack.bias);
        target.one_for_all = pack.one_for_all;
        target.bias_factor = pack.bias_factor;
        if (pack.added) target.added = array(frame, *pack.added);
        if (pack.norm) {
            target.scale = reinterpret_cast<const double*>(frame.address(pack.norm->scale));
            target.shift = reinterpret_cast<const double*>(frame.address(pack.norm->shift));
            target.scale_point_stride = pack.norm->scale.point_stride;
        }
        target.filters = pack.filters;
        target.padded_filters = pack.padded_filters;
        target.out = frame.address(pack.out);
        target.type = pack.out.type;
        target.out_point_stride = pack.out.point_stride;
        target.first = first;
        first += pack.padded_filters;
        targets.push_back(target);
    }
    return targets;
}

void ThetaWave::prepare(const Frame& frame, const Upload& upload) const {
    if (empty()) return;
    const auto folds = fold_targets(frame);
    const auto packs = perturb_targets(frame);
    const auto biases = bias_targets(frame);
    std::vector<std::byte> table;
    table.reserve(table_bytes());
    const auto append = [&](const auto& targets) {
        const auto bytes = std::as_bytes(std::span(targets));
        table.insert(table.end(), bytes.begin(), bytes.end());
        table.resize(aligned(table.size()));
    };
    append(folds);
    append(packs);
    append(biases);
    upload(tables_[frame.theta_set], table);
}

kernels::Coordinates ThetaWave::coordinates(const Frame& frame) const {
    return {reinterpret_cast<const float*>(frame.address(own_.coordinates)), static_cast<int>(frame.theta->axes())};
}

void ThetaWave::queue(const Frame& frame) const {
    if (first_) {
        frame.queue->fill(frame.address(own_.weight_flags), 0,
                          static_cast<std::size_t>(points_) * sizeof(std::uint32_t));
        frame.queue->fill(frame.address(own_.faults), 0, sizeof(std::uint32_t));
    }
    if (empty()) return;
    const std::byte* table = frame.address(tables_[frame.theta_set]);
    kernels::FoldFactorsArgs fold;
    fold.targets = reinterpret_cast<const kernels::FoldTarget*>(table);
    fold.target_count = static_cast<int>(folds_.size());
    for (const NormFold& item : folds_)
        fold.channels += item.channels;
    table += aligned(folds_.size() * sizeof(kernels::FoldTarget));
    kernels::PerturbArgs perturb;
    perturb.targets = reinterpret_cast<const kernels::PerturbTarget*>(table);
    perturb.target_count = static_cast<int>(packs_.size());
    for (const kernels::PerturbTarget& target : perturb_targets(frame))
        perturb.packs += target.packs();
    table += aligned(packs_.size() * sizeof(kernels::PerturbTarget));
    kernels::PerturbBiasArgs bias;
    bias.targets = reinterpret_cast<const kernels::BiasTarget*>(table);
    bias.target_count = static_cast<int>(biases_.size());
    for (const BiasPack& pack : biases_)
        bias.filters += pack.padded_filters;
    fold.coordinates = perturb.coordinates = bias.coordinates = coordinates(frame);
    fold.points = perturb.points = bias.points = points_;
    frame.queue->launch("perturb", accesses(frame), [&kernels = kernels_, fold, perturb, bias](void* stream) {
        const kernels::Queue queue{stream};
        if (fold.channels > 0) kernels.fold_factors(fold, queue);
        if (perturb.packs > 0) kernels.perturb(perturb, queue);
        if (bias.filters > 0) kernels.perturb_bias(bias, queue);
    });
}

ThetaPacker::ThetaPacker(const kernels::KernelTable& kernels, const ThetaPlaces& places, std::int64_t points)
    : first_(std::make_unique<ThetaWave>(kernels, places, points, true)),
      last_(std::make_unique<ThetaWave>(kernels, places, points, false)) {}

bool ThetaPacker::early(const Located& array) const {
    return array.pristine || array.place.phase == Phase::constant ||
           std::find(made_early_.begin(), made_early_.end(), array.place) != made_early_.end();
}

void ThetaPacker::add(const NormFold& fold) {
    const bool is_early = early(fold.gamma) && early(fold.beta) && early(fold.mean) && early(fold.variance);
    (is_early ? first_ : last_)->add(fold);
    if (!is_early) return;
    made_early_.push_back(fold.out.scale.place);
    made_early_.push_back(fold.out.shift.place);
}

void ThetaPacker::add(const WeightPack& pack) {
    const bool is_early = early(pack.source) && (!pack.scale || early(*pack.scale));
    (is_early ? first_ : last_)->add(pack);
}

void ThetaPacker::add(const BiasPack& pack) {
    const bool is_early = (!pack.bias || early(*pack.bias)) && (!pack.added || early(*pack.added)) &&
                          (!pack.norm || early(pack.norm->scale));
    (is_early ? first_ : last_)->add(pack);
}

}  // namespace lossmap::cuda
