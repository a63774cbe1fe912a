#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/backend.hpp"

namespace lossmap {

/// As configurations and the command line name them.
inline constexpr std::pair<std::string_view, Precision> kPrecisionNames[] = {
    {"fp32", Precision::fp32}, {"tf32", Precision::tf32}, {"fp16", Precision::fp16}, {"bf16", Precision::bf16}};

[[nodiscard]] inline std::vector<std::string> precision_names() {
    std::vector<std::string> names;
    for (const auto& [name, precision] : kPrecisionNames)
        names.emplace_back(name);
    return names;
}

}  // namespace lossmap
