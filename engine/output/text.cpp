#include "output/text.hpp"

#include <algorithm>
#include <cstdint>

namespace lossmap {

namespace {

/// Bytes of the valid UTF-8 sequence at `start`; 0 when there is none.
std::size_t sequence_length(const std::string& text, std::size_t start) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned lead = byte(start);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xf0 ? 4 : (lead >= 0xe0 ? 3 : 2);
    if (lead < 0xc2 || lead > 0xf4 || start + length > text.size()) return 0;
    std::uint32_t code = lead & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(start + i) & 0xc0U) != 0x80U) return 0;
        code = (code << 6U) | (byte(start + i) & 0x3fU);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return overlong || surrogate || code > 0x10ffff ? 0 : length;
}

/// Characters (code points) of valid UTF-8.
std::vector<std::string> characters_of(const std::string& text) {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = std::max<std::size_t>(1, sequence_length(text, i));
        result.push_back(text.substr(i, length));
        i += length;
    }
    return result;
}

}  // namespace

std::string valid_utf8(const std::string& text) {
    std::string result;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = sequence_length(text, i);
        result += length == 0 ? "\xef\xbf\xbd" : text.substr(i, length);
        i += std::max<std::size_t>(1, length);
    }
    return result;
}

std::string joined_lines(const std::string& text) {
    std::string line;
    for (const char c : text)
        line += c == '\n' ? ", " : std::string(1, c);
    return line;
}

std::vector<std::string> wrap_text(const std::string& text, std::size_t max_characters, std::size_t max_lines) {
    std::vector<std::vector<std::string>> lines(1);
    std::size_t last_space = 0;  // index in the current line; 0 when there is none
    for (const std::string& character : characters_of(valid_utf8(text))) {
        if (character == "\n") {
            lines.emplace_back();
            last_space = 0;
            continue;
        }
        lines.back().push_back(character);
        if (character == " ") last_space = lines.back().size() - 1;
        if (lines.back().size() <= max_characters) continue;
        std::vector<std::string>& full = lines.back();
        const std::size_t cut = last_space > 0 ? last_space : max_characters;
        const auto rest_start = full.begin() + static_cast<std::ptrdiff_t>(last_space > 0 ? cut + 1 : cut);
        std::vector<std::string> rest(rest_start, full.end());
        full.resize(cut);
        lines.push_back(std::move(rest));
        last_space = 0;
    }
    if (lines.size() > max_lines) {
        lines.resize(max_lines);
        if (lines.back().size() >= max_characters) lines.back().resize(max_characters - 1);
        lines.back().emplace_back("…");
    }
    std::vector<std::string> result;
    for (const auto& line : lines) {
        std::string joined;
        for (const std::string& character : line)
            joined += character;
        result.push_back(std::move(joined));
    }
    return result;
}

}  // namespace lossmap
