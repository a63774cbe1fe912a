#include "stage_chain.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace lossmap::kernels::test {
namespace {

float rounded_to_half(double value) { return half_to_float(float_to_half(static_cast<float>(value))); }

/// What one point makes of one sample, and whether a sum does not fit f16.
class Reference {
public:
    Reference(const Chain& chain, std::int64_t point, std::int64_t sample) : c_(chain), point_(point) {
        std::vector<float> input = values(c_.in, c_.in_channels, sample), previous;
        if (c_.residual.count() > 0) previous = values(c_.residual, c_.out_channels, sample);
        for (std::int64_t layer = 0; layer < c_.layers(); ++layer) {
            std::vector<float> output = convolve(input, previous, layer);
            previous = std::move(input);
            input = std::move(output);
        }
        if (c_.exit_channels > 0) {
            exit = leave(input, c_.layers(), true);
            if (c_.shortcut) shortcut = leave(input, c_.layers() + c_.parts(), false);
        }
        for (std::int64_t k = 0; k < c_.image(); ++k)
            result.push_back(input[static_cast<std::size_t>(k / c_.out_channels * c_.channels + k % c_.out_channels)]);
    }

    std::vector<float> result, exit, shortcut;
    bool overflow = false;

private:
    /// [pixels, c_.channels] of a stored image.
    [[nodiscard]] std::vector<float> values(const Tensor& all, int stored, std::int64_t sample) const {
        std::vector<float> one(static_cast<std::size_t>(c_.pixels() * c_.channels), 0.0F);
        for (std::int64_t k = 0; k < c_.pixels() * stored; ++k)
            one[static_cast<std::size_t>(k / stored * c_.channels + k % stored)] =
                load_float(all.data(), all.dtype(), (point_ * c_.samples + sample) * c_.pixels() * stored + k);
        return one;
    }

    float rounded(double sum, bool relu) {
        const float value = c_.products > 0 ? static_cast<float>(sum) : rounded_to_half(sum);
        overflow = overflow || (c_.products == 0 && !std::isfinite(value));
        return relu && value < 0.0F ? 0.0F : value;
    }

    /// What products read.
    [[nodiscard]] std::vector<float> operands(const std::vector<float>& input) const {
        std::vector<float> read = input;
        if (c_.products == 1)
            for (float& value : read)
                value = rounded_to_half(static_cast<double>(value));
        return read;
    }

    std::vector<float> convolve(const std::vector<float>& input, const std::vector<float>& previous,
                                std::int64_t layer) {
        const std::uint8_t kind = c_.kinds[static_cast<std::size_t>(layer)];
        const std::vector<float> read = operands(input);
        std::vector<float> output(input.size());
        for (std::size_t k = 0; k < output.size(); ++k) {
            const auto pixel = static_cast<std::int64_t>(k) / c_.channels;
            double sum =
                sum_at(read, static_cast<std::int64_t>(k) % c_.channels, pixel / c_.side, pixel % c_.side, layer);
            if ((kind & kStageAddInput) != 0) sum += static_cast<double>(input[k]);
            if ((kind & kStageAddPrevious) != 0) sum += static_cast<double>(previous[k]);
            output[k] = rounded(sum, (kind & kStageRelu) != 0);
        }
        return output;
    }

    /// Every second pixel of every second row, with filters of several blocks.
    std::vector<float> leave(const std::vector<float>& input, std::int64_t first_block, bool relu) {
        std::vector<float> output;
        const std::vector<float> read = operands(input);
        for (std::int64_t k = 0; k < c_.exit_image(); ++k) {
            const std::int64_t filter = k % c_.exit_channels, pixel = k / c_.exit_channels;
            const double sum = sum_at(read, filter % c_.channels, pixel / (c_.side / 2) * 2, pixel % (c_.side / 2) * 2,
                                      first_block + filter / c_.channels);
            output.push_back(rounded(sum, relu));
        }
        return output;
    }

    [[nodiscard]] double sum_at(const std::vector<float>& input, std::int64_t filter, std::int64_t y, std::int64_t x,
                                std::int64_t block) const {
        const std::int64_t row = (point_ * c_.blocks() + block) * c_.channels + filter;
        const float* weights = c_.weights.as<float>().data() + row * c_.channels * 9;
        double sum = static_cast<double>(c_.bias.as<float>()[static_cast<std::size_t>(row)]);
        for (std::int64_t ky = 0; ky < 3; ++ky) {
            for (std::int64_t kx = 0; kx < 3; ++kx) {
                const std::int64_t from_y = y + ky - 1, from_x = x + kx - 1;
                if (from_y < 0 || from_y >= c_.side || from_x < 0 || from_x >= c_.side) continue;
                const float* pixel = input.data() + (from_y * c_.side + from_x) * c_.channels;
                for (std::int64_t channel = 0; channel < c_.channels; ++channel) {
                    const auto weight = static_cast<double>(weights[channel * 9 + ky * 3 + kx]);
                    sum += static_cast<double>(pixel[channel]) *
                           (c_.products == 1 ? static_cast<double>(rounded_to_half(weight)) : weight);
                }
            }
        }
        return sum;
    }

    const Chain& c_;
    std::int64_t point_;
};

/// Whether a row of weights belongs to the 1x1 convolution.
bool is_shortcut(const Chain& chain, std::int64_t filter) {
    return chain.shortcut && filter / chain.channels % chain.blocks() >= chain.layers() + chain.parts();
}

/// [points, blocks, filters, channels, 3, 3] as the kernel wants it: (halves,) taps, planes of 8 channels, filters.
/// What stands around a 1x1 filter is never written.
Tensor laid_out(const Chain& c) {
    const std::int64_t halves = c.halves();
    Tensor result(DType::f16, {c.points * c.blocks() * halves * c.filters()});
    std::int64_t to = 0;
    for (std::int64_t row = 0; row < c.points * c.blocks() * halves * 9 * (c.channels / 8); ++row) {
        const std::int64_t plane = row % (c.channels / 8), tap = row / (c.channels / 8) % 9;
        const std::int64_t half = row / (c.channels / 8) / 9 % halves, block = row / (c.channels / 8) / 9 / halves;
        for (std::int64_t k = 0; k < std::int64_t{8} * c.channels; ++k) {
            const std::int64_t filter = block * c.channels + k / 8, channel = plane * 8 + k % 8;
            const float weight =
                c.weights.as<float>()[static_cast<std::size_t>((filter * c.channels + channel) * 9 + tap)];
            float value = weight;
            if (half == 1) value = (weight - rounded_to_half(static_cast<double>(weight))) * 2048.0F;
            if (is_shortcut(c, filter) && tap != 4) value = NAN;
            store_float(result.data(), DType::f16, to++, value);
        }
    }
    return result;
}

StageArgs arguments(Device& device, const Chain& c) {
    StageArgs args;
    args.in = device.input(c.in, c.points);
    if (c.residual.count() > 0) args.residual = device.input(c.residual, c.points);
    args.weights = device.input(laid_out(c), c.points);
    args.bias = device.input(c.bias, c.points);
    if (c.exit_channels > 0) {
        args.exit = device.output(c.type(), c.points, c.samples * c.exit_image());
        if (c.shortcut) args.shortcut = device.output(c.type(), c.points, c.samples * c.exit_image());
    }
    if (c.keeps_result()) args.out = device.output(c.type(), c.points, c.samples * c.image());
    args.points = c.points;
    args.samples = c.samples;
    args.channels = c.channels;
    args.side = c.side;
    args.tile_images = c.tile_images;
    args.in_channels = c.in_channels;
    args.out_channels = c.out_channels;
    args.exit_channels = c.exit_channels;
    args.exit_relu = true;
    args.max_blocks = c.max_blocks;
    args.layers = static_cast<int>(c.layers());
    std::copy(c.kinds.begin(), c.kinds.end(), args.kinds);
    return args;
}

Tensor of_points(const std::vector<float>& values, std::int64_t points) {
    return Tensor::from<float>(values, {points, static_cast<std::int64_t>(values.size()) / points});
}

}  // namespace

KernelCase chain_case(const std::string& name, std::shared_ptr<const Chain> chain, double tolerance) {
    return {chain->kernel(),
            fmt::format("{}_{}x{}_{}", name, chain->channels, chain->side, chain->tile_images),
            [chain](Device& device) {
                const StageArgs args = arguments(device, *chain);
                chain->launch(device, args);
                std::vector<Tensor> results;
                if (args.out.data != nullptr)
                    results.push_back(device.fetch(args.out, chain->points, chain->samples * chain->image()));
                for (const Output& out : {args.exit, args.shortcut}) {
                    if (out.data == nullptr) continue;
                    results.push_back(device.fetch(out, chain->points, chain->samples * chain->exit_image()));
                }
                return results;
            },
            [chain] {
                std::vector<float> out, exit, shortcut;
                for (std::int64_t point = 0; point < chain->points; ++point) {
                    for (std::int64_t sample = 0; sample < chain->samples; ++sample) {
                        const Reference one(*chain, point, sample);
                        out.insert(out.end(), one.result.begin(), one.result.end());
                        exit.insert(exit.end(), one.exit.begin(), one.exit.end());
                        shortcut.insert(shortcut.end(), one.shortcut.begin(), one.shortcut.end());
                    }
                }
                std::vector<Tensor> results;
                if (chain->keeps_result()) results = list_of(of_points(out, chain->points));
                for (const std::vector<float>& values : {exit, shortcut})
                    if (!values.empty()) results.push_back(of_points(values, chain->points));
                return results;
            },
            tolerance,
            std::max(tolerance, 1e-6)};
}

std::shared_ptr<Chain> integers(Chain shape, std::int64_t limit) {
    auto chain = std::make_shared<Chain>(std::move(shape));
    const auto numbers = [](Shape dims, std::uint64_t seed, std::int64_t most) {
        return as_floats(random_ints(std::move(dims), seed, -most, most + 1));
    };
    const Shape images{chain->points, chain->samples, chain->pixels() * chain->in_channels};
    chain->in = as_storage(numbers(images, 501, limit), chain->type());
    if ((chain->kinds[0] & kStageAddPrevious) != 0)
        chain->residual = as_storage(numbers(images, 502, limit), chain->type());
    const std::int64_t filters = chain->points * chain->blocks() * chain->channels;
    chain->bias = numbers({filters}, 503, 2);
    chain->weights = Tensor(DType::f32, {filters, chain->filters() / chain->channels});
    std::ranges::fill(chain->weights.as<float>(), 0.0F);
    const Tensor places = random_ints({filters, 4}, 504, 0, chain->filters() / chain->channels);
    for (std::int64_t k = 0; k < filters * 4; ++k) {
        std::int64_t place = places.as<std::int64_t>()[static_cast<std::size_t>(k)];
        if (is_shortcut(*chain, k / 4)) place = place / 9 * 9 + 4;  // 1x1
        const std::int64_t at = k / 4 * (chain->filters() / chain->channels) + place;
        chain->weights.as<float>()[static_cast<std::size_t>(at)] = place % 2 == 0 ? 1.0F : -1.0F;
    }
    return chain;
}

std::shared_ptr<Chain> dense(Chain shape) {
    auto chain = integers(std::move(shape));
    const Shape images = chain->in.shape();
    chain->in = as_storage(random_floats(images, 511), chain->type());
    if (chain->residual.count() > 0) chain->residual = as_storage(random_floats(images, 512), chain->type());
    chain->bias = random_floats(chain->bias.shape(), 513, 0.1);
    const double range = 1.5 / std::sqrt(static_cast<double>(9 * chain->channels));
    chain->weights = as_floats(as_storage(random_floats(chain->weights.shape(), 514, range), chain->type()));
    for (std::int64_t k = 0; k < chain->weights.count(); ++k) {
        const std::int64_t filter = k / (std::int64_t{9} * chain->channels);
        if (is_shortcut(*chain, filter) && k % 9 != 4) chain->weights.as<float>()[static_cast<std::size_t>(k)] = 0.0F;
    }
    return chain;
}

KernelCase flags_of(const std::string& name, std::shared_ptr<const Chain> chain, std::vector<std::int64_t> expected) {
    if (expected.empty()) {
        for (std::int64_t sample = 0; sample < chain->samples; ++sample)
            expected.push_back(Reference(*chain, 0, sample).overflow ? 1 : 0);
    }
    expected.push_back(0);
    return {chain->kernel(), name,
            [chain](Device& device) {
                StageArgs args = arguments(device, *chain);
                const auto slots = static_cast<std::size_t>(chain->samples + 1);
                auto* flags = device.put(std::vector<std::uint32_t>(slots, 0));
                args.overflow = {flags, chain->samples, chain->image()};
                chain->launch(device, args);
                const std::vector<std::uint32_t> found = device.get(flags, slots);
                const std::vector<std::int64_t> wide(found.begin(), found.end());
                return list_of(Tensor::from<std::int64_t>(wide, {chain->samples + 1}));
            },
            [chain, expected] { return list_of(Tensor::from<std::int64_t>(expected, {chain->samples + 1})); }, 0.0};
}

KernelCase input_flags_case(Chain shape) {
    const std::int64_t side = shape.side, channels = shape.channels;
    shape.samples = 9;
    auto chain = dense(std::move(shape));
    const auto put = [&](std::int64_t sample, std::int64_t k, float value) {
        store_float(chain->in.data(), DType::f16, sample * chain->image() + k, value);
    };
    // Only negative sums: the first layer's weights of channel 5 are below 0 everywhere.
    for (std::int64_t k = 0; k < channels; ++k) {
        for (std::int64_t tap = 0; tap < 9; ++tap)
            chain->weights.as<float>()[static_cast<std::size_t>((k * channels + 5) * 9 + tap)] = -2.0F;
    }
    for (std::int64_t pixel = 0; pixel < side * side; ++pixel) {
        put(3, pixel * channels + 5, 60000.0F);
        put(8, pixel * channels + 5, 60000.0F);
    }
    put(6, 17, NAN);
    return flags_of(fmt::format("flags_overflow_in_front_of_a_relu_{}x{}", channels, side), chain);
}

KernelCase exit_flags_case(Chain shape) {
    auto chain = dense(std::move(shape));
    const auto weight = [&](std::int64_t block, std::int64_t filter, std::int64_t channel) {
        return chain->weights.as<float>().data() + ((block * 32 + filter) * 32 + channel) * 9;
    };
    for (std::int64_t k = 0; k < 32; ++k) {
        std::fill_n(weight(0, k, 5), 9, 0.0F);
        std::fill_n(weight(0, k, 6), 9, 0.0F);
        std::fill_n(weight(1, k, 5), 9, -1.0F);
        weight(4, k, 6)[4] = 60000.0F;
    }
    // What the layer makes of channels 5 and 6 is what comes in.
    std::fill_n(weight(0, 5, 0), std::int64_t{9} * 32, 0.0F);
    std::fill_n(weight(0, 6, 0), std::int64_t{9} * 32, 0.0F);
    weight(0, 5, 5)[4] = weight(0, 6, 6)[4] = 1.0F;
    for (std::int64_t pixel = 0; pixel < chain->pixels(); ++pixel) {
        store_float(chain->in.data(), DType::f16, pixel * 32 + 5, 50000.0F);
        for (std::int64_t sample = 1; sample < 3; ++sample) {
            store_float(chain->in.data(), DType::f16, (sample * chain->pixels() + pixel) * 32 + 5, 0.0F);
            store_float(chain->in.data(), DType::f16, (sample * chain->pixels() + pixel) * 32 + 6,
                        sample == 2 ? 2.0F : 0.0F);
        }
    }
    return flags_of("flags_overflow_at_the_exit", chain);
}

}  // namespace lossmap::kernels::test
