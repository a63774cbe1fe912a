#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "kernel_case.hpp"

namespace lossmap::kernels::test {
namespace {

/// A chain on [samples, side, side, channels]; weights here are [points, layers, filters, channels, 3, 3].
struct Chain {
    std::int64_t points = 2, samples = 1;
    int channels = 16, side = 32, tile_images = 1;
    std::vector<std::uint8_t> kinds;
    Tensor in, residual, weights, bias;

    [[nodiscard]] std::int64_t layers() const { return static_cast<std::int64_t>(kinds.size()); }
    [[nodiscard]] std::int64_t image() const { return std::int64_t{1} * side * side * channels; }
    [[nodiscard]] std::int64_t filters() const { return std::int64_t{9} * channels * channels; }
};

float rounded_to_half(double value) { return half_to_float(float_to_half(static_cast<float>(value))); }

/// What one point makes of one sample, [side, side, channels], and whether a sum did not fit f16.
class Reference {
public:
    Reference(const Chain& chain, std::int64_t point, std::int64_t sample) : c_(chain) {
        const auto values = [&](const Tensor& all) {
            std::vector<float> one(static_cast<std::size_t>(c_.image()));
            for (std::size_t k = 0; k < one.size(); ++k)
                one[k] = load_float(all.data(), all.dtype(),
                                    (point * c_.samples + sample) * c_.image() + static_cast<std::int64_t>(k));
            return one;
        };
        std::vector<float> input = values(c_.in), previous;
        if (c_.residual.count() > 0) previous = values(c_.residual);
        for (std::int64_t layer = 0; layer < c_.layers(); ++layer) {
            std::vector<float> output = convolve(input, previous, point, layer);
            previous = std::move(input);
            input = std::move(output);
        }
        result = std::move(input);
    }

    std::vector<float> result;
    bool overflow = false;

private:
    std::vector<float> convolve(const std::vector<float>& input, const std::vector<float>& previous, std::int64_t point,
                                std::int64_t layer) {
        const std::uint8_t kind = c_.kinds[static_cast<std::size_t>(layer)];
        std::vector<float> output(input.size());
        for (std::int64_t k = 0; k < c_.image(); ++k) {
            const auto at = static_cast<std::size_t>(k);
            double sum = sum_at(input, k, point, layer);
            if ((kind & kStageAddInput) != 0) sum += static_cast<double>(input[at]);
            if ((kind & kStageAddPrevious) != 0) sum += static_cast<double>(previous[at]);
            const float value = rounded_to_half(sum);
            overflow = overflow || !std::isfinite(value);
            output[at] = (kind & kStageRelu) != 0 && value < 0.0F ? 0.0F : value;
        }
        return output;
    }

    [[nodiscard]] double sum_at(const std::vector<float>& input, std::int64_t k, std::int64_t point,
                                std::int64_t layer) const {
        const std::int64_t filter = k % c_.channels, x = k / c_.channels % c_.side, y = k / c_.channels / c_.side;
        const float* weights =
            c_.weights.as<float>().data() + ((point * c_.layers() + layer) * c_.channels + filter) * c_.channels * 9;
        double sum = static_cast<double>(
            c_.bias.as<float>()[static_cast<std::size_t>((point * c_.layers() + layer) * c_.channels + filter)]);
        for (std::int64_t ky = 0; ky < 3; ++ky) {
            for (std::int64_t kx = 0; kx < 3; ++kx) {
                const std::int64_t from_y = y + ky - 1, from_x = x + kx - 1;
                if (from_y < 0 || from_y >= c_.side || from_x < 0 || from_x >= c_.side) continue;
                const float* pixel = input.data() + (from_y * c_.side + from_x) * c_.channels;
                for (std::int64_t channel = 0; channel < c_.channels; ++channel)
                    sum +=
                        static_cast<double>(pixel[channel]) * static_cast<double>(weights[channel * 9 + ky * 3 + kx]);
            }
        }
        return sum;
    }

    const Chain& c_;
};

/// [points, layers, filters, channels, 3, 3] as the kernel wants it: taps, planes of 8 channels, filters.
Tensor laid_out(const Chain& c) {
    Tensor result(DType::f16, {c.points * c.layers() * c.filters()});
    std::int64_t to = 0;
    for (std::int64_t block = 0; block < c.points * c.layers(); ++block) {
        for (std::int64_t tap = 0; tap < 9; ++tap) {
            for (std::int64_t plane = 0; plane < c.channels / 8; ++plane) {
                for (std::int64_t filter = 0; filter < c.channels; ++filter) {
                    for (std::int64_t channel = plane * 8; channel < plane * 8 + 8; ++channel) {
                        const std::int64_t from = ((block * c.channels + filter) * c.channels + channel) * 9 + tap;
                        store_float(result.data(), DType::f16, to++,
                                    c.weights.as<float>()[static_cast<std::size_t>(from)]);
                    }
                }
            }
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
    args.out = device.output(DType::f16, c.points, c.samples * c.image());
    args.points = c.points;
    args.samples = c.samples;
    args.channels = c.channels;
    args.side = c.side;
    args.tile_images = c.tile_images;
    args.layers = static_cast<int>(c.layers());
    std::copy(c.kinds.begin(), c.kinds.end(), args.kinds);
    return args;
}

KernelCase chain_case(const std::string& name, std::shared_ptr<const Chain> chain, double tolerance) {
    return {"stage",
            fmt::format("{}_{}x{}_{}", name, chain->channels, chain->side, chain->tile_images),
            [chain](Device& device) {
                const StageArgs args = arguments(device, *chain);
                device.table().stage(args, device.queue());
                return list_of(device.fetch(args.out, chain->points, chain->samples * chain->image()));
            },
            [chain] {
                std::vector<float> all;
                for (std::int64_t point = 0; point < chain->points; ++point) {
                    for (std::int64_t sample = 0; sample < chain->samples; ++sample) {
                        const Reference one(*chain, point, sample);
                        all.insert(all.end(), one.result.begin(), one.result.end());
                    }
                }
                return list_of(Tensor::from<float>(all, {chain->points, chain->samples * chain->image()}));
            },
            tolerance,
            std::max(tolerance, 1e-6)};
}

constexpr std::uint8_t kPlain = 0, kRelu = kStageRelu, kInner = kStageRelu | kStageAddInput,
                       kBlock = kStageRelu | kStageAddPrevious, kLinearBlock = kStageAddPrevious;

/// Small integers and few weights a filter: every sum is exact, so must be the result.
std::shared_ptr<Chain> integers(const Chain& shape) {
    auto chain = std::make_shared<Chain>();
    chain->points = shape.points;
    chain->samples = shape.samples;
    chain->channels = shape.channels;
    chain->side = shape.side;
    chain->tile_images = shape.tile_images;
    chain->kinds = shape.kinds;
    const auto numbers = [](Shape dims, std::uint64_t seed, std::int64_t limit) {
        return as_floats(random_ints(std::move(dims), seed, -limit, limit + 1));
    };
    const Shape images{chain->points, chain->samples, chain->image()};
    chain->in = as_storage(numbers(images, 501, 3), DType::f16);
    if ((chain->kinds[0] & kStageAddPrevious) != 0) chain->residual = as_storage(numbers(images, 502, 3), DType::f16);
    const std::int64_t filters = chain->points * chain->layers() * chain->channels;
    chain->bias = numbers({filters}, 503, 2);
    chain->weights = Tensor(DType::f32, {filters, chain->filters() / chain->channels});
    std::ranges::fill(chain->weights.as<float>(), 0.0F);
    const Tensor places = random_ints({filters, 4}, 504, 0, chain->filters() / chain->channels);
    for (std::int64_t k = 0; k < filters * 4; ++k) {
        const std::int64_t place = places.as<std::int64_t>()[static_cast<std::size_t>(k)];
        const std::int64_t at = k / 4 * (chain->filters() / chain->channels) + place;
        chain->weights.as<float>()[static_cast<std::size_t>(at)] = place % 2 == 0 ? 1.0F : -1.0F;
    }
    return chain;
}

/// Random numbers in every place, of a size that layers keep.
std::shared_ptr<Chain> dense(const Chain& shape) {
    auto chain = integers(shape);
    const Shape images{chain->points, chain->samples, chain->image()};
    chain->in = as_storage(random_floats(images, 511), DType::f16);
    if (chain->residual.count() > 0) chain->residual = as_storage(random_floats(images, 512), DType::f16);
    chain->bias = random_floats(chain->bias.shape(), 513, 0.1);
    const double range = 1.5 / std::sqrt(static_cast<double>(9 * chain->channels));
    chain->weights = as_floats(as_storage(random_floats(chain->weights.shape(), 514, range), DType::f16));
    return chain;
}

/// One sample's input is too large in one channel, negative sums in front of a ReLU; another one's is NaN.
KernelCase flags_case() {
    auto chain = dense({1, 9, 64, 8, 8, {kRelu, kBlock}, {}, {}, {}, {}});
    const auto put = [&](std::int64_t sample, std::int64_t k, float value) {
        store_float(chain->in.data(), DType::f16, sample * chain->image() + k, value);
    };
    // Only negative sums: the first layer's weights of channel 5 are below 0 everywhere.
    for (std::int64_t k = 0; k < 64; ++k) {
        for (std::int64_t tap = 0; tap < 9; ++tap)
            chain->weights.as<float>()[static_cast<std::size_t>((k * 64 + 5) * 9 + tap)] = -2.0F;
    }
    for (std::int64_t pixel = 0; pixel < 64; ++pixel) {
        put(3, pixel * 64 + 5, 60000.0F);
        put(8, pixel * 64 + 5, 60000.0F);
    }
    put(6, 17, NAN);
    return {"stage", "flags_overflow_in_front_of_a_relu",
            [chain](Device& device) {
                StageArgs args = arguments(device, *chain);
                const auto slots = static_cast<std::size_t>(chain->samples + 1);
                auto* flags = device.put(std::vector<std::uint32_t>(slots, 0));
                args.overflow = {flags, chain->samples, chain->image()};
                device.table().stage(args, device.queue());
                const std::vector<std::uint32_t> found = device.get(flags, slots);
                const std::vector<std::int64_t> wide(found.begin(), found.end());
                return list_of(Tensor::from<std::int64_t>(wide, {chain->samples + 1}));
            },
            [chain] {
                std::vector<std::int64_t> flags;
                for (std::int64_t sample = 0; sample < chain->samples; ++sample)
                    flags.push_back(Reference(*chain, 0, sample).overflow ? 1 : 0);
                flags.push_back(0);
                return list_of(Tensor::from<std::int64_t>(flags, {chain->samples + 1}));
            },
            0.0};
}

}  // namespace

std::vector<KernelCase> stage_cases() {
    std::vector<KernelCase> cases;
    for_each_stage_shape([&](auto shape) {
        using Of = decltype(shape);
        // One image more than a block holds: the last block is not full.
        Chain chain{2, Of::kImages + 1, Of::kChannels, Of::kSide, Of::kImages, {kRelu, kBlock, kInner}, {}, {}, {}, {}};
        cases.push_back(chain_case("integers", integers(chain), 0.0));
        chain.kinds = {kBlock, kPlain, kLinearBlock, kRelu};
        chain.points = 1;
        cases.push_back(chain_case("integers_with_residual", integers(chain), 0.0));
        // Roundings of f16 may fall the other way where sums differ in the last bits, and grow through the layers.
        cases.push_back(chain_case("dense", dense(chain), 2e-3));
        chain.kinds = {kRelu};
        cases.push_back(chain_case("one_layer", dense(chain), 5e-4));
    });
    cases.push_back(flags_case());
    return cases;
}

}  // namespace lossmap::kernels::test
