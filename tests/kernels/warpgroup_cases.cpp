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
    // A block's third tile, whose layers begin in either buffer: what is left, or comes, where is another matter then.
    for (const bool odd : {false, true}) {
        Chain chain = exit_of(Warpgroup16x32{}, 3);
        chain.kinds = {kBlock, kRelu};
        if (odd) chain.kinds.push_back(kInner);
        cases.push_back(
            chain_case(odd ? "integers_of_tiles_3" : "integers_of_tiles_2", integers(std::move(chain)), 0.0));
    }
    cases.push_back(
        chain_case("integers_of_tiles", integers(Chain::of(Warpgroup64x8{}, 3, {kBlock, kRelu, kInner})), 0.0));
    // A network's first layer. The result is wanted, and what the exit makes of it: no buffer is left for the next tile.
    Chain chain = Chain::of(Warpgroup16x32{}, 1, {kRelu, kRelu});
    chain.in_channels = 8;
    chain.exit_channels = 24;
    chain.max_blocks = 1;
    cases.push_back(chain_case("integers_8_to_16_to_24", integers(std::move(chain)), 0.0));
    cases.push_back(chain_case("one_layer", dense(Chain::of(Warpgroup16x32{}, 1, {kRelu})), 5e-4));
    cases.push_back(input_flags_case(Chain::of(Warpgroup64x8{}, 1, {kRelu, kBlock})));
    cases.push_back(input_flags_case(Chain::of(Warpgroup16x32{}, 1, {kRelu, kBlock})));
    cases.push_back(exit_flags_case(exit_of(Warpgroup32x16{}, 1)));
    return cases;
}

}  // namespace lossmap::kernels::test
