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

}  // namespace lossmap
