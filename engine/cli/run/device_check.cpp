#include "cli/run/device_check.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "backend/bound_request.hpp"
#include "cli/run/backends.hpp"
#include "cli/run/run_network.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

/// The interpreter takes its time: a few samples show what a layer does.
constexpr std::int64_t kLayerSamples = 4;
constexpr std::int64_t kLossSamples = 256;
/// What losses in fp32 are held to everywhere.
constexpr double kLossBound = 1e-4;
/// Of a reduced precision: layers that run together round as often as apart, but elsewhere.
constexpr double kTimesApart = 8.0;
constexpr double kRoundings = 64.0;

double relative(double reference, double tested) {
    if (reference == tested || (std::isnan(reference) && std::isnan(tested))) return 0.0;
    if (!std::isfinite(reference) || !std::isfinite(tested)) return std::numeric_limits<double>::infinity();
    return std::abs(tested - reference) / std::abs(reference);
}

double mean_loss(Executable& executable, const Point& point, const SampleChunk& chunk) {
    LossSums sums;
    executable.evaluate({&point, 1}, chunk, {&sums, 1});
    return sums.loss_sum / sums.weight_sum;
}

std::string at(const std::vector<double>& coordinates) {
    return coordinates.empty() ? "the model's parameters" : fmt::format("({:.4g})", fmt::join(coordinates, ", "));
}

/// The origin and, where the grid leaves it, its first point: far out, where numbers are large.
std::vector<Point> points_of(const PreparedRun& run, std::size_t axes) {
    std::vector<Point> result{{std::vector<double>(axes, 0.0)}};
    const Config& config = run.config;
    if (axes == 0 || !config.x) return result;
    Point corner{{config.x->min}};
    if (config.y) corner.coordinates.push_back(config.y->min);
    if (corner.coordinates.size() == axes && corner.coordinates != result.front().coordinates)
        result.push_back(std::move(corner));
    return result;
}

bool more_suspicious(const LayerDifference& a, const LayerDifference& b) {
    return a.difference * b.bound > b.difference * a.bound;
}

/// That go through a pass: values are shown of no more.
std::int64_t samples_a_pass(const Executable& executable) {
    return nlohmann::json::parse(executable.plan_json()).at("tile_samples").get<std::int64_t>();
}

class Check {
public:
    Check(PreparedRun& run, const std::string& reference, int threads)
        : run_(run), network_(take_network(run, threads)), request_(network_->request) {
        std::string explanation;
        reference_backend_ = choose_backend(reference, {}, {}, explanation);
        result_.tested = fmt::format("{} in {}", run.backend->devices().front().id, name_of(run.config.precision));
        result_.reference = fmt::format("{} in fp32", reference_backend_->devices().front().id);
    }

    [[nodiscard]] DeviceCheck run() {
        const std::int64_t available = run_.data.front()->size();
        const std::int64_t declared = required_tile_samples(request_);
        result_.layer_samples = declared > 0 ? declared : std::min(kLayerSamples, available);
        result_.loss_samples = std::min(std::max(kLossSamples, result_.layer_samples), available);
        if (result_.layer_samples > available)
            throw InputError("the model takes {} samples at a time, '{}' has {}", declared, run_.config.splits.front(),
                             available);
        const std::vector<Point> points = points_of(run_, request_.axes.size());
        check_layers(points);
        if (request_.passes.stages || request_.passes.split_stages) check_stages(points);
        check_losses(points);
        return std::move(result_);
    }

private:
    /// Layers one by one: those that stages would hold show what they compute.
    void check_layers(const std::vector<Point>& points) {
        ExecutableRequest traced = request_;
        traced.traceable = true;
        traced.passes.stages = traced.passes.split_stages = false;
        traced_ = run_.backend->compile(traced);
        result_.layer_samples = std::min(result_.layer_samples, samples_a_pass(*traced_));
        result_.layers = worst_of(*traced_, points);
    }

    /// What stages compute as the run joins them, where it does.
    void check_stages(const std::vector<Point>& points) {
        ExecutableRequest traced = request_;
        traced.traceable = true;
        const std::unique_ptr<Executable> joined = run_.backend->compile(traced);
        const SampleChunk chunk = run_.data.front()->read(0, result_.layer_samples);
        if (joined->trace(points.front(), chunk).size() == result_.layers.size()) return;
        for (CheckedLayer& layer : worst_of(*joined, points)) {
            const bool stood_alone = std::ranges::any_of(result_.layers, [&](const CheckedLayer& other) {
                return other.worst.name == layer.worst.name && other.worst.operators == layer.worst.operators;
            });
            if (!stood_alone) result_.stages.push_back(std::move(layer));
        }
    }

    [[nodiscard]] std::vector<CheckedLayer> worst_of(Executable& traced, const std::vector<Point>& points) const {
        std::vector<CheckedLayer> result;
        const std::int64_t samples = std::min(result_.layer_samples, samples_a_pass(traced));
        const SampleChunk chunk = run_.data.front()->read(0, samples);
        for (const Point& point : points) {
            const std::vector<LayerDifference> layers = compare_layers(request_, traced, point, chunk, samples);
            if (result.empty()) {
                for (const LayerDifference& layer : layers)
                    result.push_back({layer, point.coordinates});
                continue;
            }
            for (std::size_t k = 0; k < layers.size(); ++k) {
                if (more_suspicious(layers[k], result[k].worst)) result[k] = {layers[k], point.coordinates};
            }
        }
        return result;
    }

    void check_losses(const std::vector<Point>& points) {
        ExecutableRequest plain = request_;
        plain.precision = Precision::fp32;
        plain.passes = PassSet::none();
        const std::string reason = reference_backend_->why_not(plain);
        if (!reason.empty()) throw InputError("{}: {}", result_.reference, reason);
        const std::unique_ptr<Executable> tested = run_.backend->compile(request_);
        const std::unique_ptr<Executable> reference = reference_backend_->compile(plain);
        const SampleChunk chunk = run_.data.front()->read(0, result_.loss_samples);
        for (const Point& point : points) {
            CheckedLoss loss{point.coordinates,
                             mean_loss(*tested, point, chunk),
                             mean_loss(*traced_, point, chunk),
                             mean_loss(*reference, point, chunk),
                             0.0,
                             kLossBound};
            loss.difference = relative(loss.reference, loss.tested);
            if (run_.config.precision != Precision::fp32) {
                loss.bound = kTimesApart * relative(loss.reference, loss.apart) +
                             kRoundings * unit_roundoff(run_.config.precision);
            }
            result_.losses.push_back(std::move(loss));
        }
    }

    PreparedRun& run_;
    std::unique_ptr<RunNetwork> network_;
    const ExecutableRequest& request_;
    std::unique_ptr<Backend> reference_backend_;
    std::unique_ptr<Executable> traced_;
    DeviceCheck result_;
};

}  // namespace

std::string DeviceCheck::failure() const {
    for (const CheckedLayer& layer : layers) {
        if (layer.worst.agrees()) continue;
        return fmt::format("{} computes '{}' ({}) wrong at {}: it differs by {:.1e}, rounding explains {:.1e}", tested,
                           layer.worst.name, layer.worst.operators, at(layer.coordinates), layer.worst.difference,
                           layer.worst.bound);
    }
    for (const CheckedLayer& stage : stages) {
        if (stage.worst.agrees()) continue;
        return fmt::format(
            "{} computes the stage up to '{}' ({}) wrong at {}, though every layer by itself agrees: it differs by "
            "{:.1e}, rounding explains {:.1e}",
            tested, stage.worst.name, stage.worst.operators, at(stage.coordinates), stage.worst.difference,
            stage.worst.bound);
    }
    for (const CheckedLoss& loss : losses) {
        if (loss.agrees()) continue;
        return fmt::format(
            "the loss at {} is {} on {} and {} on {}, though every layer by itself agrees: leave passes out "
            "(--disable-pass) to find what differs when layers run together",
            at(loss.coordinates), loss.tested, tested, loss.reference, reference);
    }
    return {};
}

void DeviceCheck::print(std::ostream& out) const {
    out << fmt::format("{} against {}, layers on {} samples\n", tested, reference, layer_samples);
    std::size_t width = 5;
    for (const CheckedLayer& layer : layers)
        width = std::max(width, layer.worst.name.size());
    out << fmt::format("  {:<{}}  {:>10}  {:>9}     computed by\n", "value", width, "difference", "bound");
    const auto row = [&](const CheckedLayer& layer) {
        out << fmt::format("  {:<{}}  {:>10.1e}  {:>9.1e}  {}  {}\n", layer.worst.name, width, layer.worst.difference,
                           layer.worst.bound, layer.worst.agrees() ? " " : "!", layer.worst.operators);
    };
    std::ranges::for_each(layers, row);
    if (!stages.empty()) out << "  stages, each in one launch\n";
    std::ranges::for_each(stages, row);
    for (const CheckedLoss& loss : losses)
        out << fmt::format(
            "  loss of {} samples at {}: {:.9g}, layers apart {:.9g}, {} {:.9g}, difference {:.1e}, bound {:.0e}{}\n",
            loss_samples, at(loss.coordinates), loss.tested, loss.apart, reference, loss.reference, loss.difference,
            loss.bound, loss.agrees() ? "" : " !");
}

DeviceCheck check_device(PreparedRun& run, const std::string& reference, int threads) {
    return Check(run, reference, threads).run();
}

}  // namespace lossmap
