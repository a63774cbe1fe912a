#include "cli/run/repeat_outputs.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "output/multiples.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

std::string cell(double value) { return std::isnan(value) ? std::string() : fmt::format("{}", value); }

/// Calls `each` with the name and the spread of each split and quantity.
template <typename Each>
void for_each_spread(const RepeatedSurface& surface, const Each& each) {
    const std::vector<SplitSurface>& splits = surface.repeats.at(0).splits;
    for (std::size_t s = 0; s < splits.size(); ++s) {
        each(splits[s].name, "loss", spread_of(surface, s, RepeatedValue::loss));
        if (splits[s].has_accuracy) each(splits[s].name, "error", spread_of(surface, s, RepeatedValue::error));
    }
}

std::vector<double> values_of(const SplitSurface& split, RepeatedValue value) {
    std::vector<double> values;
    for (std::size_t point = 0; point < split.loss.size(); ++point) {
        const double one = value == RepeatedValue::loss ? split.loss[point] : 100.0 - split.accuracy[point];
        values.push_back(split.done[point] != 0 ? one : std::nan(""));
    }
    return values;
}

/// One standard deviation around the mean.
Band band_of(std::string name, const std::vector<double>& x, const Spread& spread, std::size_t group, bool second) {
    Band band{std::move(name), x, spread.mean, spread.mean, group, second};
    for (std::size_t k = 0; k < x.size(); ++k) {
        band.low[k] -= spread.deviation[k];
        band.high[k] += spread.deviation[k];
    }
    return band;
}

/// "train: 100 of 1000 samples, drawn at random; 95 % confidence interval of the mean loss at most ± 0.012".
std::string interval_note(const RepeatedSurface& surface, std::size_t split) {
    const SplitSurface& first = surface.repeats.front().splits[split];
    double widest = std::nan("");
    for (const double width : mean_half_width(surface, split))
        widest = std::fmax(widest, width);
    std::string note = fmt::format("{}: {}", first.name, sampling_note(first));
    if (std::isnan(widest)) return note;
    return fmt::format("{}; 95 % confidence interval of the mean loss at most ± {:.3g}", note, widest);
}

/// One quantity of the lines: all of them, their mean and the band around it.
void add_lines(const RepeatedSurface& surface, std::size_t split, RepeatedValue value, CurvesFigure& figure) {
    const bool error = value == RepeatedValue::error;
    const std::string name = surface.repeats.front().splits[split].name + (error ? " error" : " loss");
    const std::size_t group = error ? 1 : 0;
    const std::vector<double>& x = surface.repeats.front().x;
    for (const Surface& repeat : surface.repeats)
        figure.curves.push_back({"", x, values_of(repeat.splits[split], value), group, 0, error, true});
    const Spread spread = spread_of(surface, split, value);
    figure.bands.push_back(band_of(name + " ± std", x, spread, group, error));
    figure.curves.push_back({name + ", mean", x, spread.mean, group, 0, error, false});
}

void draw_planes(const RepeatedSurface& surface, std::size_t split, const PlotOptions& options, const fs::path& file) {
    std::vector<MultiplesPanel> panels;
    for (std::size_t r = 0; r < std::min(surface.repeats.size(), kMostPanels); ++r) {
        panels.push_back({fmt::format("seed {}", surface.seeds[r]), &surface.repeats[r],
                          surface.repeats[r].splits[split].name, nullptr});
    }
    MultiplesOptions multiples;
    multiples.plot = options;
    draw_multiples(panels, multiples, file);
}

/// Standard deviation and range of the loss at each point of a plane, on one scale.
void draw_spread(const RepeatedSurface& surface, std::size_t split, const PlotOptions& options, const fs::path& file) {
    const Surface summary = summary_surface(surface, false);
    const std::string name = surface.repeats.front().splits[split].name;
    MultiplesOptions multiples;
    multiples.plot.kind = PlotKind::heatmap;
    multiples.plot.format = options.format;
    multiples.plot.log = true;  // nothing at the origin, orders of magnitude at the border
    multiples.plot.title = fmt::format("{}: {} loss over {} seeds", options.title, name, surface.seeds.size());
    multiples.value_label = "spread of the loss";
    draw_multiples({{"standard deviation", &summary, name + "_std", nullptr},
                    {"range (max - min)", &summary, name + "_range", nullptr}},
                   multiples, file);
}

}  // namespace

Table spread_table(const RepeatedSurface& surface) {
    const Surface& first = surface.repeats.at(0);
    Table table{{"x"}, {}, 0};
    if (!first.is_line()) table.head.emplace_back("y");
    for (std::size_t point = 0; point < first.point_count(); ++point) {
        table.rows.push_back({fmt::format("{}", first.x[point % first.x.size()])});
        if (!first.is_line()) table.rows.back().push_back(fmt::format("{}", first.y[point / first.x.size()]));
    }
    for_each_spread(surface, [&](const std::string& split, const char* quantity, const Spread& spread) {
        for (const char* name : {"mean", "std", "min", "max", "count"})
            table.head.push_back(fmt::format("{}_{}_{}", split, quantity, name));
        for (std::size_t point = 0; point < table.rows.size(); ++point) {
            for (const auto* list : {&spread.mean, &spread.deviation, &spread.least, &spread.greatest})
                table.rows[point].push_back(cell((*list)[point]));
            table.rows[point].push_back(std::to_string(spread.counted[point]));
        }
    });
    for (std::size_t s = 0; s < first.splits.size(); ++s) {
        if (!first.splits[s].is_drawn()) continue;
        table.head.push_back(first.splits[s].name + "_loss_interval_95");
        const std::vector<double> widths = mean_half_width(surface, s);
        for (std::size_t point = 0; point < table.rows.size(); ++point)
            table.rows[point].push_back(cell(widths[point]));
    }
    return table;
}

Table spread_summary(const RepeatedSurface& surface) {
    Table table{{"split", "quantity", "mean std", "largest std", "largest range"}, {}, 2};
    for_each_spread(surface, [&](const std::string& split, const char* quantity, const Spread& spread) {
        double sum = 0.0;
        double largest = std::nan("");
        double range = std::nan("");
        std::size_t count = 0;
        for (std::size_t point = 0; point < spread.mean.size(); ++point) {
            range = std::fmax(range, spread.greatest[point] - spread.least[point]);
            if (std::isnan(spread.deviation[point])) continue;
            sum += spread.deviation[point];
            largest = std::fmax(largest, spread.deviation[point]);
            ++count;
        }
        const auto brief = [](double value) {
            return std::isnan(value) ? std::string() : fmt::format("{:.4g}", value);
        };
        table.rows.push_back({split, quantity, brief(count > 0 ? sum / static_cast<double>(count) : std::nan("")),
                              brief(largest), brief(range)});
    });
    return table;
}

CurvesFigure repeated_lines(const RepeatedSurface& surface, std::size_t split, const std::string& title) {
    const SplitSurface& first = surface.repeats.at(0).splits.at(split);
    CurvesFigure figure{first.name + "_repeats_line",
                        title,
                        "alpha",
                        "loss",
                        first.has_accuracy ? "error (%)" : "",
                        {},
                        {},
                        {fmt::format("{} random directions, seeds {} to {}; band: mean ± standard deviation",
                                     surface.seeds.size(), surface.seeds.front(), surface.seeds.back())}};
    if (first.is_drawn()) figure.notes.push_back(interval_note(surface, split));
    add_lines(surface, split, RepeatedValue::loss, figure);
    if (first.has_accuracy) add_lines(surface, split, RepeatedValue::error, figure);
    return figure;
}

std::vector<CurvesFigure> overlaid_means(const std::vector<std::pair<std::string, const RepeatedSurface*>>& runs,
                                         const std::string& title) {
    const auto place_of = [](const RepeatedSurface& surface, const std::string& split) {
        const std::vector<SplitSurface>& splits = surface.repeats.at(0).splits;
        const auto found =
            std::find_if(splits.begin(), splits.end(), [&](const SplitSurface& one) { return one.name == split; });
        return static_cast<std::size_t>(found - splits.begin());
    };
    std::vector<CurvesFigure> figures;
    for (const SplitSurface& split : runs.front().second->repeats.at(0).splits) {
        const auto all = [&](const auto& holds) {
            return std::all_of(runs.begin(), runs.end(), [&](const auto& run) {
                const SplitSurface* found = run.second->repeats.at(0).find(split.name);
                return found != nullptr && holds(*found);
            });
        };
        if (!all([](const SplitSurface&) { return true; })) continue;
        for (const RepeatedValue value : {RepeatedValue::loss, RepeatedValue::error}) {
            const bool error = value == RepeatedValue::error;
            if (error && !all([](const SplitSurface& one) { return one.has_accuracy; })) continue;
            const std::string quantity = error ? "error" : "loss";
            CurvesFigure figure{fmt::format("{}_repeats_{}", split.name, quantity),
                                title,
                                "alpha",
                                fmt::format("{} {}{}", split.name, quantity, error ? " (%)" : ""),
                                "",
                                {},
                                {},
                                {"lines: mean over the random directions; bands: ± standard deviation"}};
            for (std::size_t k = 0; k < runs.size(); ++k) {
                const auto& [label, surface] = runs[k];
                const std::vector<double>& x = surface->repeats.front().x;
                const Spread spread = spread_of(*surface, place_of(*surface, split.name), value);
                figure.bands.push_back(band_of("", x, spread, k, false));
                figure.curves.push_back({label, x, spread.mean, k, 0, false, false});
            }
            figures.push_back(std::move(figure));
        }
    }
    return figures;
}

ReportRun repeat_report(const RepeatedSurface& surface, const std::string& title, const std::string& resolved_config) {
    ReportRun page{title, {}, resolved_config};
    const Surface& first = surface.repeats.at(0);
    if (first.is_line()) {
        for (std::size_t s = 0; s < first.splits.size(); ++s)
            page.curves.push_back(repeated_lines(surface, s, title));
    } else {
        page.surface = summary_surface(surface, false);
    }
    const Table table = spread_summary(surface);
    std::string heading = fmt::format("Spread over {} random directions, seeds {} to {}", surface.seeds.size(),
                                      surface.seeds.front(), surface.seeds.back());
    for (std::size_t s = 0; s < first.splits.size(); ++s)
        heading += first.splits[s].is_drawn() ? "; " + interval_note(surface, s) : "";
    page.tables.push_back({heading, table.head, table.rows});
    return page;
}

std::vector<PlotKind> repeat_kinds(const RepeatedSurface& surface) {
    return {surface.repeats.at(0).is_line() ? PlotKind::line : PlotKind::contour};
}

void draw_repeat(const RepeatedSurface& surface, std::size_t split, const PlotOptions& options, const fs::path& file) {
    const bool line = surface.repeats.at(0).is_line();
    const bool fits = line ? options.kind == PlotKind::line
                           : options.kind == PlotKind::contour || options.kind == PlotKind::filled ||
                                 options.kind == PlotKind::heatmap;
    if (!fits) {
        throw InputError("repeated {}, not {}",
                         line ? "lines are drawn as line" : "planes are drawn as contour, filled or heatmap",
                         name_of(options.kind));
    }
    if (!line) return draw_planes(surface, split, options, file);
    if (options.log) throw InputError("repeated lines are drawn over a linear loss axis, without --log");
    draw_curves(repeated_lines(surface, split, options.title), options.format, file);
}

std::vector<fs::path> draw_repeats(const RepeatedSurface& surface, const std::vector<PlotKind>& kinds,
                                   const PlotOptions& options, const fs::path& folder, const std::string& prefix,
                                   RunLog& log, const std::function<void()>& check) {
    if (!folder.empty()) fs::create_directories(folder);
    std::vector<fs::path> files;
    const auto draw = [&](const std::string& name, const auto& body) {
        check();
        const fs::path file = folder / (prefix + name + "." + name_of(options.format));
        try {
            body(file);
            files.push_back(file);
        } catch (const InputError& error) {
            log.warning(fmt::format("no picture {}: {}", file.filename().string(), error.what()));
        }
    };
    const Surface& first = surface.repeats.at(0);
    if (!first.is_line() && surface.repeats.size() > kMostPanels)
        log.warning(
            fmt::format("the picture shows the first {} of {} repetitions", kMostPanels, surface.repeats.size()));
    for (std::size_t s = 0; s < first.splits.size(); ++s) {
        const std::string name = first.splits[s].name;
        for (const PlotKind kind : kinds) {
            PlotOptions one = options;
            one.kind = kind;
            draw(fmt::format("{}_repeats_{}", name, name_of(kind)),
                 [&](const fs::path& file) { draw_repeat(surface, s, one, file); });
        }
        if (!first.is_line())
            draw(name + "_spread", [&](const fs::path& file) { draw_spread(surface, s, options, file); });
    }
    return files;
}

}  // namespace lossmap
