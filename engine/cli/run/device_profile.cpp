#include "cli/run/device_profile.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "cli/run/pass_times_table.hpp"
#include "cli/run/run_network.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

/// For which a rate is measured, and about which a call takes.
constexpr double kRateSeconds = 1.0;
constexpr double kCallSeconds = 0.3;

/// Evaluations a second at the origin: of two passes' points, so that the weights of one are made while another runs.
double measure_rate(Executable& executable, std::size_t axes, const SampleChunk& chunk) {
    const std::vector<Point> points(static_cast<std::size_t>(2 * executable.points_per_pass()),
                                    {std::vector<double>(axes, 0.0)});
    std::vector<LossSums> sums(points.size());
    // What is warmed up by the first call may be recorded by the second one.
    for (int call = 0; call < 2; ++call)
        executable.evaluate(points, chunk, sums);
    const auto begin = std::chrono::steady_clock::now();
    double seconds = 0.0;
    double evaluations = 0.0;
    while (seconds < kRateSeconds) {
        executable.evaluate(points, chunk, sums);
        evaluations += static_cast<double>(points.size()) * static_cast<double>(chunk.count);
        seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }
    return evaluations / seconds;
}

std::string with_unit(double value) {
    constexpr std::array<const char*, 5> kPrefixes{"", "k", "M", "G", "T"};
    std::size_t prefix = 0;
    for (; value >= 1000.0 && prefix + 1 < kPrefixes.size(); ++prefix)
        value /= 1000.0;
    return fmt::format("{:.3g} {}", value, kPrefixes[prefix]);
}

}  // namespace

void DeviceProfile::print(std::ostream& out) const {
    out << subject << ", ";
    print_pass_times(times, chunk_samples, out);
    out << fmt::format("{}evaluations/s, {}FLOP/s", with_unit(evaluations_per_second), with_unit(flops_per_second));
    if (one_point_per_second) {
        out << fmt::format("; one point at a time {}evaluations/s, 1/{:.1f} of it", with_unit(*one_point_per_second),
                           evaluations_per_second / *one_point_per_second);
    }
    out << '\n';
}

DeviceProfile profile_device(PreparedRun& run, int threads) {
    const std::unique_ptr<RunNetwork> network = take_network(run, threads);
    const ExecutableRequest& request = network->request;
    const std::string device = run.backend->devices().front().id;
    DeviceProfile result;
    result.subject = fmt::format("{} on {} in {}", run.config.models.front().path.filename().string(), device,
                                 name_of(run.config.precision));
    result.chunk_samples = std::min(request.chunk_samples, run.data.front()->size());
    const SampleChunk chunk = run.data.front()->read(0, result.chunk_samples);
    const auto rate = [&](Executable& executable, const PassTimes& times) {
        // A call takes as many samples of the chunk as it has time for.
        const double tiles = kCallSeconds / std::max(seconds_of(times.tile), 1e-9);
        const auto most = static_cast<double>(tiles_of(result.chunk_samples, times));
        const auto samples = times.samples * static_cast<std::int64_t>(std::clamp(tiles, 1.0, most));
        return measure_rate(executable, request.axes.size(),
                            run.data.front()->read(0, std::min(samples, result.chunk_samples)));
    };
    {
        const auto executable = run.backend->compile(request);
        const auto times = executable->measure_operations(chunk);
        if (!times) throw UnsupportedError("{} does not tell what its operations cost", device);
        result.times = *times;
        result.evaluations_per_second = rate(*executable, *times);
        result.flops_per_second =
            2.0 * static_cast<double>(executable->macs_per_sample()) * result.evaluations_per_second;
    }
    if (result.times.points > 1) {
        ExecutableRequest alone = request;
        alone.tile_points = 1;
        const auto executable = run.backend->compile(alone);
        result.one_point_per_second = rate(*executable, executable->measure_operations(chunk).value_or(PassTimes{}));
    }
    return result;
}

}  // namespace lossmap
