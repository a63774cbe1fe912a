#include <fmt/format.h>

#include "cpu/host_loss.hpp"
#include "kernel_case.hpp"

namespace lossmap::kernels::test {
namespace {

struct LossCase {
    std::string name;
    LossSpec spec;
    Shape output;  ///< a sample's
    DType target_type = DType::i64;
    std::int64_t samples = 9;
};

LossFunction function_of(LossKind kind) {
    switch (kind) {
        case LossKind::cross_entropy: return LossFunction::cross_entropy;
        case LossKind::bce_with_logits: return LossFunction::bce_with_logits;
        case LossKind::mse: return LossFunction::mse;
        case LossKind::mae: return LossFunction::mae;
        case LossKind::huber: return LossFunction::huber;
        default: return LossFunction::output;
    }
}

constexpr std::int64_t kPoints = 3;

Tensor targets_of(const LossCase& loss) {
    Shape shape = loss.output;
    shape.insert(shape.begin(), loss.samples);
    if (loss.spec.kind == LossKind::cross_entropy) {
        shape.erase(shape.begin() + loss.spec.class_axis);
        const std::int64_t classes = loss.output[static_cast<std::size_t>(loss.spec.class_axis - 1)];
        Tensor labels = random_ints(shape, 52, 0, classes);
        if (loss.spec.ignore_index) labels.as<std::int64_t>()[2] = *loss.spec.ignore_index;
        return labels;
    }
    if (loss.spec.one_hot_targets) return random_ints({loss.samples}, 53, 0, loss.output[0]);
    if (loss.target_type == DType::i64) return random_ints(shape, 54, 0, 2);
    return random_floats(shape, 55);
}

Tensor logits_of(const LossCase& loss) {
    Shape shape = loss.output;
    shape.insert(shape.begin(), loss.samples);
    shape.insert(shape.begin(), kPoints);
    Tensor logits = random_floats(shape, 51, 4.0);
    const std::int64_t per_point = logits.count() / kPoints;
    // The second point meets a NaN, the third infinities.
    logits.as<float>()[static_cast<std::size_t>(per_point + 1)] = NAN;
    logits.as<float>()[static_cast<std::size_t>(2 * per_point)] = INFINITY;
    logits.as<float>()[static_cast<std::size_t>(3 * per_point - 1)] = -INFINITY;
    return logits;
}

Tensor sums_tensor(const std::vector<LossSums>& sums) {
    std::vector<double> values;
    for (const LossSums& s : sums) {
        for (const double x :
             {s.loss_sum, s.loss_square_sum, s.weight_sum, static_cast<double>(s.correct),
              static_cast<double>(s.counted), static_cast<double>(s.non_finite), static_cast<double>(s.overflowed)})
            values.push_back(x);
    }
    return Tensor::from<double>(values, {static_cast<std::int64_t>(sums.size()), 7});
}

LossTermsArgs terms_args(Device& device, const LossCase& loss, const Tensor& logits, const Tensor& targets) {
    LossTermsArgs args;
    args.function = function_of(loss.spec.kind);
    args.logits = device.input(logits, kPoints);
    args.targets = device.input(targets);
    args.points = kPoints;
    args.samples = loss.samples;
    if (loss.spec.kind == LossKind::cross_entropy) {
        for (std::size_t axis = 0; axis < loss.output.size(); ++axis) {
            const auto at = static_cast<int>(axis) + 1;
            (at < loss.spec.class_axis    ? args.outer
             : at == loss.spec.class_axis ? args.classes
                                          : args.inner) *= loss.output[axis];
        }
    } else {
        args.classes = element_count(loss.output);
    }
    args.has_ignore_index = loss.spec.ignore_index.has_value();
    args.ignore_index = loss.spec.ignore_index.value_or(0);
    args.label_smoothing = loss.spec.label_smoothing;
    if (!loss.spec.class_weights.empty()) args.class_weights = device.put(loss.spec.class_weights);
    args.one_hot_targets = loss.spec.one_hot_targets;
    args.softmax_activation = loss.spec.softmax_activation;
    args.delta = loss.spec.delta;
    args.faults = device.put(std::vector<std::uint32_t>{0});
    args.terms_point_stride = loss.samples;
    args.terms = device.room<SampleLoss>(static_cast<std::size_t>(kPoints * loss.samples));
    return args;
}

/// Terms and their sums, against the CPU backend's loss.
KernelCase terms_case(const LossCase& loss) {
    return {"loss_terms", loss.name,
            [=](Device& device) {
                const LossTermsArgs args = terms_args(device, loss, logits_of(loss), targets_of(loss));
                device.table().loss_terms(args, device.queue());
                const std::vector<SampleLoss> terms =
                    device.get(args.terms, static_cast<std::size_t>(kPoints * loss.samples));
                std::vector<LossSums> sums(kPoints);
                for (std::size_t k = 0; k < terms.size(); ++k) {
                    sums[k / static_cast<std::size_t>(loss.samples)] +=
                        LossSums{terms[k].loss_sum, terms[k].loss_square_sum, terms[k].weight_sum, terms[k].correct,
                                 terms[k].counted,  terms[k].non_finite,      terms[k].overflow};
                }
                return list_of(sums_tensor(sums), Tensor::scalar<std::int64_t>(device.get(args.faults, 1)[0]));
            },
            [=] {
                const Tensor logits = logits_of(loss);
                const Tensor targets = targets_of(loss);
                std::vector<LossSums> sums;
                for (std::int64_t point = 0; point < kPoints; ++point) {
                    const Shape& all = logits.shape();
                    const ConstTensorView view(
                        DType::f32, Shape(all.begin() + 1, all.end()),
                        static_cast<const float*>(logits.data()) + point * (logits.count() / kPoints));
                    sums.push_back(host_loss(loss.spec, view, targets.view(), 0, loss.samples, 0));
                }
                return list_of(sums_tensor(sums), Tensor::scalar<std::int64_t>(0));
            },
            1e-13};
}

/// A label that is no class is a fault; its sample does not count, the others do.
KernelCase unknown_label_case(const LossCase& loss) {
    const auto targets = [=](std::int64_t label) {
        Tensor labels = targets_of(loss);
        labels.as<std::int64_t>()[4] = label;
        return labels;
    };
    const std::int64_t classes = loss.output[0];
    const auto terms_with = [=](Device& device, std::int64_t label) {
        const LossTermsArgs args = terms_args(device, loss, logits_of(loss), targets(label));
        device.table().loss_terms(args, device.queue());
        Tensor counted(DType::i64, {kPoints * loss.samples});
        const auto terms = device.get(args.terms, static_cast<std::size_t>(counted.count()));
        for (std::size_t k = 0; k < terms.size(); ++k)
            counted.as<std::int64_t>()[k] = terms[k].counted;
        return list_of(std::move(counted), Tensor::scalar<std::int64_t>(device.get(args.faults, 1)[0]));
    };
    return {"loss_terms", loss.name,
            [=](Device& device) {
                std::vector<Tensor> result = terms_with(device, classes);
                for (Tensor& more : terms_with(device, -1))
                    result.push_back(std::move(more));
                return result;
            },
            [=] {
                std::vector<Tensor> result;
                for (int launch = 0; launch < 2; ++launch) {
                    Tensor counted(DType::i64, {kPoints * loss.samples});
                    for (std::int64_t k = 0; k < counted.count(); ++k)
                        counted.as<std::int64_t>()[static_cast<std::size_t>(k)] = k % loss.samples == 4 ? 0 : 1;
                    result.push_back(std::move(counted));
                    result.push_back(Tensor::scalar<std::int64_t>(kFaultLabel));
                }
                return result;
            },
            0.0};
}

LossSpec spec_of(LossKind kind) {
    LossSpec spec;
    spec.kind = kind;
    return spec;
}

KernelCase sums_case(std::int64_t samples) {
    std::vector<SampleLoss> terms;
    for (std::int64_t k = 0; k < 2 * samples; ++k) {
        const double x = std::sin(static_cast<double>(k));
        terms.push_back({x, x * x, 1.0, static_cast<std::int32_t>(k % 3 == 0), 1, static_cast<std::int32_t>(k % 7 == 0),
                         static_cast<std::uint32_t>(k % 5 == 0)});
    }
    return {
        "loss_sums", fmt::format("{}_samples", samples),
        [=](Device& device) {
            DeviceLossSums* sums = device.put(std::vector<DeviceLossSums>(2, DeviceLossSums{1.0, 0, 0, 10, 0, 0, 0}));
            const LossSumsArgs args{device.put(terms), samples, 2, samples, sums};
            device.table().loss_sums(args, device.queue());  // whatever was there
            std::vector<LossSums> result;
            for (const DeviceLossSums& s : device.get(sums, 2))
                result.push_back(
                    {s.loss_sum, s.loss_square_sum, s.weight_sum, s.correct, s.counted, s.non_finite, s.overflowed});
            return list_of(sums_tensor(result));
        },
        [=] {
            std::vector<LossSums> sums(2);
            for (std::size_t k = 0; k < terms.size(); ++k) {
                const SampleLoss& t = terms[k];
                sums[k / static_cast<std::size_t>(samples)] += LossSums{t.loss_sum,
                                                                        t.loss_square_sum,
                                                                        t.weight_sum,
                                                                        t.correct,
                                                                        t.counted,
                                                                        t.non_finite,
                                                                        static_cast<std::int64_t>(t.overflow)};
            }
            return list_of(sums_tensor(sums));
        },
        1e-13};
}

}  // namespace

std::vector<KernelCase> loss_cases() {
    std::vector<KernelCase> cases;
    const LossSpec plain = spec_of(LossKind::cross_entropy);
    cases.push_back(terms_case({"cross_entropy", plain, {10}}));
    LossSpec full = plain;
    full.class_weights = {0.5, 2.0, 1.0, 0.0, 1.5};
    full.label_smoothing = 0.1;
    full.ignore_index = -100;
    cases.push_back(terms_case({"cross_entropy_weighted_smoothed_ignored", full, {5}}));
    cases.push_back(terms_case({"cross_entropy_many_samples", plain, {7}, DType::i64, 300}));
    LossSpec pixels = full;
    cases.push_back(terms_case({"cross_entropy_pixels", pixels, {5, 6, 7}}));
    LossSpec tokens = plain;
    tokens.class_axis = 2;
    cases.push_back(terms_case({"cross_entropy_tokens", tokens, {4, 11}}));
    // Classes that threads share: by 32 and by 256, of one place and of several, side by side or not.
    cases.push_back(terms_case({"cross_entropy_100_classes", plain, {100}}));
    for (const std::int64_t classes : {1, 2, 13, 16, 17})
        cases.push_back(terms_case({fmt::format("cross_entropy_{}_classes", classes), plain, {classes}}));
    LossSpec thousands = full;
    thousands.class_weights.clear();
    for (int c = 0; c < 1500; ++c)
        thousands.class_weights.push_back(0.25 * (c % 7));
    cases.push_back(terms_case({"cross_entropy_1500_classes", thousands, {1500}}));
    cases.push_back(terms_case({"cross_entropy_vocabulary", tokens, {5, 2100}, DType::i64, 4}));
    cases.push_back(terms_case({"cross_entropy_tokens_64_classes", tokens, {3, 64}}));
    cases.push_back(terms_case({"cross_entropy_few_pixels_many_classes", plain, {70, 2, 3}}));
    cases.push_back(terms_case({"cross_entropy_many_pixels_many_classes", plain, {70, 5, 8}, DType::i64, 3}));
    cases.push_back(unknown_label_case({"cross_entropy_unknown_label_few_classes", plain, {10}}));
    cases.push_back(unknown_label_case({"cross_entropy_unknown_label_many_classes", plain, {100}}));
    LossSpec one_hot = spec_of(LossKind::mse);
    one_hot.one_hot_targets = true;
    one_hot.softmax_activation = true;
    for (const std::int64_t classes : {10, 100, 1300})
        cases.push_back(terms_case({fmt::format("mse_one_hot_softmax_{}", classes), one_hot, {classes}}));
    cases.push_back(unknown_label_case({"mse_unknown_label", one_hot, {100}}));
    LossSpec activated = spec_of(LossKind::mse);
    activated.softmax_activation = true;
    cases.push_back(terms_case({"mse_softmax", activated, {50}, DType::f32}));
    one_hot.softmax_activation = false;
    cases.push_back(terms_case({"mse_one_hot", one_hot, {100}}));
    for (const LossKind kind : {LossKind::mse, LossKind::mae, LossKind::huber, LossKind::bce_with_logits}) {
        LossSpec spec = spec_of(kind);
        spec.delta = 0.7;
        cases.push_back(terms_case({std::string(name_of(kind)) + "_few", spec, {5}, DType::f32}));
        cases.push_back(terms_case({std::string(name_of(kind)) + "_many", spec, {4, 33}, DType::f32}));
    }
    cases.push_back(terms_case({"bce_integer_targets", spec_of(LossKind::bce_with_logits), {3}, DType::i64}));
    cases.push_back(terms_case({"output", spec_of(LossKind::output), {1}, DType::f32}));
    cases.push_back(sums_case(5));
    cases.push_back(sums_case(3000));
    return cases;
}

}  // namespace lossmap::kernels::test
