#pragma once

#include <filesystem>
#include <string>

namespace lossmap::test {

/// `document` with the section "## title" replaced by `body` (which ends with a line break), or with it added at the
/// end.
[[nodiscard]] std::string with_section(const std::string& document, const std::string& title, const std::string& body);

/// Whether a document has the section.
[[nodiscard]] bool has_section(const std::string& document, const std::string& title);

/// Content of a file; "" when there is none.
[[nodiscard]] std::string read_document(const std::filesystem::path& file);

/// With `update` writes the file; otherwise compares, and prints the first line that differs. Returns whether the file
/// is now as it should be.
[[nodiscard]] bool settle_document(const std::filesystem::path& file, const std::string& wanted, bool update);

}  // namespace lossmap::test
