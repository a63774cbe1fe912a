#include "cli/config/natural_glob.hpp"

#include <glob.h>

#include <algorithm>
#include <string_view>

#include "core/error.hpp"

namespace lossmap {
namespace {

struct GlobResult {
    glob_t value{};
    GlobResult() = default;
    GlobResult(const GlobResult&) = delete;
    GlobResult& operator=(const GlobResult&) = delete;
    ~GlobResult() { globfree(&value); }
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The digits from `position` on, leading zeros left out; moves behind them.
std::string_view take_number(const std::string& text, std::size_t& position) {
    while (position < text.size() && text[position] == '0')
        ++position;
    const std::size_t first = position;
    while (position < text.size() && is_digit(text[position]))
        ++position;
    return std::string_view(text).substr(first, position - first);
}

}  // namespace

bool is_glob(const std::string& path) { return path.find_first_of("*?[") != std::string::npos; }

std::vector<std::filesystem::path> expand_glob(const std::filesystem::path& pattern) {
    GlobResult result;
    const int code = ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &result.value);
    if (code != 0 && code != GLOB_NOMATCH) throw Error("cannot look for '{}'", pattern.string());
    std::vector<std::string> names;
    for (std::size_t k = 0; code == 0 && k < result.value.gl_pathc; ++k)
        names.emplace_back(result.value.gl_pathv[k]);
    std::sort(names.begin(), names.end(), natural_less);
    return {names.begin(), names.end()};
}

bool natural_less(const std::string& a, const std::string& b) {
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < a.size() && j < b.size()) {
        if (is_digit(a[i]) && is_digit(b[j])) {
            const std::string_view left = take_number(a, i);
            const std::string_view right = take_number(b, j);
            if (left.size() != right.size()) return left.size() < right.size();
            if (left != right) return left < right;
            continue;
        }
        if (a[i] != b[j]) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
        ++i;
        ++j;
    }
    if (a.size() - i != b.size() - j) return a.size() - i < b.size() - j;
    return a < b;  // equal but for leading zeros
}

}  // namespace lossmap
