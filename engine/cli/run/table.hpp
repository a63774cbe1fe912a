#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace lossmap {

/// A table as text cells.
struct Table {
    std::vector<std::string> head;
    std::vector<std::vector<std::string>> rows;  ///< each as long as the head
    std::size_t names = 1;                       ///< leading columns that hold names, not numbers
};

/// RFC 4180 apart from its line ends, which are "\n".
[[nodiscard]] std::string csv_text(const Table& table);

/// The same for papers, names to the left and numbers to the right. No text can leave its cell.
[[nodiscard]] std::string markdown_text(const Table& table);
[[nodiscard]] std::string latex_text(const Table& table);

/// The cells of CSV text (RFC 4180), a row a line. Throws InputError naming the line when a quote is not closed or rows
/// differ in length.
[[nodiscard]] std::vector<std::vector<std::string>> parse_csv(const std::string& text);

}  // namespace lossmap
