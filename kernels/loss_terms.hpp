#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/block_rows.hpp"
#include "kernels/loss_sample.hpp"

namespace lossmap::kernels {

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
            add_term(sums, sample_loss.element_row(point, sample).at(0), 1.0);
        } else {
            sample_loss.add_elements(sums, point, sample);
        }
        sample_loss.write(point, sample, sums);
    }
};

/// One thread a sample of cross entropy with one place and up to kMost classes, without smoothing: the classes are in
/// registers, so that they are read at once and their exponentials do not wait for each other. The order of sums is
/// that of LossTermsThread.
struct LossTermsFew {
    static constexpr int kMost = 16;
    static constexpr int kTogether = 4;

    LossSample sample_loss;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t sample) const {
        SampleLoss sums;
        const std::int64_t label = sample_loss.label_at(point, sample);
        if (!sample_loss.ignores(label)) {
            if (sample_loss.is_class(label))
                add(sums, point, sample, label);
            else
                sample_loss.fault();
        }
        sample_loss.write(point, sample, sums);
    }

private:
    LOSSMAP_HD void add(SampleLoss& sums, std::int64_t point, std::int64_t sample, std::int64_t label) const {
        const Input& logits = sample_loss.args.logits;
        const LossRow row = sample_loss.element_row(point, sample);
        float values[kMost];
        switch (logits.type) {
            case DType::f16: load<Half>(logits.data, row.base, values); break;
            case DType::bf16: load<BFloat16>(logits.data, row.base, values); break;
            default: load<float>(logits.data, row.base, values);
        }
        const float own = static_cast<float>(row.at(label));
        float largest = -HUGE_VALF;
        bool correct = own == own;
        LOSSMAP_UNROLL
        for (int k = 0; k < kMost; ++k) {
            const float x = values[k];
            // A NaN is the largest, and stays it.
            if (!(largest != largest)) largest = x > largest || x != x ? x : largest;
            if (k < count() && (x != x || (k < label ? x >= own : x > own))) correct = false;
        }
        sample_loss.add_target(sums, row, label, normalizer(values, static_cast<double>(largest)), 0.0, correct);
    }

    [[nodiscard]] LOSSMAP_HD int count() const { return static_cast<int>(sample_loss.args.classes); }

    template <typename T>
    LOSSMAP_HD void load(const void* logits, std::int64_t base, float (&values)[kMost]) const {
        LOSSMAP_UNROLL
        for (int k = 0; k < kMost; ++k)
            values[k] = k < count() ? to_float(element_at<T>(logits, base + k)) : -HUGE_VALF;
    }

    /// log_sum_exp of what was read.
    [[nodiscard]] LOSSMAP_HD double normalizer(const float (&values)[kMost], double largest) const {
        if (!(largest > -HUGE_VAL && largest < HUGE_VAL)) return largest;
        double sum = 0.0;
        LOSSMAP_UNROLL
        for (int first = 0; first < kMost; first += kTogether) {
            if (first >= count()) continue;
            double exponentials[kTogether];
            LOSSMAP_UNROLL
            for (int k = 0; k < kTogether; ++k)
                exponentials[k] = std::exp(static_cast<double>(values[first + k]) - largest);
            LOSSMAP_UNROLL
            for (int k = 0; k < kTogether; ++k)
                sum += exponentials[k];
        }
        return largest + std::log(sum);
    }
};

/// 32 threads a sample: each takes every 32nd place (cross_entropy) or element, then the parts are added pairwise.
struct LossTermsBlock {
    using Rows = RowBlock<32>;
    static constexpr int kThreads = kRowThreads;
    struct Shared {
        SampleLoss partial[kRowThreads];
    };
    struct Thread {};

    LossSample sample_loss;

    LOSSMAP_HD int phases() const { return Rows::kTreeSteps + 2; }

    LOSSMAP_HD void phase(int phase, std::int64_t point, std::int64_t block, int thread, Shared& shared,
                          Thread&) const {
        const LossTermsArgs& args = sample_loss.args;
        const std::int64_t sample = Rows::row_of(block, thread);
        if (sample >= args.samples) return;
        const bool by_place = args.function == LossFunction::cross_entropy;
        const int lane = Rows::lane_of(thread);
        if (phase == 0) {
            SampleLoss sums;
            if (by_place) {
                for (std::int64_t place = lane; place < sample_loss.places(); place += 32)
                    sample_loss.add_cross_entropy(sums, point, sample, place);
            } else {
                sums.loss_sum = sample_loss.element_sum(point, sample, lane, 32, 0.0);
            }
            shared.partial[thread] = sums;
        } else if (phase <= Rows::kTreeSteps) {
            Rows::tree_step(shared.partial, thread, phase - 1, Join{});
        } else if (lane == 0) {
            SampleLoss sums = shared.partial[thread];
            if (!by_place) {
                sums = SampleLoss{};
                sample_loss.add_mean(sums, shared.partial[thread].loss_sum);
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

/// kLanes threads a sample, which share the classes of each of its places in turn (cross_entropy), or its elements
/// (losses with a softmax or labels): three passes over a row, each with its parts joined pairwise. The largest class
/// and whether the label is it; the normaliser; what is summed over all classes or elements.
template <int kLanes>
struct LossTermsRows {
    using Rows = RowBlock<kLanes>;
    static constexpr int kThreads = kRowThreads;
    struct Shared {
        double largest[kRowThreads];
        double exponentials[kRowThreads];
        double all[kRowThreads];
        std::int32_t beaten[kRowThreads];  ///< whether another class stands before the label
    };
    struct Thread {
        SampleLoss sums;  ///< of the first lane
    };

    LossSample sample_loss;

    LOSSMAP_HD int phases() const { return static_cast<int>(rows()) * row_phases() + 1; }

    LOSSMAP_HD void phase(int phase, std::int64_t point, std::int64_t block, int thread, Shared& shared,
                          Thread& state) const {
        const std::int64_t sample = Rows::row_of(block, thread);
        if (sample >= sample_loss.args.samples) return;
        const int place = phase / row_phases();
        const int own = phase % row_phases();
        if (place == rows()) {
            if (Rows::lane_of(thread) == 0) sample_loss.write(point, sample, state.sums);
            return;
        }
        const std::int64_t label = label_of(point, sample, place);
        if (sample_loss.ignores(label) && by_class()) return;
        const bool sound = !has_label() || sample_loss.is_class(label);
        const LossRow row =
            by_class() ? sample_loss.class_row(point, sample, place) : sample_loss.element_row(point, sample);
        if (own == row_phases() - 1) {
            if (Rows::lane_of(thread) != 0) return;
            if (!sound) return sample_loss.fault();
            finish(shared, thread, row, label, state.sums);
        } else if (sound) {
            const int pass = own / (Rows::kTreeSteps + 1);
            const int step = own % (Rows::kTreeSteps + 1);
            if (step == 0)
                accumulate(pass, shared, thread, row, label, point, sample);
            else
                join(pass, shared, thread, step - 1);
        }
    }

private:
    [[nodiscard]] LOSSMAP_HD bool by_class() const { return sample_loss.args.function == LossFunction::cross_entropy; }
    [[nodiscard]] LOSSMAP_HD bool has_label() const { return by_class() || sample_loss.args.one_hot_targets; }
    [[nodiscard]] LOSSMAP_HD std::int64_t rows() const { return by_class() ? sample_loss.places() : 1; }
    [[nodiscard]] LOSSMAP_HD std::int64_t count() const {
        return by_class() ? sample_loss.args.classes : sample_loss.size();
    }
    [[nodiscard]] LOSSMAP_HD bool needs_normalizer() const { return by_class() || sample_loss.args.softmax_activation; }
    [[nodiscard]] LOSSMAP_HD int passes() const {
        return by_class() && sample_loss.args.label_smoothing == 0.0 ? 2 : 3;
    }
    [[nodiscard]] LOSSMAP_HD int row_phases() const { return passes() * (Rows::kTreeSteps + 1) + 1; }
    [[nodiscard]] LOSSMAP_HD std::int64_t label_of(std::int64_t point, std::int64_t sample, std::int64_t place) const {
        return has_label() ? sample_loss.label_at(point, sample * rows() + place) : -1;
    }

    LOSSMAP_HD void accumulate(int pass, Shared& shared, int thread, const LossRow& row, std::int64_t label,
                               std::int64_t point, std::int64_t sample) const {
        const int lane = Rows::lane_of(thread);
        if (pass == 0) {
            // As log_sum_exp and is_correct have it: a NaN is the largest, and beats every label.
            double largest = -HUGE_VAL;
            std::int32_t beaten = 0;
            const double own = has_label() ? row.at(label) : 0.0;
            for (std::int64_t k = lane; k < count(); k += kLanes) {
                const double x = row.at(k);
                largest = Larger{}(largest, x);
                if (x != x || (k < label ? x >= own : x > own)) beaten = 1;
            }
            shared.largest[thread] = largest;
            shared.beaten[thread] = beaten;
        } else if (pass == 1) {
            const double largest = shared.largest[Rows::result_of(thread)];
            double sum = 0.0;
            if (needs_normalizer() && largest > -HUGE_VAL && largest < HUGE_VAL) {
                for (std::int64_t k = lane; k < count(); k += kLanes)
                    sum += std::exp(row.at(k) - largest);
            }
            shared.exponentials[thread] = sum;
        } else {
            const double normalizer = normalizer_of(shared, Rows::result_of(thread));
            shared.all[thread] = by_class() ? sample_loss.all_classes(row, normalizer, lane, kLanes)
                                            : sample_loss.element_sum(point, sample, lane, kLanes, normalizer);
        }
    }

    LOSSMAP_HD void join(int pass, Shared& shared, int thread, int step) const {
        if (pass == 0) {
            Rows::tree_step(shared.largest, thread, step, Larger{});
            Rows::tree_step(shared.beaten, thread, step, Sum{});
        } else {
            Rows::tree_step(pass == 1 ? shared.exponentials : shared.all, thread, step, Sum{});
        }
    }

    [[nodiscard]] LOSSMAP_HD double normalizer_of(const Shared& shared, int at) const {
        if (!needs_normalizer()) return 0.0;
        const double largest = shared.largest[at];
        const bool finite = largest > -HUGE_VAL && largest < HUGE_VAL;
        return finite ? largest + std::log(shared.exponentials[at]) : largest;
    }

    LOSSMAP_HD void finish(const Shared& shared, int thread, const LossRow& row, std::int64_t label,
                           SampleLoss& sums) const {
        const bool correct = has_label() && shared.beaten[thread] == 0;
        if (by_class()) {
            const double all = passes() == 3 ? shared.all[thread] : 0.0;
            return sample_loss.add_target(sums, row, label, normalizer_of(shared, thread), all, correct);
        }
        sample_loss.add_mean(sums, shared.all[thread]);
        if (correct) sums.correct += 1;
    }

    struct Larger {
        LOSSMAP_HD double operator()(double a, double b) const { return b > a || b != b ? b : a; }
    };
};

/// From so many classes on several threads share them.
inline constexpr std::int64_t kManyClasses = 64;

template <typename Launch>
void launch_loss_terms(const LossTermsArgs& args, const Launch& launch) {
    if (!is_float_storage(args.logits.type)) refuse("loss_terms", "logits type", static_cast<int>(args.logits.type));
    const bool by_class = args.function == LossFunction::cross_entropy;
    const bool labels = by_class || args.one_hot_targets;
    if (args.function != LossFunction::output && labels && is_float_storage(args.targets.type))
        refuse("loss_terms", "label type", static_cast<int>(args.targets.type));
    const LossSample sample{args};
    if (!is_narrow(sample.size())) refuse("loss_terms", "too many elements a sample", sample.size());
    const std::int64_t work = by_class ? sample.places() : sample.size();
    // Places that lie side by side are read along their lines by neighbouring threads, one each.
    const bool places_side_by_side = args.inner > 1 && work >= kFewElements;
    const bool shared_rows = by_class ? args.classes >= kManyClasses && !places_side_by_side
                                      : work >= kFewElements && (args.one_hot_targets || args.softmax_activation);
    if (shared_rows && args.function != LossFunction::output) {
        if ((by_class ? args.classes : work) > kManyElements)
            return launch.blocks(args.points, RowBlock<256>::blocks_of(args.samples), LossTermsRows<256>{sample});
        return launch.blocks(args.points, RowBlock<32>::blocks_of(args.samples), LossTermsRows<32>{sample});
    }
    if (by_class && work == 1 && args.classes <= LossTermsFew::kMost && args.label_smoothing == 0.0)
        return launch.items(args.points, args.samples, LossTermsFew{sample});
    if (args.function == LossFunction::output || work < kFewElements)
        return launch.items(args.points, args.samples, LossTermsThread{sample});
    launch.blocks(args.points, RowBlock<32>::blocks_of(args.samples), LossTermsBlock{sample});
}

}  // namespace lossmap::kernels
