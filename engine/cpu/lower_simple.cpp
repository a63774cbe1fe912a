#include <cstring>
#include <memory>

#include "cpu/activation.hpp"
#include "cpu/elementwise.hpp"
#include "cpu/lowerings.hpp"

namespace lossmap::cpu {
namespace {

class ActivationOperation final : public Operation {
public:
    ActivationOperation(const Activation& activation, Place source, Place target, std::size_t count, bool bf16)
        : activation_(activation), source_(source), target_(target), count_(count), bf16_(bf16) {}

    void run(const Frame& frame) const override {
        void* target = frame.writable(target_);
        const void* source = frame.readable(source_);
        if (source != target) std::memcpy(target, source, count_ * size_of(bf16_ ? DType::bf16 : DType::f32));
        if (bf16_) return activation_.apply_to_bf16(static_cast<std::uint16_t*>(target), count_);
        activation_.apply(static_cast<float*>(target), count_);
    }
    [[nodiscard]] std::string implementation() const override { return "loop" + activation_.suffix(); }

private:
    Activation activation_;
    Place source_;
    Place target_;
    std::size_t count_;
    bool bf16_;
};

class BatchNormOperation final : public Operation {
public:
    struct Parameters {
        Place scale;
        Place shift;
        Place mean;
        Place variance;
        double epsilon = 1e-5;
    };

    BatchNormOperation(const Parameters& parameters, Place source, Place target, Place factors, std::size_t rows,
                       std::size_t channels)
        : parameters_(parameters),
          source_(source),
          target_(target),
          factors_(factors),
          rows_(rows),
          channels_(channels) {}

    void run(const Frame& frame) const override {
        auto* scale = static_cast<float*>(frame.writable(factors_));
        float* shift = scale + channels_;
        const auto at = [&](const Place& place, std::size_t c) {
            return static_cast<double>(static_cast<const float*>(frame.readable(place))[c]);
        };
        for (std::size_t c = 0; c < channels_; ++c) {
            const NormFactors factors =
                norm_factors(at(parameters_.scale, c), at(parameters_.shift, c), at(parameters_.mean, c),
                             at(parameters_.variance, c), parameters_.epsilon);
            scale[c] = static_cast<float>(factors.scale);
            shift[c] = static_cast<float>(factors.shift);
        }
        scale_shift(static_cast<float*>(frame.writable(target_)), static_cast<const float*>(frame.readable(source_)),
                    scale, shift, rows_, channels_);
    }
    [[nodiscard]] std::string implementation() const override { return "loop batch norm"; }

private:
    Parameters parameters_;
    Place source_;
    Place target_;
    Place factors_;
    std::size_t rows_;
    std::size_t channels_;
};

}  // namespace

bool lower_alias(ProgramBuilder& builder, const Node& node) {
    if (!builder.depends_on_samples(node.inputs[0])) return false;
    builder.alias(node.inputs[0], node.outputs[0]);
    return true;
}

bool lower_activation(ProgramBuilder& builder, const Node& node) {
    const auto activation = activation_of(builder.graph(), node);
    if (!activation || !builder.depends_on_samples(node.inputs[0])) return false;
    const Form form{builder.layout_of(node.inputs[0], Layout::plain), builder.lies_in_bf16(node.inputs[0])};
    const Place source = builder.read(node.inputs[0], form);
    Place target = builder.overwrite(node.inputs[0], node.outputs[0], form, {});
    if (target.region == Place::Region::none) target = builder.write(node.outputs[0], form);
    const auto count = static_cast<std::size_t>(element_count(builder.shape(node.outputs[0])));
    builder.add(std::make_unique<ActivationOperation>(*activation, source, target, count, form.bf16), node.name);
    return true;
}

bool lower_batch_norm(ProgramBuilder& builder, const Node& node) {
    if (node.inputs.size() < 5) return false;
    if (node.attributes.get_int("training_mode", 0) != 0 || node.has_output(1)) return false;
    if (builder.value(node.inputs[0]).dtype != DType::f32 || !builder.depends_on_samples(node.inputs[0])) return false;
    for (std::size_t k = 1; k < 5; ++k) {
        if (builder.depends_on_samples(node.inputs[k]) || builder.value(node.inputs[k]).dtype != DType::f32)
            return false;
    }
    const Shape& shape = builder.shape(node.inputs[0]);
    if (shape.size() < 2 || element_count(shape) == 0) return false;
    const auto channels = static_cast<std::size_t>(shape[1]);
    BatchNormOperation::Parameters parameters;
    parameters.scale = builder.read(node.inputs[1], Layout::plain);
    parameters.shift = builder.read(node.inputs[2], Layout::plain);
    parameters.mean = builder.read(node.inputs[3], Layout::plain);
    parameters.variance = builder.read(node.inputs[4], Layout::plain);
    parameters.epsilon = node.attributes.get_float("epsilon", 1e-5);
    const Place source = builder.read(node.inputs[0], Layout::channels_last);
    Place target = builder.overwrite(node.inputs[0], node.outputs[0], Layout::channels_last, {});
    if (target.region == Place::Region::none) target = builder.write(node.outputs[0], Layout::channels_last);
    const Place factors = builder.scratch(2 * channels * sizeof(float));
    builder.add(
        std::make_unique<BatchNormOperation>(parameters, source, target, factors,
                                             static_cast<std::size_t>(element_count(shape)) / channels, channels),
        node.name);
    return true;
}

}  // namespace lossmap::cpu
