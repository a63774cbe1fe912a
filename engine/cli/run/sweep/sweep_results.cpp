#include "cli/run/sweep/sweep_results.hpp"

#include <algorithm>

#include "cli/run/outputs.hpp"
#include "cli/run/repeat_outputs.hpp"
#include "cli/run/sweep/sweep_pictures.hpp"
#include "cli/run/sweep/sweep_table.hpp"
#include "output/curves.hpp"
#include "output/text.hpp"

namespace lossmap {
namespace {

/// Lines of loss and error of each model.
void add_model_rows(const CombinationResult& result, std::vector<SweepRow>& rows) {
    const ModelResults& models = *result.models;
    for (std::size_t k = 0; k < models.labels.size(); ++k)
        rows.push_back({result.combination, models.labels[k], results_at(models.surface, k)});
}

bool has_norms(const CombinationResult& result) { return result.models && !result.models->norms.empty(); }

}  // namespace

void SweepResults::add(CombinationResult result) {
    const std::string measured = origin_text(result.origin);
    result.page.title = sweep_.combinations[result.combination].title;
    if (!measured.empty()) result.page.title += "\n" + measured;
    results_.push_back(std::move(result));
}

std::optional<Table> SweepResults::exact_table() const { return table(true); }

std::optional<Table> SweepResults::brief_table() const { return table(false); }

std::optional<Table> SweepResults::table(bool exact) const {
    std::vector<SweepRow> rows;
    std::vector<std::pair<std::size_t, Table>> norms;
    for (const CombinationResult& result : results_) {
        if (has_norms(result)) {
            norms.emplace_back(result.combination,
                               exact ? lossmap::exact_table(*result.models) : lossmap::brief_table(*result.models));
        } else if (result.models) {
            add_model_rows(result, rows);
        } else {
            rows.push_back({result.combination, "", result.origin});
        }
    }
    if (!norms.empty()) return joined_sweep_table(sweep_, norms, exact);
    if (rows.empty()) return std::nullopt;
    return exact ? exact_sweep_table(sweep_, rows) : brief_sweep_table(sweep_, rows);
}

SweepResults::Overlaid SweepResults::overlaid() const {
    std::vector<std::pair<std::string, ModelResults>> models;
    Overlaid overlaid;
    for (const CombinationResult& result : results_) {
        const std::string& label = sweep_.combinations[result.combination].title;
        if (result.models) models.emplace_back(label, *result.models);
        if (result.repeats) overlaid.repeats.emplace_back(label, &*result.repeats);
    }
    if (!models.empty()) overlaid.models = joined_results(models, sweep_.name);
    return overlaid;
}

std::vector<CurvesFigure> SweepResults::figures_of_all(const Overlaid& all) const {
    std::vector<CurvesFigure> figures;
    if (all.curves() > kCurveColours) return figures;
    if (all.models) figures = figures_of(*all.models);
    if (!all.repeats.empty()) {
        const std::vector<CurvesFigure> means = overlaid_means(all.repeats, sweep_.name);
        figures.insert(figures.end(), means.begin(), means.end());
    }
    return figures;
}

std::vector<std::filesystem::path> SweepResults::draw(const SweepDrawing& drawing, RunLog& log) const {
    std::vector<const ReportRun*> pages;
    for (const CombinationResult& result : results_)
        pages.push_back(&result.page);
    std::vector<std::filesystem::path> files = draw_multiples_of(sweep_, pages, drawing, log);
    const bool wants_lines = drawing.kinds.empty() || std::find(drawing.kinds.begin(), drawing.kinds.end(),
                                                                PlotKind::line) != drawing.kinds.end();
    if (!wants_lines) return files;
    const Overlaid all = overlaid();
    if (all.curves() > kCurveColours) {
        log.warning(fmt::format("no picture of {} curves over each other: there are colours for {}", all.curves(),
                                kCurveColours));
    }
    const auto curves =
        draw_figures(figures_of_all(all), drawing.options.format, drawing.folder, drawing.prefix, drawing.check);
    files.insert(files.end(), curves.begin(), curves.end());
    return files;
}

std::vector<ReportRun> SweepResults::pages() const {
    std::vector<ReportRun> pages;
    for (const CombinationResult& result : results_) {
        pages.push_back(result.page);
        pages.back().title = joined_lines(pages.back().title);
    }
    const std::optional<Table> over_all = brief_table();
    std::vector<ReportTable> tables;
    if (over_all) tables.push_back({"All combinations of " + sweep_.name, over_all->head, over_all->rows});
    std::vector<CurvesFigure> curves = figures();
    if (!curves.empty()) {
        pages.insert(pages.begin(), {sweep_.name, {}, "", std::nullopt, std::move(curves), std::move(tables)});
    } else if (!pages.empty()) {
        std::vector<ReportTable>& first = pages.front().tables;
        first.insert(first.begin(), tables.begin(), tables.end());
    }
    return pages;
}

}  // namespace lossmap
