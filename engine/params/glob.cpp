#include <cstddef>
#include <optional>
#include <string>

#include "params/parameter_space.hpp"

namespace lossmap {
namespace {

/// Matches `character` against the bracket expression that starts at `pattern[at]`; nullopt when it is not closed (then
/// the bracket is an ordinary character). `end` is the position behind it.
std::optional<bool> match_bracket(const std::string& pattern, std::size_t at, char character, std::size_t& end) {
    std::size_t position = at + 1;
    const bool negated = position < pattern.size() && (pattern[position] == '!' || pattern[position] == '^');
    if (negated) ++position;
    const std::size_t first = position;
    bool found = false;
    for (; position < pattern.size(); ++position) {
        if (pattern[position] == ']' && position > first) {
            end = position + 1;
            return found != negated;
        }
        const bool range =
            position + 2 < pattern.size() && pattern[position + 1] == '-' && pattern[position + 2] != ']';
        const char low = pattern[position];
        const char high = range ? pattern[position + 2] : low;
        if (low <= character && character <= high) found = true;
        if (range) position += 2;
    }
    return std::nullopt;
}

/// Whether the pattern element at `pattern[at]` (not a star) takes `character`; `end` is the position behind it.
bool match_one(const std::string& pattern, std::size_t at, char character, std::size_t& end) {
    if (pattern[at] == '[') {
        if (const auto matched = match_bracket(pattern, at, character, end)) return *matched;
    }
    end = at + 1;
    return pattern[at] == '?' || pattern[at] == character;
}

}  // namespace

bool glob_match(const std::string& pattern, const std::string& text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string::npos;  // last star, and the text position it was tried at: linear backtracking
    std::size_t retry = 0;
    while (t < text.size()) {
        std::size_t end = 0;
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            retry = t;
        } else if (p < pattern.size() && match_one(pattern, p, text[t], end)) {
            p = end;
            ++t;
        } else if (star != std::string::npos) {
            p = star + 1;
            t = ++retry;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*')
        ++p;
    return p == pattern.size();
}

}  // namespace lossmap
