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

using Row = std::vector<std::string>;

/// Head and rows of a table for people: model, then loss and error of each split.
std::vector<Row> short_table(const std::vector<ModelConfig>& models, const Surface& surface) {
    std::vector<Row> rows{{"model"}};
    for (const SplitSurface& split : surface.splits) {
        rows[0].push_back(split.name + " loss");
        if (split.has_accuracy) rows[0].push_back(split.name + " error (%)");
    }
    for (std::size_t k = 0; k < models.size(); ++k) {
        Row row{models[k].label};
        for (const SplitSurface& split : surface.splits) {
            const bool done = split.done[k] != 0;
            row.push_back(done ? fmt::format("{:.4g}", split.loss[k]) : "");
            if (split.has_accuracy) row.push_back(done ? fmt::format("{:.2f}", 100.0 - split.accuracy[k]) : "");
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

/// Text in a cell of a Markdown table.
std::string markdown_cell(const std::string& text) {
    constexpr std::string_view kSpecial = "\\`*_{}[]<>|#~&!";
    std::string cell;
    for (const char c : text) {
        if (kSpecial.find(c) != std::string_view::npos) cell += '\\';
        cell += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return cell;
}

std::string latex_character(char c) {
    switch (c) {
        case '\\': return "\\textbackslash{}";
        case '~': return "\\textasciitilde{}";
        case '^': return "\\textasciicircum{}";
        case '&':
        case '%':
        case '$':
        case '#':
        case '_':
        case '{':
        case '}': return std::string("\\") + c;
        default: return {static_cast<unsigned char>(c) < 0x20 ? ' ' : c};
    }
}

std::string latex_cell(const std::string& text) {
    std::string cell;
    for (const char c : text)
        cell += latex_character(c);
    return cell;
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

std::string table_markdown(const std::vector<ModelConfig>& models, const Surface& surface) {
    std::string text;
    bool head = true;
    for (const Row& row : short_table(models, surface)) {
        for (const std::string& cell : row)
            text += "| " + markdown_cell(cell) + " ";
        text += "|\n";
        if (!head) continue;
        text += "|---";
        for (std::size_t k = 1; k < row.size(); ++k)
            text += "|---:";
        text += "|\n";
        head = false;
    }
    return text;
}

std::string table_latex(const std::vector<ModelConfig>& models, const Surface& surface) {
    const std::vector<Row> rows = short_table(models, surface);
    std::string text = "\\begin{tabular}{l" + std::string(rows[0].size() - 1, 'r') + "}\n\\hline\n";
    for (std::size_t k = 0; k < rows.size(); ++k) {
        for (std::size_t cell = 0; cell < rows[k].size(); ++cell)
            text += (cell > 0 ? " & " : "") + latex_cell(rows[k][cell]);
        text += " \\\\\n";
        if (k == 0) text += "\\hline\n";
    }
    return text + "\\hline\n\\end{tabular}\n";
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
