#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "stage_chain.hpp"

namespace lossmap::kernels::test {
std::vector<KernelCase> stage_cases() {
    std::vector<KernelCase> cases;
    for_each_stage_shape([&](auto shape) {
        using Of = decltype(shape);
        const std::vector<std::uint8_t> kinds{kBlock, kPlain, kLinearBlock, kRelu};
        cases.push_back(
            chain_case("integers", integers(Chain::of(shape, Of::kImages > 2 ? 1 : 2, {kRelu, kBlock, kInner})), 0.0));
        cases.push_back(chain_case("integers_with_residual", integers(Chain::of(shape, 1, kinds)), 0.0));
        // Roundings of f16 may fall the other way where sums differ in the last bits, and grow through the layers.
        cases.push_back(chain_case("dense", dense(Chain::of(shape, 1, kinds)), 2e-3));
        if (Of::kHasExit) {
            cases.push_back(chain_case("integers_with_exit", integers(exit_of(shape, 2)), 0.0));
            cases.push_back(chain_case("dense_with_exit", dense(exit_of(shape, 1)), 2e-3));
        }
    });
    // Fewer channels in memory than are computed: a network's first layer, and narrow networks.
    for (const auto& [stored, out, exit] : {std::tuple{8, 16, 0}, {8, 8, 8}, {16, 16, 24}}) {
        Chain chain = Chain::of(Stage16x28{}, 1, {kRelu, kRelu});
        chain.in_channels = stored;
        chain.out_channels = out;
        chain.exit_channels = exit;
        const std::string name = fmt::format("integers_{}_to_{}_to_{}", stored, out, exit);
        cases.push_back(chain_case(name, integers(std::move(chain)), 0.0));
    }
    cases.push_back(chain_case("one_layer", dense(Chain::of(Stage16x32{}, 1, {kRelu})), 5e-4));
    for (const int side : {7, 8}) {
        Chain chain = Chain::of(Stage64x8{}, 1, {kRelu, kBlock});
        chain.side = side;
        cases.push_back(input_flags_case(std::move(chain)));
    }
    cases.push_back(exit_flags_case(exit_of(Stage32x16{}, 1)));
    return cases;
}

}  // namespace lossmap::kernels::test
