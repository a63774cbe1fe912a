#include "cli/run/table.hpp"

#include <string_view>
#include <utility>

#include "core/error.hpp"

namespace lossmap {
namespace {

using Row = std::vector<std::string>;

std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + "\"";
}

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

/// One line: the cells, each through `cell`, with separators between them.
template <typename Cell>
std::string joined(const Row& row, const char* separator, const Cell& cell) {
    std::string text;
    for (std::size_t k = 0; k < row.size(); ++k)
        text += (k > 0 ? separator : "") + cell(row[k]);
    return text;
}

}  // namespace

std::string csv_text(const Table& table) {
    std::string text = joined(table.head, ",", csv_field) + "\n";
    for (const Row& row : table.rows)
        text += joined(row, ",", csv_field) + "\n";
    return text;
}

std::string markdown_text(const Table& table) {
    std::string text = "| " + joined(table.head, " | ", markdown_cell) + " |\n";
    for (std::size_t k = 0; k < table.head.size(); ++k)
        text += k < table.names ? "|---" : "|---:";
    text += "|\n";
    for (const Row& row : table.rows)
        text += "| " + joined(row, " | ", markdown_cell) + " |\n";
    return text;
}

std::string latex_text(const Table& table) {
    std::string text = "\\begin{tabular}{" + std::string(table.names, 'l') +
                       std::string(table.head.size() - table.names, 'r') + "}\n\\hline\n";
    text += joined(table.head, " & ", latex_cell) + " \\\\\n\\hline\n";
    for (const Row& row : table.rows)
        text += joined(row, " & ", latex_cell) + " \\\\\n";
    return text + "\\hline\n\\end{tabular}\n";
}

std::vector<std::vector<std::string>> parse_csv(const std::string& text) {
    std::vector<std::vector<std::string>> rows;
    std::vector<std::string> row;
    std::string cell;
    bool quoted = false;
    const auto end_row = [&] {
        row.push_back(std::exchange(cell, {}));
        if (!rows.empty() && row.size() != rows.front().size()) {
            throw InputError("line {} has {} cells, the first one has {}", rows.size() + 1, row.size(),
                             rows.front().size());
        }
        rows.push_back(std::exchange(row, {}));
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c != '"') {
                cell += c;
            } else if (i + 1 < text.size() && text[i + 1] == '"') {
                cell += text[++i];
            } else {
                quoted = false;
            }
        } else if (c == '"') {
            quoted = true;
        } else if (c == ',') {
            row.push_back(std::exchange(cell, {}));
        } else if (c == '\n') {
            end_row();
        } else if (c != '\r') {
            cell += c;
        }
    }
    if (quoted) throw InputError("a quote is not closed");
    if (!cell.empty() || !row.empty()) end_row();
    return rows;
}

}  // namespace lossmap
