#include <cmath>

#include <gtest/gtest.h>

#include "backend/direction_maker.hpp"
#include "core/philox.hpp"
#include "tests/backends/backend_case.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::NetworkRunner;
using test::small_net;

constexpr std::uint64_t kSeed = 77;

class BackendDirections : public ::testing::TestWithParam<test::BackendCase> {
protected:
    std::shared_ptr<Backend> backend_ = GetParam().make();
    NetworkRunner runner_{small_net(), 6, 5, backend_};
    const ParameterSpace& space_ = runner_.net().space();
    const std::vector<float>& origin_ = runner_.net().origin().weights;
};

TEST_P(BackendDirections, NumbersAreThoseOfTheGenerator) {
    const auto maker = backend_->direction_maker(space_, origin_);
    for (const int axis : {0, 1}) {
        const MadeWeights made = maker->gaussian(kSeed, axis, {});
        ASSERT_EQ(made.weights.size(), origin_.size());
        for (const Parameter& parameter : space_.weights) {
            for (std::int64_t k = 0; k < parameter.size; ++k) {
                EXPECT_EQ(made.weights[static_cast<std::size_t>(parameter.offset + k)],
                          gaussian(kSeed, static_cast<std::uint32_t>(axis), name_hash(parameter.name),
                                   static_cast<std::uint64_t>(k)));
            }
        }
    }
}

TEST_P(BackendDirections, EveryRuleGivesTheBitsOfTheHost) {
    const auto maker = backend_->direction_maker(space_, origin_);
    for (const DirectionRule rule :
         {DirectionRule::filter, DirectionRule::dfilter, DirectionRule::layer, DirectionRule::dlayer,
          DirectionRule::weight, DirectionRule::zero, DirectionRule::copy, DirectionRule::keep}) {
        std::vector<TensorRule> rules;
        for (const Parameter& parameter : space_.weights)
            rules.push_back({parameter.offset, 1, parameter.shape[0], parameter.size / parameter.shape[0], rule});
        std::vector<float> expected(origin_.size());
        fill_gaussian(space_, kSeed, 1, expected);
        apply_rules(rules, origin_, expected);
        EXPECT_EQ(maker->gaussian(kSeed, 1, rules).weights, expected) << static_cast<int>(rule);
    }
}

TEST_P(BackendDirections, FiltersOfTheHostHaveTheNormsOfTheWeights) {
    // Independent of the code that all backends share: norms as plain sums.
    const Parameter& parameter = space_.weights.front();
    const TensorRule rule{parameter.offset, 1, parameter.shape[0], parameter.size / parameter.shape[0],
                          DirectionRule::filter};
    const MadeWeights made = backend_->direction_maker(space_, origin_)->gaussian(kSeed, 0, {&rule, 1});
    for (std::int64_t filter = 0; filter < rule.count; ++filter) {
        double direction = 0.0;
        double weights = 0.0;
        for (std::int64_t k = 0; k < rule.inner; ++k) {
            const auto at = static_cast<std::size_t>(rule.offset + filter * rule.inner + k);
            direction += std::pow(static_cast<double>(made.weights[at]), 2);
            weights += std::pow(static_cast<double>(origin_[at]), 2);
        }
        EXPECT_NEAR(std::sqrt(direction / weights), 1.0, 1e-6);
    }
}

TEST_P(BackendDirections, NetworksRunOnWhatWasMadeForThem) {
    ExecutableRequest request = runner_.request();
    request.graph = &runner_.net().graph();
    request.space = &space_;
    request.origin = &runner_.net().origin();
    std::unique_ptr<Executable> resident;
    std::unique_ptr<Executable> uploaded;
    {
        const auto maker = backend_->direction_maker(space_, origin_);
        const MadeWeights x = maker->gaussian(kSeed, 0, {});
        const MadeWeights y = maker->gaussian(kSeed, 1, {});
        request.axes = {{x.weights, {}, x.resident}, {y.weights, {}, y.resident}};
        resident = backend_->compile(request);
        request.axes = {{x.weights, {}}, {y.weights, {}}};
        uploaded = backend_->compile(request);
    }
    EXPECT_EQ(runner_.sums(*resident, test::grid()), runner_.sums(*uploaded, test::grid()));
}

// A program for GPUs has no backend where there is none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BackendDirections);
INSTANTIATE_TEST_SUITE_P(Backends, BackendDirections, ::testing::ValuesIn(test::backend_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace lossmap
