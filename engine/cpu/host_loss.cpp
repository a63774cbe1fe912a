#include "cpu/host_loss.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/chunk_checks.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

/// Adds one term: `numerator` is weight times loss.
void add_term(LossSums& sums, double numerator, double weight) {
    sums.loss_sum += numerator;
    sums.weight_sum += weight;
    sums.loss_square_sum += weight > 0.0 ? numerator * numerator / weight : 0.0;
    sums.counted += 1;
    if (!std::isfinite(numerator)) sums.non_finite += 1;
}

/// log(sum(exp(x))) without overflow; NaN when any element is NaN.
double log_sum_exp(std::span<const double> x) {
    double maximum = -HUGE_VAL;
    for (const double value : x) {
        if (std::isnan(value)) return value;
        maximum = std::max(maximum, value);
    }
    if (std::isinf(maximum)) return maximum;
    double sum = 0.0;
    for (const double value : x)
        sum += std::exp(value - maximum);
    return maximum + std::log(sum);
}

/// Index of the first maximum; of the first NaN when there is one.
std::size_t first_maximum(std::span<const double> x) {
    std::size_t best = 0;
    for (std::size_t k = 0; k < x.size(); ++k) {
        if (std::isnan(x[k])) return k;
        if (x[k] > x[best]) best = k;
    }
    return best;
}

bool is_correct(std::span<const double> logits, std::int64_t label) {
    const std::size_t predicted = first_maximum(logits);
    return !std::isnan(logits[predicted]) && static_cast<std::int64_t>(predicted) == label;
}

/// (1-s) w[y] (-log p[y]) + s/C sum_c w[c] (-log p[c])
double cross_entropy_term(const LossSpec& loss, std::span<const double> logits, std::size_t label) {
    const double normalizer = log_sum_exp(logits);
    const auto weight = [&](std::size_t c) { return loss.class_weights.empty() ? 1.0 : loss.class_weights[c]; };
    const double own = weight(label) * (normalizer - logits[label]);
    if (loss.label_smoothing == 0.0) return own;
    double all = 0.0;
    for (std::size_t c = 0; c < logits.size(); ++c)
        all += weight(c) * (normalizer - logits[c]);
    const double smoothing = loss.label_smoothing;
    return (1.0 - smoothing) * own + smoothing / static_cast<double>(logits.size()) * all;
}

struct Rows {
    std::int64_t first;  ///< of the target tensor
    std::int64_t count;
    std::int64_t first_sample;  ///< number of the chunk's first sample
};

LossSums cross_entropy(const LossSpec& loss, const ConstTensorView& output, const ConstTensorView& target, Rows rows) {
    const auto axis = static_cast<std::size_t>(normalize_axis(loss.class_axis, output.shape.size()));
    const std::span<const std::int64_t> extents = output.shape;
    const std::int64_t outer = element_count(extents.subspan(1, axis - 1));
    const std::int64_t classes = extents[axis];
    const std::int64_t inner = element_count(extents.subspan(axis + 1));
    const auto values = output.as<float>();
    const auto labels = target.as<std::int64_t>();
    std::vector<double> logits(static_cast<std::size_t>(classes));
    LossSums sums;
    for (std::int64_t row = 0; row < rows.count; ++row) {
        for (std::int64_t place = 0; place < outer * inner; ++place) {
            const std::int64_t label = labels[static_cast<std::size_t>((rows.first + row) * outer * inner + place)];
            if (loss.ignore_index && label == *loss.ignore_index) continue;
            check_label(label, logits.size(), rows.first_sample + rows.first + row);
            const std::int64_t base = (row * outer + place / inner) * classes * inner + place % inner;
            for (std::int64_t c = 0; c < classes; ++c) {
                logits[static_cast<std::size_t>(c)] =
                    static_cast<double>(values[static_cast<std::size_t>(base + c * inner)]);
            }
            const auto wanted = static_cast<std::size_t>(label);
            add_term(sums, cross_entropy_term(loss, logits, wanted),
                     loss.class_weights.empty() ? 1.0 : loss.class_weights[wanted]);
            if (is_correct(logits, label)) sums.correct += 1;
        }
    }
    return sums;
}

LossSums one_hot_mse(const LossSpec& loss, const ConstTensorView& output, const ConstTensorView& target, Rows rows) {
    const auto values = output.as<float>();
    const auto labels = target.as<std::int64_t>();
    std::vector<double> logits(static_cast<std::size_t>(output.shape.at(1)));
    LossSums sums;
    for (std::int64_t row = 0; row < rows.count; ++row) {
        const std::int64_t label = labels[static_cast<std::size_t>(rows.first + row)];
        check_label(label, logits.size(), rows.first_sample + rows.first + row);
        for (std::size_t c = 0; c < logits.size(); ++c) {
            logits[c] = static_cast<double>(values[static_cast<std::size_t>(row) * logits.size() + c]);
        }
        const double normalizer = loss.softmax_activation ? log_sum_exp(logits) : 0.0;
        double sum = 0.0;
        for (std::size_t c = 0; c < logits.size(); ++c) {
            const double value = loss.softmax_activation ? std::exp(logits[c] - normalizer) : logits[c];
            const double difference = value - (static_cast<std::int64_t>(c) == label ? 1.0 : 0.0);
            sum += difference * difference;
        }
        add_term(sums, sum / static_cast<double>(logits.size()), 1.0);
        if (is_correct(logits, label)) sums.correct += 1;
    }
    return sums;
}

double element_loss(const LossSpec& loss, double value, double target) {
    const double difference = value - target;
    switch (loss.kind) {
        case LossKind::mse: return difference * difference;
        case LossKind::mae: return std::abs(difference);
        case LossKind::huber: {
            const double size = std::abs(difference);
            // Written so that NaN takes the quadratic branch and stays NaN.
            return size > loss.delta ? loss.delta * (size - 0.5 * loss.delta) : 0.5 * difference * difference;
        }
        case LossKind::bce_with_logits: {
            // -t log(sigmoid(x)) - (1-t) log(1 - sigmoid(x)), stable for both signs of x.
            const double positive = value < 0.0 ? 0.0 : value;
            return positive - value * target + std::log1p(std::exp(-std::abs(value)));
        }
        default: throw InternalError("loss {} is not a sum over elements", name_of(loss.kind));
    }
}

LossSums elementwise(const LossSpec& loss, const ConstTensorView& output, const ConstTensorView& target, Rows rows) {
    const std::int64_t size = element_count(std::span<const std::int64_t>(output.shape).subspan(1));
    const auto values = output.as<float>();
    const auto integers = target.dtype == DType::i64 ? target.as<std::int64_t>() : std::span<const std::int64_t>();
    const auto reals = target.dtype == DType::i64 ? std::span<const float>() : target.as<float>();
    const auto target_at = [&](std::size_t index) {
        return reals.empty() ? static_cast<double>(integers[index]) : static_cast<double>(reals[index]);
    };
    // The softmax of mse, over the last axis, is applied to a copy.
    std::vector<double> sample(static_cast<std::size_t>(size));
    LossSums sums;
    for (std::int64_t row = 0; row < rows.count; ++row) {
        for (std::size_t k = 0; k < sample.size(); ++k) {
            sample[k] = static_cast<double>(values[static_cast<std::size_t>(row * size) + k]);
        }
        if (loss.kind == LossKind::mse && loss.softmax_activation) {
            const double normalizer = log_sum_exp(sample);
            for (double& value : sample)
                value = std::exp(value - normalizer);
        }
        double sum = 0.0;
        for (std::size_t k = 0; k < sample.size(); ++k) {
            sum += element_loss(loss, sample[k], target_at(static_cast<std::size_t>((rows.first + row) * size) + k));
        }
        add_term(sums, sum / static_cast<double>(size), 1.0);
    }
    return sums;
}

LossSums own_output(const ConstTensorView& output, Rows rows) {
    const auto values = output.as<float>();
    LossSums sums;
    for (std::int64_t row = 0; row < rows.count; ++row) {
        add_term(sums, static_cast<double>(values[static_cast<std::size_t>(row)]), 1.0);
    }
    return sums;
}

}  // namespace

LossSums host_loss(const LossSpec& loss, const ConstTensorView& output, const ConstTensorView& target,
                   std::int64_t first, std::int64_t count, std::int64_t first_sample) {
    const Rows rows{first, count, first_sample};
    switch (loss.kind) {
        case LossKind::cross_entropy: return cross_entropy(loss, output, target, rows);
        case LossKind::output: return own_output(output, rows);
        case LossKind::mse:
            if (loss.one_hot_targets) return one_hot_mse(loss, output, target, rows);
            return elementwise(loss, output, target, rows);
        default: return elementwise(loss, output, target, rows);
    }
}

}  // namespace lossmap
