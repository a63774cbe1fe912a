// Random networks on the emulated device, run in many ways: results must not depend on how, agree with the CPU backend
// in fp32, and in fp16 with fp32 wherever something does not fit. LOSSMAP_RANDOM_NETWORKS=FIRST:COUNT runs other cases
// than the built-in ones: 1000:5000 takes about a quarter of an hour.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <sstream>

#include <gtest/gtest.h>

#include "backend/layer_check.hpp"
#include "backend/training_norms.hpp"
#include "cpu/cpu_backend.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "tests/cuda/random_case.hpp"
#include "tests/cuda/value_ranges.hpp"

namespace lossmap {
namespace {

using test::HostDevice;
using test::HostDeviceOptions;
using test::nudged;
using test::Pace;
using test::Random;
using test::RandomCase;
using test::Ranges;
using test::ranges_of;

constexpr double kHalfLargest = 65504.0;
constexpr double kSmall = 2e4;   ///< fits fp16 for sure
constexpr double kLarge = 1e18;  ///< squares of it may not fit fp32

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }
bool same(const LossSums& a, const LossSums& b) {
    return same(a.loss_sum, b.loss_sum) && same(a.loss_square_sum, b.loss_square_sum) && a.weight_sum == b.weight_sum &&
           a.correct == b.correct && a.counted == b.counted && a.non_finite == b.non_finite &&
           a.overflowed == b.overflowed;
}
std::string to_text(const LossSums& sums) {
    std::ostringstream text;
    text.precision(17);
    text << "{loss " << sums.loss_sum << " square " << sums.loss_square_sum << " weight " << sums.weight_sum
         << " correct " << sums.correct << " counted " << sums.counted << " non_finite " << sums.non_finite
         << " overflowed " << sums.overflowed << '}';
    return text.str();
}

std::vector<LossSums> evaluate(Executable& executable, std::span<const Point> points, const SampleChunk& chunk) {
    LossSums unwritten;
    unwritten.loss_sum = 12345.0;
    std::vector<LossSums> sums(points.size(), unwritten);
    executable.evaluate(points, chunk, sums);
    return sums;
}

class Checker {
public:
    explicit Checker(const RandomCase& one) : one_(one), random_(one.chunk.count + 17) {}

    std::vector<std::string> failures;

    void run() {
        const auto device = std::make_shared<HostDevice>(one_.options);
        {
            const std::shared_ptr<Backend> backend = cuda::make_cuda_backend({device});
            const auto executable = backend->compile(one_.bound());
            const std::vector<LossSums> sums = evaluate(*executable, one_.points, one_.chunk);
            if (executable->memory_bytes() > device->bytes_in_use()) fail("holds more memory than is taken");
            check_singles(*executable, sums);
            check_variant(sums);
            if (one_.request.precision == Precision::fp32) {
                check_reference(*executable, sums);
            } else {
                check_reduced(*executable, sums);
            }
        }
        if (device->bytes_in_use() != 0) fail("memory is not given back");
        check_statistics();
    }

private:
    void fail(const std::string& what) { failures.push_back(what); }
    void expect_same(const LossSums& actual, const LossSums& expected, const std::string& what) {
        if (!same(actual, expected)) fail(what + ": " + to_text(actual) + " is not " + to_text(expected));
    }

    void check_singles(Executable& executable, const std::vector<LossSums>& sums) {
        const std::int64_t tile = one_.request.tile_samples;
        for (std::size_t k = 0; k < std::min<std::size_t>(one_.points.size(), 3); ++k)
            expect_same(evaluate(executable, {&one_.points[k], 1}, one_.chunk)[0], sums[k],
                        "alone, point " + std::to_string(k));
        std::vector<LossSums> added(one_.points.size());
        for (std::int64_t first = 0; first < one_.chunk.count; first += tile) {
            const SampleChunk part = rows_of(one_.chunk, first, std::min(tile, one_.chunk.count - first));
            const auto own = evaluate(executable, one_.points, part);
            for (std::size_t k = 0; k < own.size(); ++k)
                added[k] += own[k];
        }
        for (std::size_t k = 0; k < added.size(); ++k)
            expect_same(added[k], sums[k], "tile by tile, point " + std::to_string(k));
    }

    void check_variant(const std::vector<LossSums>& sums) {
        HostDeviceOptions options = one_.options;
        options.pace = options.pace == Pace::eager ? Pace::lazy : Pace::eager;
        options.reversed = !options.reversed;
        options.records = random_.chance(0.7);
        options.most_points = random_.between(1, 6);
        options.most_products = random_.chance(0.3) ? random_.between(1, 4) : 65535;
        options.pass_bytes = random_.one_of<std::int64_t>({1, 1 << 14, 8 << 20});
        const auto count = static_cast<std::size_t>(random_.one_of<int>({1, 1, 2, 3}));
        std::vector<std::shared_ptr<HostDevice>> own;
        {
            std::vector<std::shared_ptr<cuda::Device>> devices;
            for (std::size_t k = 0; k < count; ++k)
                devices.push_back(own.emplace_back(std::make_shared<HostDevice>(options)));
            const std::shared_ptr<Backend> backend = cuda::make_cuda_backend(devices);
            ExecutableRequest request = one_.bound();
            request.tile_points = random_.chance(0.5) ? 0 : static_cast<int>(random_.between(1, 6));
            const auto executable = backend->compile(request);
            // Something else first: what it leaves behind must not show.
            static_cast<void>(
                evaluate(*executable, {&one_.points.back(), 1},
                         rows_of(one_.chunk, one_.chunk.count / 2, one_.chunk.count - one_.chunk.count / 2)));
            std::vector<std::size_t> order(one_.points.size());
            std::iota(order.begin(), order.end(), std::size_t{0});
            for (std::size_t k = order.size(); k > 1; --k)
                std::swap(order[k - 1], order[static_cast<std::size_t>(random_.below(static_cast<std::int64_t>(k)))]);
            std::vector<Point> points;
            for (const std::size_t k : order)
                points.push_back(one_.points[k]);
            const auto shuffled = evaluate(*executable, points, one_.chunk);
            for (std::size_t k = 0; k < order.size(); ++k)
                expect_same(shuffled[k], sums[order[k]],
                            "other pace, order and sizes, point " + std::to_string(order[k]));
        }
        for (const auto& device : own) {
            if (device->bytes_in_use() != 0) fail("memory of a variant is not given back");
        }
    }

    /// fp32 against the CPU backend.
    void check_reference(Executable& executable, const std::vector<LossSums>& sums) {
        const auto cpu = make_cpu_backend();
        const auto reference = cpu->compile(one_.bound());
        const auto expected = evaluate(*reference, one_.points, one_.chunk);
        const RandomCase near_by = nudged(one_, 1e-6);
        const auto moved = cpu->compile(near_by.bound());
        const auto beside = evaluate(*moved, one_.points, near_by.chunk);
        for (std::size_t k = 0; k < sums.size(); ++k)
            compare(k, sums[k], expected[k], beside[k]);
        const Ranges ranges = ranges_of(one_.bound(), one_.points[0], one_.chunk);
        if (ranges.all > kLarge || !ranges.finite) return;
        const Tensor output = executable.forward(one_.points[0], one_.chunk);
        const Tensor wanted = reference->forward(one_.points[0], one_.chunk);
        const Tensor moves = moved->forward(one_.points[0], near_by.chunk);
        if (output.shape() != wanted.shape()) return fail("the output's shape is " + to_string(output.shape()));
        double largest = 1e-3;
        const double difference = relative_difference(wanted.as<float>(), output.as<float>(), &largest);
        const double explained = relative_difference(wanted.as<float>(), moves.as<float>());
        if (largest > 1e-3 && difference > 2e-5 + 10.0 * explained) {
            check_layers(
                0, one_.chunk,
                "the output differs by " + std::to_string(difference) + ", moved by " + std::to_string(explained));
        }
    }
    /// @param b  of the CPU
    /// @param z  of the CPU, everything moved a little
    void compare(std::size_t k, const LossSums& a, const LossSums& b, const LossSums& z) {
        const std::string both = "against the CPU, point " + std::to_string(k) + ": " + to_text(a) + " is not " +
                                 to_text(b) + " beside " + to_text(z);
        const Ranges ranges = ranges_of(one_.bound(), one_.points[k], one_.chunk);
        if (a.counted != b.counted || std::abs(a.weight_sum - b.weight_sum) > 1e-12 * b.weight_sum) fail(both);
        if (a.overflowed != 0 && ranges.finite && ranges.all < kSmall) fail("rescued without need, " + both);
        if (ranges.all > kLarge || z.non_finite != b.non_finite) return;
        if (a.non_finite != b.non_finite || std::isnan(a.loss_sum) != std::isnan(b.loss_sum)) fail(both);
        const auto differ = [](double x, double y, double moved) {
            return std::abs(x - y) > 1e-5 * (std::abs(y) + 1.0) + 30.0 * std::abs(moved - y);
        };
        if (differ(a.loss_sum, b.loss_sum, z.loss_sum) ||
            differ(a.loss_square_sum, b.loss_square_sum, z.loss_square_sum))
            check_layers(k, one_.chunk, both);
        if (ranges.all < 1e4 && a.correct != b.correct && b.correct == z.correct)
            check_layers(k, one_.chunk, "correct ones, " + both);
    }

    /// Reduced precision against fp32 on the same device, tile by tile.
    void check_reduced(Executable& executable, const std::vector<LossSums>&) {
        const Precision precision = one_.request.precision;
        const double unit = unit_roundoff(precision);
        const std::shared_ptr<Backend> backend = cuda::make_cuda_backend({std::make_shared<HostDevice>(one_.options)});
        ExecutableRequest request = one_.bound();
        request.precision = Precision::fp32;
        request.passes.split_stages = false;  // as what rescues is
        const auto exact = backend->compile(request);
        const RandomCase near_by = nudged(one_, 4.0 * unit);
        const auto moved = backend->compile(near_by.bound());
        const std::int64_t tile = request.tile_samples;
        for (std::int64_t first = 0; first < one_.chunk.count; first += tile) {
            const std::int64_t rows = std::min(tile, one_.chunk.count - first);
            const SampleChunk part = rows_of(one_.chunk, first, rows);
            const auto own = evaluate(executable, one_.points, part);
            const auto expected = evaluate(*exact, one_.points, part);
            const auto beside = evaluate(*moved, one_.points, rows_of(near_by.chunk, first, rows));
            for (std::size_t k = 0; k < own.size(); ++k)
                check_tile(request, k, part, own[k], expected[k], beside[k], unit);
        }
    }

    void check_tile(const ExecutableRequest& request, std::size_t k, const SampleChunk& part, const LossSums& own,
                    const LossSums& expected, const LossSums& beside, double unit) {
        const std::string what = "samples from " + std::to_string(part.first - 100) + ", point " + std::to_string(k) +
                                 ": " + to_text(own) + ", in fp32 " + to_text(expected) + " beside " + to_text(beside);
        if (own.counted != expected.counted || own.weight_sum != expected.weight_sum) fail("counts, " + what);
        if (own.counted == 0) return;
        const Ranges ranges = ranges_of(request, one_.points[k], part);
        const double stored = *std::max_element(ranges.stored.begin(), ranges.stored.end());
        const std::string reach = ", stored " + std::to_string(stored) + " all " + std::to_string(ranges.all);
        if (own.overflowed != 0 && own.overflowed != own.counted) fail("a part of a tile is rescued, " + what);
        if (own.overflowed > 0) {
            LossSums rest = own;
            rest.overflowed = 0;
            if (!same(rest, expected)) fail("the rescue differs, " + what);
            if (ranges.finite && ranges.all < kSmall && expected.non_finite == 0)
                fail("rescued without need, " + what + reach);
            return;
        }
        if (own.non_finite > 0) fail("not finite, and not rescued, " + what);
        if (request_precision() == Precision::fp16 && stored > 1.1 * kHalfLargest) fail("not rescued, " + what + reach);
        if (!ranges.finite || ranges.all > kLarge || expected.non_finite > 0) return;
        const double scale = std::abs(expected.loss_sum) + static_cast<double>(own.counted);
        if (!(std::abs(own.loss_sum - expected.loss_sum) <=
              100.0 * unit * scale + 50.0 * std::abs(beside.loss_sum - expected.loss_sum)))
            check_layers(k, part, "too far, " + what + reach);
    }
    /// Whether rounding explains every layer.
    void check_layers(std::size_t k, const SampleChunk& part, const std::string& what) {
        ExecutableRequest request = one_.bound();
        request.traceable = true;
        request.tile_samples = static_cast<int>(part.count);
        const std::shared_ptr<Backend> backend = cuda::make_cuda_backend({std::make_shared<HostDevice>(one_.options)});
        const auto executable = backend->compile(request);
        for (const LayerDifference& layer : compare_layers(request, *executable, one_.points[k], part, part.count)) {
            if (!layer.agrees()) return fail(what + ", from " + layer.operators + " on");
        }
    }
    [[nodiscard]] Precision request_precision() const { return one_.request.precision; }

    void check_statistics() {
        const std::int64_t count = one_.chunk.count;
        const std::int64_t batch = std::min(random_.between(2, 5), count);
        if (one_.net.origin.states.empty() || one_.net.vocabulary > 0) return;
        if (count % batch == 1 || batch == 1) return;  // one value a channel has no variance
        const auto estimate = [&](Backend& backend, const RandomCase& one, std::span<const Point> points) {
            ExecutableRequest request = one.bound();
            request.statistics_batches = {batch};
            if (count % batch != 0) request.statistics_batches.push_back(count % batch);
            std::vector<StatisticSums> sums(points.size());
            backend.compile(request)->estimate_statistics(points, one.chunk, batch, sums);
            return sums;
        };
        const auto device = std::make_shared<HostDevice>(one_.options);
        HostDeviceOptions other = one_.options;
        other.reversed = !other.reversed;
        other.most_points = random_.between(1, 6);
        std::vector<StatisticSums> sums;
        {
            const std::shared_ptr<Backend> backend = cuda::make_cuda_backend({device});
            sums = estimate(*backend, one_, one_.points);
            expect_same(estimate(*backend, one_, {&one_.points.back(), 1})[0], sums.back(), "statistics alone");
        }
        if (device->bytes_in_use() != 0) fail("memory of statistics is not given back");
        const std::shared_ptr<Backend> two =
            cuda::make_cuda_backend({std::make_shared<HostDevice>(other), std::make_shared<HostDevice>(other)});
        const auto variant = estimate(*two, one_, one_.points);
        const auto cpu = make_cpu_backend();
        RandomCase exact = nudged(one_, 0.0);
        const auto expected = estimate(*cpu, exact, one_.points);
        const auto beside = estimate(*cpu, nudged(one_, 1e-6), one_.points);
        const RandomCase plain = without_running_statistics(one_);
        for (std::size_t k = 0; k < sums.size(); ++k) {
            expect_same(variant[k], sums[k], "statistics on two devices, point " + std::to_string(k));
            // Where products leave fp32, sums of them are infinite or NaN as additions are fused and ordered, and a
            // sigmoid may make a finite number of one.
            if (ranges_of(plain.bound(), {one_.points[k].coordinates}, one_.chunk).all > kLarge) continue;
            compare(k, sums[k], expected[k], beside[k], [&] {
                double most = 1.0;
                for (std::int64_t first = 0; first < count; first += batch) {
                    RandomCase part = nudged(one_, 0.0);
                    part.chunk = rows_of(one_.chunk, first, std::min(batch, count - first));
                    most = std::max(most, amplification(part, estimate(*cpu, part, {&one_.points[k], 1})[0]));
                }
                return most;
            });
        }
    }
    /// Norms scale and shift alone: values are as large as estimating may make them, and more.
    [[nodiscard]] static RandomCase without_running_statistics(const RandomCase& from) {
        RandomCase one = nudged(from, 0.0);
        for (const Parameter& parameter : one.net.space.states) {
            const auto first = one.net.origin.states.begin() + static_cast<std::ptrdiff_t>(parameter.offset);
            std::fill_n(first, parameter.size, parameter.role == Role::running_variance ? 1.0F : 0.0F);
        }
        one.states.assign(one.states.size(), {});
        return one;
    }
    /// By how much norms amplify a rounding of what they read: a value x carries u |x|, which becomes u |x| / sigma of
    /// the result. The largest root mean square over deviation of all norms and channels of a batch.
    [[nodiscard]] static double amplification(const RandomCase& one, const StatisticSums& batch) {
        const BoundRequest bound = bind_batch(one.bound(), one.chunk.count);
        double most = 1.0;
        for (const TrainingNorm& norm : training_norms(bound, one.net.space)) {
            const Node& node = bound.graph.nodes[static_cast<std::size_t>(norm.node)];
            const double epsilon = node.attributes.get_float("epsilon", 1e-5);
            for (std::size_t c = 0; c < norm.channels; ++c) {
                const double mean = batch.sums[norm.mean_offset + c], variance = batch.sums[norm.variance_offset + c];
                most = std::max(most, std::sqrt((mean * mean + variance) / (variance + epsilon)));
            }
        }
        return most;
    }
    /// @param amplified  asked for where moved operands do not explain the difference: they move all samples alike,
    ///                   which a norm takes out again, while rounding moves each value by itself
    void compare(std::size_t k, const StatisticSums& sums, const StatisticSums& expected, const StatisticSums& beside,
                 const std::function<double()>& amplified) {
        if (sums.batches != expected.batches) fail("number of batches");
        const auto fits = [](double value) { return std::abs(value) < 1e15; };
        double largest = 1.0;
        for (const double value : expected.sums)
            largest = fits(value) ? std::max(largest, std::abs(value)) : largest;
        for (std::size_t i = 0; i < sums.sums.size(); ++i) {
            const double b = expected.sums[i];
            const double z = beside.sums[i];
            if (!fits(b) || !fits(z)) continue;
            const double explained = 1e-5 * largest + 50.0 * std::abs(z - b);
            if (std::abs(sums.sums[i] - b) <= explained) continue;
            // The deviation of a channel is off by as much, its square twice.
            const double rounding = 2.0 * unit_roundoff(Precision::fp32) * amplified();
            if (std::abs(sums.sums[i] - b) <= explained + rounding * std::max(largest, std::abs(b))) continue;
            return fail("statistic " + std::to_string(i) + " at point " + std::to_string(k) + " is " +
                        std::to_string(sums.sums[i]) + ", not " + std::to_string(b) + " beside " + std::to_string(z));
        }
    }
    void expect_same(const StatisticSums& a, const StatisticSums& b, const std::string& what) {
        bool equal = a.batches == b.batches && a.sums.size() == b.sums.size();
        for (std::size_t k = 0; equal && k < a.sums.size(); ++k)
            equal = same(a.sums[k], b.sums[k]);
        if (!equal) fail(what + " differ");
    }

    const RandomCase& one_;
    Random random_;
};

TEST(CudaRandomNetworks, AgreeWithTheCpuHoweverTheyAreComputed) {
    std::uint64_t first = 1;
    std::uint64_t count = 60;
    if (const char* wanted = std::getenv("LOSSMAP_RANDOM_NETWORKS")) {
        std::istringstream range(wanted);
        char colon = 0;
        range >> first >> colon >> count;
    }
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        const RandomCase one = test::make_case(seed);
        Checker checker(one);
        try {
            checker.run();
        } catch (const std::exception& error) {
            checker.failures.push_back(std::string("threw: ") + error.what());
        }
        if (!checker.failures.empty()) {
            std::string all;
            for (std::size_t k = 0; k < std::min<std::size_t>(checker.failures.size(), 6); ++k)
                all += "\n    " + checker.failures[k];
            ADD_FAILURE() << "seed " << seed << ": " << text_of(one) << all;
        }
    }
}

}  // namespace
}  // namespace lossmap
