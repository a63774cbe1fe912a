#include <vector>

#include "stage_chain.hpp"

namespace lossmap::kernels::test {

std::vector<KernelCase> warpgroup_cases() {
    std::vector<KernelCase> cases;
    for_each_warpgroup_shape([&](auto shape) {
        using Of = decltype(shape);
        const std::vector<std::uint8_t> kinds{kBlock, kPlain, kLinearBlock, kRelu};
        cases.push_back(chain_case("integers", integers(Chain::of(shape, 2, {kRelu, kBlock, kInner})), 0.0));
        cases.push_back(chain_case("integers_with_residual", integers(Chain::of(shape, 1, kinds)), 0.0));
        // Roundings of f16 may fall the other way where sums differ in the last bits, and grow through the layers.
        cases.push_back(chain_case("dense", dense(Chain::of(shape, 1, kinds)), 2e-3));
        if (Of::kHasExit) {
            cases.push_back(chain_case("integers_with_exit", integers(exit_of(shape, 2)), 0.0));
            cases.push_back(chain_case("dense_with_exit", dense(exit_of(shape, 1)), 2e-3));
        }
    });
    // A network's first layer.
    Chain chain = Chain::of(Warpgroup16x32{}, 1, {kRelu, kRelu});
    chain.in_channels = 8;
    chain.exit_channels = 24;
    cases.push_back(chain_case("integers_8_to_16_to_24", integers(std::move(chain)), 0.0));
    cases.push_back(chain_case("one_layer", dense(Chain::of(Warpgroup16x32{}, 1, {kRelu})), 5e-4));
    cases.push_back(input_flags_case(Chain::of(Warpgroup64x8{}, 1, {kRelu, kBlock})));
    cases.push_back(input_flags_case(Chain::of(Warpgroup16x32{}, 1, {kRelu, kBlock})));
    cases.push_back(exit_flags_case(exit_of(Warpgroup32x16{}, 1)));
    return cases;
}

}  // namespace lossmap::kernels::test
