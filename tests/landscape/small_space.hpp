#pragma once

#include <vector>

#include "params/parameter_space.hpp"

namespace lossmap::test {

inline Parameter make_parameter(std::string name, Shape shape, Role role, FilterLayout filters) {
    Parameter parameter;
    parameter.name = std::move(name);
    parameter.size = element_count(shape);
    parameter.one_dimensional = shape.size() <= 1;
    parameter.batch_norm = role == Role::norm_scale || role == Role::norm_shift || role == Role::running_mean ||
                           role == Role::running_variance;
    parameter.norm = parameter.batch_norm;
    parameter.shape = std::move(shape);
    parameter.role = role;
    parameter.filters = filters;
    return parameter;
}

inline void set_offsets(std::vector<Parameter>& parameters) {
    std::int64_t offset = 0;
    for (Parameter& parameter : parameters) {
        parameter.offset = offset;
        offset += parameter.size;
    }
}

/// Convolution [3, 2, 2, 2], its batch norm, a MatMul weight [4, 5] (filters are columns), gates [2, 3, 2] (2
/// directions of 3 rows), a bias [5].
inline ParameterSpace small_space() {
    ParameterSpace space;
    space.weights = {make_parameter("conv.weight", {3, 2, 2, 2}, Role::filter_weight, {1, 3, 8}),
                     make_parameter("bn.weight", {3}, Role::norm_scale, {1, 1, 3}),
                     make_parameter("bn.bias", {3}, Role::norm_shift, {1, 1, 3}),
                     make_parameter("fc.weight", {4, 5}, Role::filter_weight, {4, 5, 1}),
                     make_parameter("gru.weight", {2, 3, 2}, Role::filter_weight, {1, 6, 2}),
                     make_parameter("fc.bias", {5}, Role::bias, {1, 1, 5})};
    space.states = {make_parameter("bn.running_mean", {3}, Role::running_mean, {1, 1, 3}),
                    make_parameter("bn.running_var", {3}, Role::running_variance, {1, 1, 3})};
    set_offsets(space.weights);
    set_offsets(space.states);
    return space;
}

/// Values without pattern, away from zero.
inline std::vector<float> varied_values(std::int64_t count, std::int64_t start = 0) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i) {
        const auto step = static_cast<float>((i + start) * 7919 % 211);
        values.push_back((step + 1.0f) / 97.0f * ((i + start) % 3 == 0 ? -1.0f : 1.0f));
    }
    return values;
}

}  // namespace lossmap::test
