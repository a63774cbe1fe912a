#include "cli/run/outputs.hpp"

#include "cli/run/run_directory.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

/// A field of a CSV file (RFC 4180).
std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + "\"";
}

bool draws_each_split(PlotKind kind) { return kind != PlotKind::line; }

}  // namespace

std::string table_csv(const std::vector<ModelConfig>& models, const Surface& surface) {
    std::string text = "model";
    for (const SplitSurface& split : surface.splits) {
        text += fmt::format(",{}_loss", split.name);
        if (split.has_accuracy) text += fmt::format(",{}_error", split.name);
        text += fmt::format(",{0}_standard_error,{0}_samples,{0}_non_finite", split.name);
    }
    text += "\n";
    for (std::size_t row = 0; row < models.size(); ++row) {
        text += csv_field(models[row].label);
        for (const SplitSurface& split : surface.splits) {
            if (split.done[row] == 0) {  // an interrupted run: not computed
                text += split.has_accuracy ? ",,,,," : ",,,,";
                continue;
            }
            text += fmt::format(",{}", split.loss[row]);
            if (split.has_accuracy) text += fmt::format(",{:.10g}", 100.0 - split.accuracy[row]);
            text += fmt::format(",{},{},{}", split.standard_error[row], split.samples[row], split.non_finite[row]);
        }
        text += "\n";
    }
    return text;
}

std::vector<fs::path> draw_pictures(const Surface& surface, const std::vector<PlotKind>& kinds,
                                    const PlotOptions& options, const fs::path& folder, const std::string& prefix,
                                    RunLog& log, const std::function<void()>& check) {
    std::vector<fs::path> files;
    for (const PlotKind kind : kinds) {
        std::vector<std::string> splits;
        for (const SplitSurface& split : surface.splits)
            splits.push_back(split.name);
        if (!draws_each_split(kind)) splits.resize(1);
        for (const std::string& split : splits) {
            check();
            PlotOptions one = options;
            one.kind = kind;
            one.split = draws_each_split(kind) ? split : "";
            const fs::path file = folder / (prefix + picture_name(split, name_of(kind), name_of(options.format)));
            try {
                draw_plot(surface, one, file);
                files.push_back(file);
            } catch (const InputError& error) {
                log.warning(fmt::format("no picture {}: {}", file.filename().string(), error.what()));
            }
        }
    }
    return files;
}

}  // namespace lossmap
