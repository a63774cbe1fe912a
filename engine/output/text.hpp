#pragma once

#include <string>
#include <vector>

namespace lossmap {

/// `text` with each byte that is no part of valid UTF-8 (RFC 3629) replaced by U+FFFD.
[[nodiscard]] std::string valid_utf8(const std::string& text);

/// The lines of `text` as one, with ", " between them.
[[nodiscard]] std::string joined_lines(const std::string& text);

/// Breaks text (line breaks in it included) into at most `max_lines` lines of at most `max_characters` characters, at
/// spaces where possible; what does not fit ends in an ellipsis.
[[nodiscard]] std::vector<std::string> wrap_text(const std::string& text, std::size_t max_characters,
                                                 std::size_t max_lines);

}  // namespace lossmap
