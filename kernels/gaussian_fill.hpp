#pragma once

#include <cstdint>

#include "core/gaussian_element.hpp"
#include "kernels/operand.hpp"

namespace lossmap::kernels {

/// out[i] = gaussian(seed, axis, parameter_hash, first + i) of core/philox.hpp, bit by bit.
struct GaussianFillArgs {
    float* out = nullptr;
    std::int64_t count = 0;
    std::uint64_t seed = 0;
    std::uint32_t axis = 0;
    std::uint64_t parameter_hash = 0;  ///< name_hash of the parameter's name
    std::uint64_t first = 0;
};

struct GaussianFill {
    GaussianFillArgs args;

    LOSSMAP_HD void operator()(std::int64_t, std::int64_t index) const {
        args.out[index] =
            gaussian_element(args.seed, args.axis, args.parameter_hash, args.first + static_cast<std::uint64_t>(index));
    }
};

template <typename Launch>
void launch_gaussian_fill(const GaussianFillArgs& args, const Launch& launch) {
    launch.items(1, args.count, GaussianFill{args});
}

}  // namespace lossmap::kernels
