#include "cpu/lowerings.hpp"

#include "cpu/cpu_backend.hpp"

namespace lossmap::cpu {

std::span<const LoweringOf<Step>> step_lowerings() {
    static constexpr LoweringOf<Step> kWays[] = {
        {"Conv", lower_convolution}, {"Gemm", lower_dense}, {"MatMul", lower_dense}};
    return kWays;
}

namespace {

bool lower_any_batch_norm(ProgramBuilder& builder, const Node& node) {
    return lower_training_norm(builder, node) || lower_batch_norm(builder, node);
}

}  // namespace

std::span<const LoweringOf<Node>> node_lowerings() {
    static constexpr LoweringOf<Node> kWays[] = {
        {"AveragePool", lower_pool},       {"BatchNormalization", lower_any_batch_norm},
        {"Clip", lower_activation},        {"Flatten", lower_alias},
        {"GlobalAveragePool", lower_pool}, {"GlobalMaxPool", lower_pool},
        {"Identity", lower_alias},         {"MatMul", lower_batched_product},
        {"MaxPool", lower_pool},           {"Relu", lower_activation},
        {"Reshape", lower_alias},          {"Squeeze", lower_alias},
        {"Unsqueeze", lower_alias}};
    return kWays;
}

}  // namespace lossmap::cpu

namespace lossmap {

std::set<std::string_view> cpu_native_operators() {
    std::set<std::string_view> names;
    for (const auto& way : cpu::step_lowerings())
        names.insert(way.op_type);
    for (const auto& way : cpu::node_lowerings())
        names.insert(way.op_type);
    return names;
}

}  // namespace lossmap
