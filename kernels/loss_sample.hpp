#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

enum class LossFunction : std::uint8_t { cross_entropy, bce_with_logits, mse, mae, huber, output };

/// What one sample adds to the sums at one point; the fields of LossSums.
struct SampleLoss {
    double loss_sum = 0.0;
    double loss_square_sum = 0.0;
    double weight_sum = 0.0;
    std::int32_t correct = 0;
    std::int32_t counted = 0;
    std::int32_t non_finite = 0;
    std::uint32_t overflow = 0;  ///< 1: an activation overflowed, the sample is to be evaluated again
};

/// Losses of `samples` samples at each point, in fp64 from the network's raw output, as the CPU backend's host_loss
/// does it (its documentation holds here, too).
///
/// cross_entropy: logits [samples, outer, classes, inner], targets i64 [samples, outer, inner]. mse with one_hot:
/// logits [samples, classes], targets i64 [samples]. The others: [samples, outer * classes * inner] against f32 or i64
/// of that shape; `output`: [samples], no targets.
struct LossTermsArgs {
    LossFunction function = LossFunction::cross_entropy;
    Input logits;
    Input targets;
    std::int64_t points = 0;
    std::int64_t samples = 0;
    std::int64_t outer = 1;
    std::int64_t classes = 1;
    std::int64_t inner = 1;
    bool has_ignore_index = false;
    std::int64_t ignore_index = 0;
    double label_smoothing = 0.0;
    const double* class_weights = nullptr;  ///< [classes]; null: all 1
    bool one_hot_targets = false;
    bool softmax_activation = false;
    double delta = 1.0;
    /// OverflowFlags::data of this pass, [points, terms_point_stride + 1]; null: none. A pass may have more samples
    /// than count.
    const std::uint32_t* overflow = nullptr;
    SampleLoss* terms = nullptr;  ///< [points, samples], `terms_point_stride` apart
    std::int64_t terms_point_stride = 0;
    std::uint32_t* faults = nullptr;
};

/// Logits of one sample as fp64, through the layout of its rows.
struct LossRow {
    const Input* logits;
    std::int64_t base, step;

    [[nodiscard]] LOSSMAP_HD double at(std::int64_t k) const {
        return static_cast<double>(load_float(logits->data, logits->type, base + k * step));
    }
};

/// log(sum(exp(x))) without overflow; NaN when any element is NaN.
LOSSMAP_HD inline double log_sum_exp(const LossRow& row, std::int64_t count) {
    double largest = -HUGE_VAL;
    for (std::int64_t k = 0; k < count; ++k) {
        const double x = row.at(k);
        if (x != x) return x;
        largest = x > largest ? x : largest;
    }
    if (largest == HUGE_VAL || largest == -HUGE_VAL) return largest;
    double sum = 0.0;
    for (std::int64_t k = 0; k < count; ++k)
        sum += std::exp(row.at(k) - largest);
    return largest + std::log(sum);
}

/// Whether `label` is the first maximum; a NaN counts as the maximum and is never correct.
LOSSMAP_HD inline bool is_correct(const LossRow& row, std::int64_t count, std::int64_t label) {
    const double own = row.at(label);
    if (own != own) return false;
    for (std::int64_t k = 0; k < count; ++k) {
        const double x = row.at(k);
        if (x != x || (k < label ? x >= own : x > own)) return false;
    }
    return true;
}

/// Adds one term: `numerator` is weight times loss.
LOSSMAP_HD inline void add_term(SampleLoss& sums, double numerator, double weight) {
    sums.loss_sum += numerator;
    sums.weight_sum += weight;
    sums.loss_square_sum += weight > 0.0 ? numerator * numerator / weight : 0.0;
    sums.counted += 1;
    if (!(numerator > -HUGE_VAL && numerator < HUGE_VAL)) sums.non_finite += 1;
}

LOSSMAP_HD inline double element_loss(LossFunction function, double delta, double value, double target) {
    const double difference = value - target;
    switch (function) {
        case LossFunction::mse: return difference * difference;
        case LossFunction::mae: return std::fabs(difference);
        case LossFunction::huber: {
            const double size = std::fabs(difference);
            // Written so that NaN takes the quadratic branch and stays NaN.
            return size > delta ? delta * (size - 0.5 * delta) : 0.5 * difference * difference;
        }
        default: {  // bce_with_logits, stable for both signs of the logit
            const double positive = value < 0.0 ? 0.0 : value;
            return positive - value * target + std::log1p(std::exp(-std::fabs(value)));
        }
    }
}

/// What all variants share: one sample's data.
struct LossSample {
    LossTermsArgs args;

    [[nodiscard]] LOSSMAP_HD std::int64_t size() const { return args.outer * args.classes * args.inner; }
    [[nodiscard]] LOSSMAP_HD std::int64_t places() const { return args.outer * args.inner; }
    [[nodiscard]] LOSSMAP_HD std::int64_t logits_base(std::int64_t point, std::int64_t sample) const {
        return point * args.logits.point_stride + sample * size();
    }
    [[nodiscard]] LOSSMAP_HD std::int64_t label_at(std::int64_t point, std::int64_t index) const {
        return load_int(args.targets.data, args.targets.type, point * args.targets.point_stride + index);
    }
    LOSSMAP_HD void fault() const { raise_fault(args.faults, kFaultLabel); }

    [[nodiscard]] LOSSMAP_HD double class_weight(std::int64_t c) const {
        return args.class_weights == nullptr ? 1.0 : args.class_weights[c];
    }
    /// Classes of one place of a sample (cross_entropy).
    [[nodiscard]] LOSSMAP_HD LossRow class_row(std::int64_t point, std::int64_t sample, std::int64_t place) const {
        const auto inner = static_cast<std::uint32_t>(args.inner);
        const std::int64_t o = static_cast<std::uint32_t>(place) / inner;
        const std::int64_t i = static_cast<std::uint32_t>(place) % inner;
        return {&args.logits, logits_base(point, sample) + o * args.classes * args.inner + i, args.inner};
    }
    /// All elements of a sample.
    [[nodiscard]] LOSSMAP_HD LossRow element_row(std::int64_t point, std::int64_t sample) const {
        return {&args.logits, logits_base(point, sample), 1};
    }
    [[nodiscard]] LOSSMAP_HD bool ignores(std::int64_t label) const {
        return args.has_ignore_index && label == args.ignore_index;
    }
    [[nodiscard]] LOSSMAP_HD bool is_class(std::int64_t label) const { return label >= 0 && label < args.classes; }

    /// sum_c w[c] (-log p[c]) over every `step`-th class from `first` on.
    [[nodiscard]] LOSSMAP_HD double all_classes(const LossRow& row, double normalizer, std::int64_t first,
                                                std::int64_t step) const {
        double all = 0.0;
        for (std::int64_t c = first; c < args.classes; c += step)
            all += class_weight(c) * (normalizer - row.at(c));
        return all;
    }
    /// Adds (1-s) w[y] (-log p[y]) + s/C sum_c w[c] (-log p[c]); `all` is that sum.
    LOSSMAP_HD void add_target(SampleLoss& sums, const LossRow& row, std::int64_t label, double normalizer, double all,
                               bool correct) const {
        double term = class_weight(label) * (normalizer - row.at(label));
        if (args.label_smoothing != 0.0) {
            const double smoothing = args.label_smoothing;
            term = (1.0 - smoothing) * term + smoothing / static_cast<double>(args.classes) * all;
        }
        add_term(sums, term, class_weight(label));
        if (correct) sums.correct += 1;
    }
    /// One target of cross_entropy, by one thread.
    LOSSMAP_HD void add_cross_entropy(SampleLoss& sums, std::int64_t point, std::int64_t sample,
                                      std::int64_t place) const {
        const std::int64_t label = label_at(point, sample * places() + place);
        if (ignores(label)) return;
        if (!is_class(label)) return fault();
        const LossRow row = class_row(point, sample, place);
        const double normalizer = log_sum_exp(row, args.classes);
        const double all = args.label_smoothing != 0.0 ? all_classes(row, normalizer, 0, 1) : 0.0;
        add_target(sums, row, label, normalizer, all, is_correct(row, args.classes, label));
    }

    /// Sum of the loss over every `step`-th element from `first` on; `normalizer` belongs to the softmax.
    LOSSMAP_HD double element_sum(std::int64_t point, std::int64_t sample, std::int64_t first, std::int64_t step,
                                  double normalizer) const {
        const LossRow row = element_row(point, sample);
        const std::int64_t label = args.one_hot_targets ? label_at(point, sample) : 0;
        const std::int64_t targets = point * args.targets.point_stride + sample * size();
        double sum = 0.0;
        for (std::int64_t k = first; k < size(); k += step) {
            double target = label == k ? 1.0 : 0.0;
            if (!args.one_hot_targets) {
                target = is_float_storage(args.targets.type)
                             ? static_cast<double>(load_float(args.targets.data, args.targets.type, targets + k))
                             : static_cast<double>(load_int(args.targets.data, args.targets.type, targets + k));
            }
            const double x = args.softmax_activation ? std::exp(row.at(k) - normalizer) : row.at(k);
            sum += element_loss(args.function, args.delta, x, target);
        }
        return sum;
    }
    /// The sample's one term of a loss that is a mean over elements, `sum` being that over all of them.
    LOSSMAP_HD void add_mean(SampleLoss& sums, double sum) const {
        add_term(sums, sum / static_cast<double>(size()), 1.0);
    }
    /// The same of a whole sample, by one thread.
    LOSSMAP_HD void add_elements(SampleLoss& sums, std::int64_t point, std::int64_t sample) const {
        const LossRow row = element_row(point, sample);
        const std::int64_t label = args.one_hot_targets ? label_at(point, sample) : 0;
        if (args.one_hot_targets && !is_class(label)) return fault();
        const double normalizer = args.softmax_activation ? log_sum_exp(row, size()) : 0.0;
        add_mean(sums, element_sum(point, sample, 0, 1, normalizer));
        if (args.one_hot_targets && is_correct(row, size(), label)) sums.correct += 1;
    }

    LOSSMAP_HD void write(std::int64_t point, std::int64_t sample, SampleLoss sums) const {
        if (args.overflow != nullptr) {
            const std::uint32_t* flags = args.overflow + point * (args.terms_point_stride + 1);
            sums.overflow = (flags[sample] | flags[args.terms_point_stride]) != 0 ? 1 : 0;
        }
        args.terms[point * args.terms_point_stride + sample] = sums;
    }
};

}  // namespace lossmap::kernels
