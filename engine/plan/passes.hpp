#pragma once

#include <span>
#include <string_view>

namespace lossmap {

/// The graph optimiser's passes. Each changes how a network is computed, never what it computes beyond rounding; each
/// can be left out, so that a result that looks wrong can be traced to one of them.
struct PassSet {
    bool constant_folding = true;
    bool dead_code = true;
    bool bias_add = true;
    bool batch_norm = true;
    bool residual = true;
    bool activation = true;
    bool transforms = true;
    bool stages = true;
    bool split_stages = true;
    bool warpgroup_stages = true;
    bool warpgroup_split_stages = true;
    bool pooling = true;
    bool dense_chains = true;

    [[nodiscard]] static constexpr PassSet none() {
        return {false, false, false, false, false, false, false, false, false, false, false, false, false};
    }
    friend bool operator==(const PassSet&, const PassSet&) = default;
};

/// A pass under the name that configurations, the command line and plan records use.
struct PassInfo {
    std::string_view name;
    bool PassSet::*enabled;
    std::string_view what;  ///< one phrase, for help and documentation
};

/// All passes, in the order in which they are applied.
[[nodiscard]] std::span<const PassInfo> pass_table();

}  // namespace lossmap
