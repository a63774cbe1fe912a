#include "cuda/backend/device_loss.hpp"

#include <array>

#include "backend/chunk_checks.hpp"
#include "core/error.hpp"

namespace lossmap::cuda {
namespace {

kernels::LossFunction function_of(LossKind kind) {
    switch (kind) {
        case LossKind::cross_entropy: return kernels::LossFunction::cross_entropy;
        case LossKind::bce_with_logits: return kernels::LossFunction::bce_with_logits;
        case LossKind::mse: return kernels::LossFunction::mse;
        case LossKind::mae: return kernels::LossFunction::mae;
        case LossKind::huber: return kernels::LossFunction::huber;
        case LossKind::output: return kernels::LossFunction::output;
    }
    throw InternalError("loss {} is not the device's", name_of(kind));
}

}  // namespace

LossSums host_sums(const kernels::DeviceLossSums& sums) {
    LossSums result;
    result.loss_sum = sums.loss_sum;
    result.loss_square_sum = sums.loss_square_sum;
    result.weight_sum = sums.weight_sum;
    result.correct = sums.correct;
    result.counted = sums.counted;
    result.non_finite = sums.non_finite;
    return result;
}

DeviceLoss::DeviceLoss(const LossSpec& loss, const Program& program, Device& device, StagedUpload& staging)
    : loss_(loss), program_(program), kernels_(device.kernels()) {
    const Shape& sample = program.bound.output_sample_shape;
    terms_.function = function_of(loss.kind);
    terms_.points = program.options.points;
    terms_.classes = element_count(sample);
    if (loss.kind == LossKind::cross_entropy) {
        const auto axis = static_cast<std::size_t>(normalize_axis(loss.class_axis, sample.size() + 1)) - 1;
        terms_.classes = sample[axis];
        terms_.outer = element_count(std::span(sample).first(axis));
        terms_.inner = element_count(std::span(sample).subspan(axis + 1));
    }
    terms_.has_ignore_index = loss.ignore_index.has_value();
    terms_.ignore_index = loss.ignore_index.value_or(0);
    terms_.label_smoothing = loss.label_smoothing;
    terms_.one_hot_targets = loss.one_hot_targets;
    terms_.softmax_activation = loss.softmax_activation;
    terms_.delta = loss.delta;
    terms_.terms_point_stride = program.options.tile_samples;
    if (!loss.class_weights.empty()) {
        class_weights_ = device.allocate(loss.class_weights.size() * sizeof(double));
        staging.copy(class_weights_.data(), std::as_bytes(std::span(loss.class_weights)));
        terms_.class_weights = class_weights_.as<double>();
    }
    sample_losses_ = device.allocate(static_cast<std::size_t>(program.options.points * program.options.tile_samples) *
                                     sizeof(kernels::SampleLoss));
    terms_.terms = sample_losses_.as<kernels::SampleLoss>();
}

void DeviceLoss::queue(const Frame& frame, const void* targets, DType target_type, std::size_t target_bytes,
                       std::int64_t samples, kernels::DeviceLossSums* sums) const {
    kernels::LossTermsArgs terms = terms_;
    const Located& output = program_.output;
    terms.logits = {frame.address(output), output.type, output.point_stride};
    terms.targets = {targets, target_type, 0};
    terms.samples = samples;
    if (!program_.is_exact()) terms.overflow = reinterpret_cast<const std::uint32_t*>(frame.address(program_.flags));
    terms.faults = reinterpret_cast<std::uint32_t*>(frame.address(program_.faults));
    kernels::LossSumsArgs add;
    add.terms = terms.terms;
    add.terms_point_stride = terms.terms_point_stride;
    add.points = terms.points;
    add.samples = samples;
    add.sums = sums;
    const std::size_t sums_bytes = static_cast<std::size_t>(terms.points) * sizeof(kernels::DeviceLossSums);
    const std::array<Access, 6> accesses{
        Access{terms.logits.data, output.span_bytes(terms.points), false},
        Access{targets, static_cast<std::size_t>(samples) * target_bytes, false},
        Access{frame.address(program_.flags), program_.flags.span_bytes(terms.points), false},
        Access{terms.faults, sizeof(std::uint32_t), true},
        Access{terms.terms, sample_losses_.size_bytes(), true},
        Access{sums, sums_bytes, true},
    };
    frame.queue->launch("loss", accesses, [&kernels = kernels_, terms, add](void* stream) {
        kernels.loss_terms(terms, kernels::Queue{stream});
        kernels.loss_sums(add, kernels::Queue{stream});
    });
}

void DeviceLoss::check_labels(const SampleChunk& chunk) const {
    if (!loss_.has_classes() || chunk.count == 0) return;
    const auto labels = chunk.target.as<std::int64_t>();
    const auto a_sample = static_cast<std::int64_t>(labels.size()) / chunk.count;
    for (std::size_t k = 0; k < labels.size(); ++k) {
        if (loss_.ignore_index && labels[k] == *loss_.ignore_index) continue;
        check_label(labels[k], static_cast<std::size_t>(terms_.classes),
                    chunk.first + static_cast<std::int64_t>(k) / a_sample);
    }
}

}  // namespace lossmap::cuda
