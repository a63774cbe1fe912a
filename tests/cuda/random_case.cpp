#include "tests/cuda/random_case.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>

namespace lossmap::test {
namespace {

std::vector<float> noise(Random& random, std::size_t count, double scale) {
    std::vector<float> result(count);
    for (float& value : result)
        value = static_cast<float>(scale * random.signed_unit());
    return result;
}

Shape target_shape(const RandomNetwork& net) {
    Shape shape = net.output;
    shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(net.class_axis - 1));
    return shape;
}

void choose_loss(Random& random, RandomCase& one) {
    const RandomNetwork& net = one.net;
    LossSpec& loss = one.request.loss;
    one.request.target = {"target", DType::f32, net.output};
    const bool single = element_count(net.output) == 1;
    if (single && random.chance(0.7)) {
        loss.kind = LossKind::output;
        return;
    }
    if (!net.output.empty() && random.chance(0.55)) {
        loss.kind = LossKind::cross_entropy;
        loss.class_axis = static_cast<int>(net.class_axis);
        if (random.chance(0.3)) loss.class_axis -= static_cast<int>(net.output.size()) + 1;
        one.request.target = {"target", DType::i64, target_shape(net)};
        if (random.chance(0.4)) loss.ignore_index = random.one_of<std::int64_t>({-100, 0, 1, 255});
        if (random.chance(0.3)) loss.label_smoothing = random.one_of<double>({0.1, 0.5, 1.0});
        if (random.chance(0.3)) {
            const auto classes = net.output[static_cast<std::size_t>(net.class_axis - 1)];
            for (std::int64_t c = 0; c < classes; ++c)
                loss.class_weights.push_back(random.chance(0.1) ? 0.0 : random.unit() * 2.0);
        }
        return;
    }
    loss.kind = random.one_of<LossKind>(
        {LossKind::mse, LossKind::mse, LossKind::mae, LossKind::huber, LossKind::bce_with_logits});
    loss.delta = random.one_of<double>({1.0, 0.1, 3.0});
    if (random.chance(0.3)) one.request.target.dtype = DType::i64;
    if (loss.kind == LossKind::mse && net.output.size() == 1) {
        loss.softmax_activation = random.chance(0.5);
        if (random.chance(0.5)) {
            loss.one_hot_targets = true;
            one.request.target = {"target", DType::i64, {}};
        }
    }
}

SampleChunk make_chunk(Random& random, const RandomCase& one, std::int64_t samples, bool outliers) {
    SampleChunk chunk;
    chunk.first = 100;
    chunk.count = samples;
    Shape shape{samples};
    shape.insert(shape.end(), one.net.sample_shape.begin(), one.net.sample_shape.end());
    Tensor inputs(one.net.vocabulary > 0 ? DType::i64 : DType::f32, shape);
    const std::int64_t width = element_count(one.net.sample_shape);
    if (one.net.vocabulary > 0) {
        for (std::int64_t& token : inputs.as<std::int64_t>())
            token = random.below(one.net.vocabulary);
    } else {
        const auto values = inputs.as<float>();
        for (float& value : values)
            value = static_cast<float>(random.signed_unit());
        for (std::int64_t sample = 0; outliers && sample < samples; ++sample) {
            if (!random.chance(0.3)) continue;
            const auto row = values.subspan(static_cast<std::size_t>(sample * width), static_cast<std::size_t>(width));
            const float size =
                random.one_of<float>({3e3F, 2e4F, 6e4F, 1e5F, 1e20F, std::numeric_limits<float>::quiet_NaN(),
                                      std::numeric_limits<float>::infinity()});
            if (random.chance(0.5)) {
                row[static_cast<std::size_t>(random.below(width))] = size;
            } else {
                for (float& value : row)
                    value *= size;
            }
        }
    }
    chunk.inputs.push_back(std::move(inputs));
    const FieldInfo& field = one.request.target;
    Shape target{samples};
    target.insert(target.end(), field.sample_shape.begin(), field.sample_shape.end());
    chunk.target = Tensor(field.dtype, target);
    const LossSpec& loss = one.request.loss;
    const std::int64_t classes =
        loss.has_classes() ? one.net.output[static_cast<std::size_t>(one.net.class_axis - 1)] : 3;
    if (field.dtype == DType::f32) {
        for (float& value : chunk.target.as<float>())
            value = static_cast<float>(random.unit());
    } else {
        for (std::int64_t& value : chunk.target.as<std::int64_t>())
            value = loss.ignore_index && random.chance(0.3) ? *loss.ignore_index : random.below(classes);
    }
    return chunk;
}

/// Makes a tensor large, everywhere or along an axis.
void heat(Random& random, RandomCase& one) {
    const auto& weights = one.net.space.weights;
    const Parameter& parameter = weights[static_cast<std::size_t>(random.below(std::ssize(weights)))];
    const float size = random.one_of<float>({1e3F, 1e4F, 1e5F, 1e6F, 1e7F});
    const bool whole = random.chance(0.5);
    const std::int64_t only = random.below(parameter.size);
    std::vector<float>* target = &one.net.origin.weights;
    if (random.chance(0.6) && !one.weights.empty() && !one.weights[0].empty()) target = &one.weights[0];
    for (std::int64_t k = 0; k < parameter.size; ++k) {
        if (whole || k == only) (*target)[static_cast<std::size_t>(parameter.offset + k)] *= size;
    }
}

void choose_points(Random& random, RandomCase& one) {
    const std::int64_t axes = random.one_of<std::int64_t>({0, 1, 2, 2, 2, 3});
    for (std::int64_t k = 0; k < axes; ++k) {
        const bool moves = !random.chance(0.1);
        one.weights.push_back(noise(random, moves ? one.net.origin.weights.size() : 0, 0.3));
        one.states.push_back(noise(random, random.chance(0.5) ? one.net.origin.states.size() : 0, 0.1));
    }
    if (random.chance(one.request.precision == Precision::fp16 ? 0.35 : 0.05)) heat(random, one);
    const std::int64_t count = random.between(1, 9);
    const bool far = random.chance(0.3);
    const bool handed = random.chance(0.3) && !one.net.origin.states.empty();
    one.point_states.resize(static_cast<std::size_t>(count));
    for (std::int64_t p = 0; p < count; ++p) {
        Point point;
        for (std::int64_t k = 0; k < axes; ++k) {
            double at = 1.5 * random.signed_unit();
            if (far && random.chance(0.3)) at *= random.one_of<double>({30.0, 300.0, 3e3, 1e4, 1e5, 1e12, 1e30, 1e38});
            point.coordinates.push_back(at);
        }
        if (handed && random.chance(0.5)) {
            auto& states = one.point_states[static_cast<std::size_t>(p)];
            states = one.net.origin.states;
            const double size = random.chance(0.1) ? 2.0 : 0.15;  // now and then a variance is negative
            for (float& value : states)
                value += static_cast<float>(size * random.signed_unit());
            point.states = states;
        }
        one.points.push_back(point);
    }
}

HostDeviceOptions choose_options(Random& random) {
    HostDeviceOptions options;
    options.joins_work = random.chance(0.5);
    options.has_convolutions = !random.chance(0.2);
    options.tiles_convolutions = random.chance(0.5);
    options.most_points = random.between(1, 5);
    options.pass_bytes = random.one_of<std::int64_t>({1, 1 << 16, 4 << 20});
    options.shared_bytes = random.one_of<std::int64_t>({227 << 10, 227 << 10, 99 << 10, 48 << 10});
    options.pace = random.one_of<Pace>({Pace::eager, Pace::lazy});
    options.reversed = random.chance(0.3);
    options.records = !random.chance(0.2);
    if (random.chance(0.2)) options.most_products = random.between(1, 3);
    options.architecture = random.one_of<std::string>({"host", "sm_90"});
    return options;
}

PassSet choose_passes(Random& random) {
    PassSet passes;
    if (random.chance(0.6)) return passes;
    for (const PassInfo& pass : pass_table())
        passes.*pass.enabled = random.chance(0.6);
    return passes;
}

}  // namespace

RandomCase make_case(std::uint64_t seed) {
    Random random(seed);
    RandomCase one;
    const double kind = random.unit();
    one.net = random_network(random, kind < 0.5    ? NetworkKind::image
                                     : kind < 0.65 ? NetworkKind::stages
                                     : kind < 0.85 ? NetworkKind::sequence
                                                   : NetworkKind::vector);
    choose_loss(random, one);
    ExecutableRequest& request = one.request;
    request.inputs = {{"input", one.net.vocabulary > 0 ? DType::i64 : DType::f32, one.net.sample_shape}};
    request.threads = 1;
    request.precision = random.one_of<Precision>({Precision::fp32, Precision::fp32, Precision::fp16, Precision::fp16,
                                                  Precision::fp16, Precision::bf16, Precision::tf32});
    request.tile_samples = static_cast<int>(random.between(1, 8));
    request.tile_points = random.chance(0.4) ? static_cast<int>(random.between(1, 5)) : 0;
    request.passes = choose_passes(random);
    one.options = choose_options(random);
    choose_points(random, one);
    one.chunk = make_chunk(random, one, random.between(1, 13), random.chance(0.25));
    return one;
}

std::string text_of(const RandomCase& one) {
    const ExecutableRequest& request = one.request;
    std::ostringstream text;
    text << "net " << one.net.text << " | loss " << name_of(request.loss.kind) << " axis " << request.loss.class_axis
         << " ignore " << request.loss.ignore_index.value_or(-1) << " smooth " << request.loss.label_smoothing
         << " weights " << request.loss.class_weights.size() << " onehot " << request.loss.one_hot_targets
         << " softmax " << request.loss.softmax_activation << " target " << name_of(request.target.dtype)
         << to_string(request.target.sample_shape) << " | " << name_of(request.precision) << " tile "
         << request.tile_samples << " x " << request.tile_points << " of " << one.chunk.count << " samples, axes "
         << one.weights.size() << " points";
    for (const Point& point : one.points) {
        text << " (";
        for (const double at : point.coordinates)
            text << at << ' ';
        text << (point.states.empty() ? ")" : "states)");
    }
    text << " | joins " << one.options.joins_work << " convolutions " << one.options.has_convolutions << " points "
         << one.options.most_points << " pass " << one.options.pass_bytes << " shared " << one.options.shared_bytes
         << " eager " << (one.options.pace == Pace::eager) << " reversed " << one.options.reversed << " records "
         << one.options.records << " products " << one.options.most_products << " on " << one.options.architecture
         << " passes";
    for (const PassInfo& pass : pass_table()) {
        if (!(request.passes.*pass.enabled)) text << " -" << pass.name;
    }
    return text.str();
}

RandomCase nudged(const RandomCase& from, double size) {
    Random random(5);
    RandomCase one;
    one.net = from.net;
    one.weights = from.weights;
    one.states = from.states;
    one.request = from.request;
    one.request.precision = Precision::fp32;
    one.chunk = rows_of(from.chunk, 0, from.chunk.count);
    const auto nudge = [&](float& value) { value *= static_cast<float>(1.0 + size * random.signed_unit()); };
    std::for_each(one.net.origin.weights.begin(), one.net.origin.weights.end(), nudge);
    std::for_each(one.net.origin.states.begin(), one.net.origin.states.end(), nudge);
    for (auto& axis : one.weights)
        std::for_each(axis.begin(), axis.end(), nudge);
    if (from.net.vocabulary == 0) {
        const auto values = one.chunk.inputs[0].as<float>();
        std::for_each(values.begin(), values.end(), nudge);
    }
    return one;
}

}  // namespace lossmap::test
