#include <cmath>

#include <fmt/format.h>

#include "core/philox.hpp"
#include "kernel_case.hpp"
#include "landscape/direction.hpp"

namespace lossmap::kernels::test {
namespace {

constexpr std::int64_t kPoints = 11;  // more than one thread's group

/// theta and axes of some arrays, host side, and the coordinates of the points.
struct Theta {
    std::vector<Tensor> base;
    std::vector<std::vector<Tensor>> axes;  ///< [array][axis]; empty tensors do not move
    Tensor coordinates;                     ///< [kPoints, axes]
};

std::shared_ptr<Theta> random_theta(const std::vector<std::int64_t>& sizes, int axes, std::uint64_t seed) {
    auto theta = std::make_shared<Theta>();
    theta->coordinates = random_floats({kPoints, axes}, seed);
    for (const std::int64_t size : sizes) {
        theta->base.push_back(random_floats({size}, ++seed));
        theta->axes.emplace_back();
        for (int axis = 0; axis < axes; ++axis)
            theta->axes.back().push_back(random_floats({size}, ++seed));
    }
    return theta;
}

/// The definition: the offset is rounded to fp32 first, sums from the first axis on.
float perturbed(const Theta& theta, std::size_t array, std::int64_t point, std::int64_t index) {
    const auto at = static_cast<std::size_t>(index);
    const auto axes = static_cast<std::size_t>(theta.coordinates.shape()[1]);
    float offset = 0.0F;
    for (std::size_t axis = 0; axis < axes; ++axis) {
        if (theta.axes[array][axis].count() == 0) continue;
        const float c = theta.coordinates.as<float>()[static_cast<std::size_t>(point) * axes + axis];
        offset += theta.axes[array][axis].as<float>()[at] * c;
    }
    return theta.base[array].as<float>()[at] + offset;
}

ThetaArray upload(Device& device, const Theta& theta, std::size_t array) {
    ThetaArray result;
    result.base =
        device.put(std::vector<float>(theta.base[array].as<float>().begin(), theta.base[array].as<float>().end()));
    for (std::size_t axis = 0; axis < theta.axes[array].size(); ++axis) {
        const auto values = theta.axes[array][axis].as<float>();
        if (!values.empty()) result.axes[axis] = device.put(std::vector<float>(values.begin(), values.end()));
    }
    return result;
}

Coordinates upload_coordinates(Device& device, const Theta& theta) {
    const auto values = theta.coordinates.as<float>();
    return {device.put(std::vector<float>(values.begin(), values.end())),
            static_cast<int>(theta.coordinates.shape()[1])};
}

template <typename T>
Tensor tensor_of(const std::vector<T>& values) {
    return Tensor::from<T>(values, {static_cast<std::int64_t>(values.size())});
}

constexpr std::int64_t kChannels[] = {3, 5};

/// Two norms in one launch; the second has no gamma and no beta, and a negative variance.
KernelCase fold_case() {
    const auto theta = random_theta({3, 3, 3, 3, 5, 5}, 2, 61);
    for (const std::size_t variance : {std::size_t{3}, std::size_t{5}}) {
        for (float& x : theta->base[variance].as<float>())
            x = std::abs(x) + 2.0F;
    }
    theta->base[5].as<float>()[1] = -9.0F;
    const auto arrays = [](std::size_t norm) {
        return norm == 0 ? std::vector<int>{0, 1, 2, 3} : std::vector<int>{-1, -1, 4, 5};
    };
    return {"fold_factors", "two_norms",
            [=](Device& device) {
                std::vector<FoldTarget> targets(2);
                auto* factors = device.room<double>(2 * kPoints * 8);
                std::int64_t first = 0;
                for (std::size_t norm = 0; norm < 2; ++norm) {
                    FoldTarget& target = targets[norm];
                    ThetaArray* members[] = {&target.gamma, &target.beta, &target.mean, &target.variance};
                    for (std::size_t k = 0; k < 4; ++k) {
                        const int array = arrays(norm)[k];
                        if (array >= 0) *members[k] = upload(device, *theta, static_cast<std::size_t>(array));
                    }
                    target.epsilon = 1e-3;
                    target.channels = kChannels[norm];
                    target.scale = factors + first;
                    target.shift = factors + kPoints * 8 + first;
                    target.point_stride = 8;
                    target.first = first;
                    first += target.channels;
                }
                device.table().fold_factors(
                    {device.put(targets), 2, first, upload_coordinates(device, *theta), kPoints}, device.queue());
                return list_of(tensor_of(device.get(factors, 2 * kPoints * 8)));
            },
            [=] {
                std::vector<double> scales, shifts;
                for (std::int64_t point = 0; point < kPoints; ++point) {
                    for (std::size_t norm = 0; norm < 2; ++norm) {
                        for (std::int64_t c = 0; c < kChannels[norm]; ++c) {
                            const auto value = [&](std::size_t member, double absent) {
                                const int array = arrays(norm)[member];
                                return array < 0 ? absent
                                                 : static_cast<double>(
                                                       perturbed(*theta, static_cast<std::size_t>(array), point, c));
                            };
                            scales.push_back(value(0, 1.0) / std::sqrt(value(3, 0.0) + 1e-3));
                            shifts.push_back(value(1, 0.0) - value(2, 0.0) * scales.back());
                        }
                    }
                }
                scales.insert(scales.end(), shifts.begin(), shifts.end());
                return list_of(tensor_of(scales));
            },
            1e-15};
}

/// A weight laid out anew; `filters` counts along `filter_axis` of the packed array.
struct Packing {
    std::string name;
    std::vector<std::int64_t> extents, valid, strides;
    int filter_axis = 0;
    bool scaled = false;
    double weight_factor = 1.0;
};

void fill_target(PerturbTarget& target, const Packing& packing) {
    target.rank = static_cast<int>(packing.extents.size());
    for (std::size_t axis = 0; axis < packing.extents.size(); ++axis) {
        target.extents[axis] = packing.extents[axis];
        target.valid[axis] = packing.valid[axis];
        target.source_strides[axis] = packing.strides[axis];
    }
    target.filter_axis = packing.filter_axis;
    target.weight_factor = packing.weight_factor;
}

std::int64_t product(const std::vector<std::int64_t>& values) {
    std::int64_t result = 1;
    for (const std::int64_t value : values)
        result *= value;
    return result;
}

/// The two packings of a launch: the second one stands behind the first in the list of packs.
KernelCase perturb_case(const std::string& name, const std::vector<Packing>& packings, int axes, DType type,
                        bool from_computed = false) {
    std::vector<std::int64_t> sizes;
    for (const Packing& packing : packings)
        sizes.push_back(product(packing.valid));
    const auto theta = random_theta(sizes, axes, 71);
    if (axes > 1) theta->axes[0][0] = Tensor(DType::f32, {0});  // an axis that does not move the first weight
    std::vector<double> factors;
    for (int k = 0; k < kPoints * 64; ++k)
        factors.push_back(0.3 + 0.01 * k);
    const auto computed = std::make_shared<Tensor>(random_floats({kPoints, sizes[0]}, 99));
    return {"perturb", fmt::format("{}_{}_axes_{}", name, axes, name_of(type)),
            [=](Device& device) {
                std::vector<PerturbTarget> targets(packings.size());
                std::vector<Output> outputs;
                std::int64_t first = 0;
                for (std::size_t k = 0; k < packings.size(); ++k) {
                    fill_target(targets[k], packings[k]);
                    targets[k].source = upload(device, *theta, k);
                    if (from_computed) {
                        targets[k].source = {};
                        targets[k].source.base = static_cast<const float*>(device.input(*computed).data);
                        targets[k].source.base_point_stride = sizes[0];
                    }
                    if (packings[k].scaled) {
                        targets[k].scale = device.put(factors);
                        targets[k].scale_point_stride = 64;
                    }
                    outputs.push_back(device.output(type, kPoints, product(packings[k].extents)));
                    targets[k].out = outputs[k].data;
                    targets[k].type = type;
                    targets[k].out_point_stride = outputs[k].point_stride;
                    targets[k].first = first;
                    first += targets[k].packs();
                }
                device.table().perturb({device.put(targets), static_cast<int>(targets.size()), first,
                                        upload_coordinates(device, *theta), kPoints},
                                       device.queue());
                std::vector<Tensor> results;
                for (std::size_t k = 0; k < packings.size(); ++k)
                    results.push_back(device.fetch(outputs[k], kPoints, product(packings[k].extents)));
                return results;
            },
            [=] {
                std::vector<Tensor> results;
                for (std::size_t k = 0; k < packings.size(); ++k) {
                    const Packing& packing = packings[k];
                    const std::int64_t count = product(packing.extents);
                    Tensor out(DType::f32, {kPoints, count});
                    for (std::int64_t flat = 0; flat < kPoints * count; ++flat) {
                        const std::int64_t point = flat / count;
                        std::int64_t rest = flat % count, source = 0, filter = 0;
                        bool inside = true;
                        for (std::size_t axis = packing.extents.size(); axis-- > 0;) {
                            const std::int64_t at = rest % packing.extents[axis];
                            rest /= packing.extents[axis];
                            inside = inside && at < packing.valid[axis];
                            source += at * packing.strides[axis];
                            if (static_cast<int>(axis) == packing.filter_axis) filter = at;
                        }
                        float value = 0.0F;
                        if (inside) {
                            value = from_computed
                                        ? computed->as<float>()[static_cast<std::size_t>(point * sizes[0] + source)]
                                        : perturbed(*theta, k, point, source);
                            const double scale =
                                packing.scaled ? factors[static_cast<std::size_t>(point * 64 + filter)] : 1.0;
                            value *= static_cast<float>(scale * packing.weight_factor);
                        }
                        out.as<float>()[static_cast<std::size_t>(flat)] = value;
                    }
                    results.push_back(std::move(out));
                }
                return results;
            },
            0.0};
}

void add_perturb_cases(std::vector<KernelCase>& cases) {
    // OIHW [4, 3, 2, 5] -> OHWI padded to 8 channels; a plain copy; MatMul weights [6, 16] with filters as columns.
    const Packing convolution{"ohwi", {4, 2, 5, 8}, {4, 2, 5, 3}, {30, 5, 1, 10}, 0, true, 1.0};
    const Packing plain{"plain", {13}, {13}, {1}, 0, false, 1.0};
    const Packing columns{"columns", {8, 16}, {6, 16}, {16, 1}, 1, true, 0.5};
    const Packing transposed{"transposed", {16, 8}, {16, 6}, {1, 16}, 0, false, -2.0};
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
        for (const int axes : {1, 2, 3})
            cases.push_back(perturb_case("conv_and_plain", {convolution, plain}, axes, type));
        cases.push_back(perturb_case("columns_and_transposed", {columns, transposed}, 2, type));
    }
    cases.push_back(perturb_case("computed", {convolution}, 2, DType::f32, true));
}

KernelCase bias_case() {
    const auto theta = random_theta({5, 5, 1}, 2, 81);
    std::vector<double> factors;
    for (int k = 0; k < kPoints * 8; ++k)
        factors.push_back(0.5 - 0.02 * k);
    return {"perturb_bias", "folded_and_single",
            [=](Device& device) {
                std::vector<BiasTarget> targets(2);
                targets[0].bias = upload(device, *theta, 0);
                targets[0].added = upload(device, *theta, 1);
                targets[0].bias_factor = 0.25;
                targets[0].scale = device.put(factors);
                targets[0].shift = targets[0].scale + 3;
                targets[0].scale_point_stride = 8;
                targets[1].bias = upload(device, *theta, 2);
                targets[1].one_for_all = true;
                targets[1].first = 8;
                const Output out = device.output(DType::f32, kPoints, 16);
                for (std::size_t k = 0; k < 2; ++k) {
                    targets[k].filters = 5;
                    targets[k].padded_filters = 8;
                    targets[k].out = static_cast<float*>(out.data) + 8 * k;
                    targets[k].out_point_stride = 16;
                }
                device.table().perturb_bias({device.put(targets), 2, 16, upload_coordinates(device, *theta), kPoints},
                                            device.queue());
                return list_of(device.fetch(out, kPoints, 16));
            },
            [=] {
                Tensor out(DType::f32, {kPoints, 16});
                for (std::int64_t point = 0; point < kPoints; ++point) {
                    for (std::int64_t f = 0; f < 8; ++f) {
                        const auto row = static_cast<std::size_t>(point * 16 + f);
                        const auto factor = static_cast<std::size_t>(point * 8 + f);
                        const bool real = f < 5;
                        const double value = !real ? 0.0
                                                   : (static_cast<double>(perturbed(*theta, 0, point, f)) * 0.25 +
                                                      static_cast<double>(perturbed(*theta, 1, point, f))) *
                                                             factors[factor] +
                                                         factors[factor + 3];
                        out.as<float>()[row] = static_cast<float>(value);
                        out.as<float>()[row + 8] = real ? perturbed(*theta, 2, point, 0) : 0.0F;
                    }
                }
                return list_of(std::move(out));
            },
            0.0};
}

KernelCase gaussian_case() {
    return {"gaussian_fill", "bits",
            [](Device& device) {
                const Output out = device.output(DType::f32, 1, 5001);
                GaussianFillArgs args{static_cast<float*>(out.data), 5001, 1234567890123, 3,
                                      name_hash("layer.weight"),     7};
                device.table().gaussian_fill(args, device.queue());
                return list_of(device.fetch(out, 1, 5001));
            },
            [] {
                Tensor expected(DType::f32, {5001});
                for (std::uint64_t k = 0; k < 5001; ++k)
                    expected.as<float>()[k] = gaussian(1234567890123, 3, name_hash("layer.weight"), 7 + k);
                return list_of(std::move(expected));
            },
            0.0};
}

/// Against the directions that the host normalises.
KernelCase direction_case(const std::string& name, DirectionRule rule, Normalization normalization,
                          FilterLayout layout) {
    const std::int64_t size = layout.outer * layout.count * layout.inner;
    const auto d = std::make_shared<Tensor>(random_floats({size}, 91));
    const auto w = std::make_shared<Tensor>(random_floats({size}, 92, 0.1));
    return {"normalize_direction", name,
            [=](Device& device) {
                const Output out{device.put(d->data(), d->size_bytes()), DType::f32, size};
                NormalizeDirectionArgs args{static_cast<float*>(out.data),
                                            static_cast<const float*>(device.input(*w).data),
                                            layout.outer,
                                            layout.count,
                                            layout.inner,
                                            rule};
                device.table().normalize_direction(args, device.queue());
                return list_of(device.fetch(out, 1, size));
            },
            [=] {
                ParameterSpace space;
                Parameter parameter;
                parameter.name = "weight";
                parameter.size = size;
                parameter.filters = layout;
                parameter.one_dimensional = rule == DirectionRule::copy || rule == DirectionRule::zero;
                space.weights.push_back(parameter);
                Direction direction;
                direction.weights.assign(d->as<float>().begin(), d->as<float>().end());
                IgnoreSet ignore;
                ignore.one_dimensional = rule == DirectionRule::zero;
                normalize_direction(direction, space, w->as<float>(), normalization, ignore);
                return list_of(Tensor::from<float>(direction.weights, {size}));
            },
            0.0};
}

}  // namespace

std::vector<KernelCase> theta_cases() {
    std::vector<KernelCase> cases;
    cases.push_back(fold_case());
    add_perturb_cases(cases);
    cases.push_back(bias_case());
    cases.push_back(gaussian_case());
    const FilterLayout convolution{1, 6, 300};
    const FilterLayout columns{40, 7, 1};
    for (const auto& [name, rule, normalization] :
         {std::tuple("filter", DirectionRule::filter, Normalization::filter),
          std::tuple("dfilter", DirectionRule::dfilter, Normalization::dfilter),
          std::tuple("layer", DirectionRule::layer, Normalization::layer),
          std::tuple("dlayer", DirectionRule::dlayer, Normalization::dlayer),
          std::tuple("weight", DirectionRule::weight, Normalization::weight),
          std::tuple("copy", DirectionRule::copy, Normalization::filter),
          std::tuple("zero", DirectionRule::zero, Normalization::filter)}) {
        cases.push_back(direction_case(std::string(name) + "_rows", rule, normalization, convolution));
        cases.push_back(direction_case(std::string(name) + "_columns", rule, normalization, columns));
    }
    return cases;
}

}  // namespace lossmap::kernels::test
