#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/block_rows.hpp"
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
    const std::uint32_t* overflow = nullptr;  ///< OverflowFlags::data of this pass, [points, samples + 1]; null: none
    SampleLoss* terms = nullptr;              ///< [points, samples], `terms_point_stride` apart
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

    /// cross_entropy: (1-s) w[y] (-log p[y]) + s/C sum_c w[c] (-log p[c]) of one target.
    LOSSMAP_HD void add_cross_entropy(SampleLoss& sums, std::int64_t point, std::int64_t sample,
                                      std::int64_t place) const {
        const std::int64_t label = label_at(point, sample * places() + place);
        if (args.has_ignore_index && label == args.ignore_index) return;
        if (label < 0 || label >= args.classes) return fault();
        const auto inner = static_cast<std::uint32_t>(args.inner);
        const std::int64_t o = static_cast<std::uint32_t>(place) / inner;
        const std::int64_t i = static_cast<std::uint32_t>(place) % inner;
        const LossRow row{&args.logits, logits_base(point, sample) + o * args.classes * args.inner + i, args.inner};
        const double normalizer = log_sum_exp(row, args.classes);
        const auto weight = [&](std::int64_t c) { return args.class_weights == nullptr ? 1.0 : args.class_weights[c]; };
        double term = weight(label) * (normalizer - row.at(label));
        if (args.label_smoothing != 0.0) {
            double all = 0.0;
            for (std::int64_t c = 0; c < args.classes; ++c)
                all += weight(c) * (normalizer - row.at(c));
            const double smoothing = args.label_smoothing;
            term = (1.0 - smoothing) * term + smoothing / static_cast<double>(args.classes) * all;
        }
        add_term(sums, term, weight(label));
        if (is_correct(row, args.classes, label)) sums.correct += 1;
    }

    /// Sum of the loss over every `step`-th element from `first` on; `normalizer` belongs to the softmax.
    LOSSMAP_HD double element_sum(std::int64_t point, std::int64_t sample, std::int64_t first, std::int64_t step,
                                  double normalizer) const {
        const LossRow row{&args.logits, logits_base(point, sample), 1};
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
    [[nodiscard]] LOSSMAP_HD double normalizer_of(std::int64_t point, std::int64_t sample) const {
        return args.softmax_activation ? log_sum_exp(LossRow{&args.logits, logits_base(point, sample), 1}, size())
                                       : 0.0;
    }
    /// The sample's one term of a loss that is a mean over elements.
    LOSSMAP_HD void add_mean(SampleLoss& sums, std::int64_t point, std::int64_t sample, double sum) const {
        if (!args.one_hot_targets) return add_term(sums, sum / static_cast<double>(size()), 1.0);
        const std::int64_t label = label_at(point, sample);
        if (label < 0 || label >= args.classes) return fault();
        add_term(sums, sum / static_cast<double>(size()), 1.0);
        const LossRow row{&args.logits, logits_base(point, sample), 1};
        if (is_correct(row, args.classes, label)) sums.correct += 1;
    }

    LOSSMAP_HD void write(std::int64_t point, std::int64_t sample, SampleLoss sums) const {
        if (args.overflow != nullptr) {
            const std::uint32_t* flags = args.overflow + point * (args.samples + 1);
            sums.overflow = (flags[sample] | flags[args.samples]) != 0 ? 1 : 0;
        }
        args.terms[point * args.terms_point_stride + sample] = sums;
    }
};

/// One thread a sample.
struct LossTermsThread {
    LossSample sample_loss;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t sample) const {
        const LossTermsArgs& args = sample_loss.args;
        SampleLoss sums;
        if (args.function == LossFunction::cross_entropy) {
            for (std::int64_t place = 0; place < sample_loss.places(); ++place)
                sample_loss.add_cross_entropy(sums, point, sample, place);
        } else if (args.function == LossFunction::output) {
            add_term(sums, LossRow{&args.logits, sample_loss.logits_base(point, sample), 1}.at(0), 1.0);
        } else {
            const double normalizer = sample_loss.normalizer_of(point, sample);
            sample_loss.add_mean(sums, point, sample, sample_loss.element_sum(point, sample, 0, 1, normalizer));
        }
        sample_loss.write(point, sample, sums);
    }
};

/// 32 threads a sample: each takes every 32nd place (cross_entropy) or element, then the parts are added pairwise.
struct LossTermsBlock {
    using Rows = RowBlock<32>;
    static constexpr int kThreads = kRowThreads;
    struct Shared {
        SampleLoss partial[kRowThreads];
        double normalizer[kRowThreads];
    };
    struct Thread {};

    LossSample sample_loss;

    LOSSMAP_HD int phases() const { return Rows::kTreeSteps + 3; }

    LOSSMAP_HD void phase(int phase, std::int64_t point, std::int64_t block, int thread, Shared& shared,
                          Thread&) const {
        const LossTermsArgs& args = sample_loss.args;
        const std::int64_t sample = Rows::row_of(block, thread);
        if (sample >= args.samples) return;
        const bool by_place = args.function == LossFunction::cross_entropy;
        const int lane = Rows::lane_of(thread);
        if (phase == 0) {
            if (lane == 0) shared.normalizer[thread] = by_place ? 0.0 : sample_loss.normalizer_of(point, sample);
        } else if (phase == 1) {
            SampleLoss sums;
            if (by_place) {
                for (std::int64_t place = lane; place < sample_loss.places(); place += 32)
                    sample_loss.add_cross_entropy(sums, point, sample, place);
            } else {
                sums.loss_sum =
                    sample_loss.element_sum(point, sample, lane, 32, shared.normalizer[Rows::result_of(thread)]);
            }
            shared.partial[thread] = sums;
        } else if (phase < Rows::kTreeSteps + 2) {
            Rows::tree_step(shared.partial, thread, phase - 2, Join{});
        } else if (lane == 0) {
            SampleLoss sums = shared.partial[thread];
            if (!by_place) {
                sums = SampleLoss{};
                sample_loss.add_mean(sums, point, sample, shared.partial[thread].loss_sum);
            }
            sample_loss.write(point, sample, sums);
        }
    }

private:
    struct Join {
        LOSSMAP_HD SampleLoss operator()(SampleLoss a, const SampleLoss& b) const {
            a.loss_sum += b.loss_sum;
            a.loss_square_sum += b.loss_square_sum;
            a.weight_sum += b.weight_sum;
            a.correct += b.correct;
            a.counted += b.counted;
            a.non_finite += b.non_finite;
            return a;
        }
    };
};

template <typename Launch>
void launch_loss_terms(const LossTermsArgs& args, const Launch& launch) {
    if (!is_float_storage(args.logits.type)) refuse("loss_terms", "logits type", static_cast<int>(args.logits.type));
    const bool by_place = args.function == LossFunction::cross_entropy;
    const bool labels = by_place || args.one_hot_targets;
    if (args.function != LossFunction::output && labels && is_float_storage(args.targets.type))
        refuse("loss_terms", "label type", static_cast<int>(args.targets.type));
    const LossSample sample{args};
    if (!is_narrow(sample.size())) refuse("loss_terms", "too many elements a sample", sample.size());
    const std::int64_t work = by_place ? sample.places() : sample.size();
    if (args.function == LossFunction::output || work < kFewElements)
        return launch.items(args.points, args.samples, LossTermsThread{sample});
    launch.blocks(args.points, RowBlock<32>::blocks_of(args.samples), LossTermsBlock{sample});
}

}  // namespace lossmap::kernels
