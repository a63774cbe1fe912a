#include "cli/run/model_figures.hpp"

#include <algorithm>
#include <limits>

namespace lossmap {
namespace {

/// A horizontal axis that all runs have.
struct RunAxis {
    std::string suffix;  ///< of the picture's name
    std::string label;
    std::vector<std::vector<double>> places;  ///< a run each, one a model
};

std::vector<double> as_numbers(const std::vector<std::int64_t>& values) { return {values.begin(), values.end()}; }

std::vector<RunAxis> run_axes(const ModelResults& results) {
    std::vector<RunAxis> axes;
    const auto add = [&](const char* suffix, const char* label, const auto& places_of) {
        RunAxis axis{suffix, label, {}};
        for (const ModelSeries& series : results.series)
            axis.places.push_back(places_of(series));
        axes.push_back(std::move(axis));
    };
    const ModelSeries& first = results.series.front();
    if (!first.epochs.empty())
        add("_epoch", "epoch", [](const ModelSeries& series) { return as_numbers(series.epochs); });
    if (!first.iterations.empty())
        add("_iteration", "iteration", [](const ModelSeries& series) { return as_numbers(series.iterations); });
    if (!axes.empty()) return axes;
    add("_checkpoint", "checkpoint (in order, from 0)", [](const ModelSeries& series) {
        std::vector<double> numbers(series.count);
        for (std::size_t k = 0; k < numbers.size(); ++k)
            numbers[k] = static_cast<double>(k);
        return numbers;
    });
    return axes;
}

/// Values of one split along one run.
template <typename Value>
std::vector<double> along(const ModelSeries& series, const SplitSurface& split, const Value& value) {
    std::vector<double> values;
    for (std::size_t k = series.first; k < series.first + series.count; ++k)
        values.push_back(split.done[k] != 0 ? value(k) : std::numeric_limits<double>::quiet_NaN());
    return values;
}

std::vector<double> losses_along(const ModelSeries& series, const SplitSurface& split) {
    return along(series, split, [&](std::size_t k) { return split.loss[k]; });
}

std::vector<double> errors_along(const ModelSeries& series, const SplitSurface& split) {
    return along(series, split, [&](std::size_t k) { return 100.0 - split.accuracy[k]; });
}

constexpr const char* kErrorLabel = "error (%)";

/// Loss and error of one run on two axes.
CurvesFigure one_run(const ModelResults& results, const RunAxis& axis) {
    const Surface& surface = results.surface;
    CurvesFigure figure{"training" + axis.suffix, results.name, axis.label, "loss", kErrorLabel, {}, {}, {}};
    const ModelSeries& series = results.series.front();
    for (std::size_t s = 0; s < surface.splits.size(); ++s) {
        const SplitSurface& split = surface.splits[s];
        const std::size_t dash = dash_of_split(split.name, s);
        figure.curves.push_back(
            {split.name + " loss", axis.places.front(), losses_along(series, split), 0, dash, false, false});
        if (!split.has_accuracy) continue;
        figure.curves.push_back(
            {split.name + " error", axis.places.front(), errors_along(series, split), 1, dash, true, false});
    }
    return figure;
}

/// One quantity of several runs, a colour each.
template <typename Values>
CurvesFigure several_runs(const ModelResults& results, const RunAxis& axis, const char* quantity, const char* label,
                          const Values& values_along) {
    const Surface& surface = results.surface;
    CurvesFigure figure{
        fmt::format("training_{}{}", quantity, axis.suffix), results.name, axis.label, label, "", {}, {}, {}};
    for (std::size_t r = 0; r < results.series.size(); ++r) {
        const ModelSeries& series = results.series[r];
        for (std::size_t s = 0; s < surface.splits.size(); ++s) {
            const SplitSurface& split = surface.splits[s];
            // A colour a run in the legend; which split is which stands in the note.
            const std::string name = s > 0 ? series.label + ", " + split.name : series.label;
            figure.curves.push_back({name, axis.places[r], values_along(series, split), r, dash_of_split(split.name, s),
                                     false, false, s > 0});
        }
    }
    if (surface.splits.size() > 1) {
        std::string note;
        for (std::size_t s = 0; s < surface.splits.size(); ++s) {
            const bool solid = dash_of_split(surface.splits[s].name, s) == 0;
            note += fmt::format("{}{} {}", s > 0 ? ", " : "", surface.splits[s].name,
                                solid ? "solid (single marks filled)" : "dashed (open)");
        }
        figure.notes.push_back(note);
    }
    return figure;
}

}  // namespace

std::vector<CurvesFigure> training_figures(const ModelResults& results) {
    const Surface& surface = results.surface;
    std::vector<CurvesFigure> figures;
    if (!results.series.front().in_order) return figures;
    const bool has_error = std::any_of(surface.splits.begin(), surface.splits.end(),
                                       [](const SplitSurface& split) { return split.has_accuracy; });
    for (const RunAxis& axis : run_axes(results)) {
        if (results.series.size() == 1) {
            figures.push_back(one_run(results, axis));
            continue;
        }
        figures.push_back(several_runs(results, axis, "loss", "loss", losses_along));
        if (has_error) figures.push_back(several_runs(results, axis, "error", kErrorLabel, errors_along));
    }
    return figures;
}

std::vector<CurvesFigure> norm_figures(const ModelResults& results) {
    std::vector<CurvesFigure> figures;
    const bool several = results.series.size() > 1;
    for (const RunAxis& axis : run_axes(results)) {
        CurvesFigure figure{
            "weight_norm" + axis.suffix, results.name, axis.label, "L2 norm of the weights", "", {}, {}, {}};
        for (std::size_t r = 0; r < results.series.size(); ++r) {
            const ModelSeries& series = results.series[r];
            std::vector<double> all;
            std::vector<double> filters;
            for (std::size_t k = series.first; k < series.first + series.count; ++k) {
                all.push_back(results.norms.at(k).all);
                filters.push_back(results.norms.at(k).filters);
            }
            figure.curves.push_back(
                {several ? series.label : "all weights", axis.places[r], std::move(all), r, 0, false, false});
            if (several) continue;
            figure.curves.push_back(
                {"without biases and normalisation (1-D)", axis.places[r], std::move(filters), 1, 1, false, false});
        }
        figures.push_back(std::move(figure));
    }
    return figures;
}

}  // namespace lossmap
