#include "landscape/shard.hpp"

#include <charconv>
#include <optional>
#include <string_view>

#include "core/error.hpp"

namespace lossmap {
namespace {

constexpr std::int64_t kMostShares = 100'000;

/// A number from 0 on, in digits alone.
std::optional<std::int64_t> number_of(std::string_view digits) {
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return value;
}

}  // namespace

std::size_t Shard::size(std::size_t points) const {
    return points > first() ? (points - first() - 1) / static_cast<std::size_t>(count) + 1 : 0;
}

std::string Shard::name() const { return fmt::format("{}/{}", index, count); }

Shard parse_shard(const std::string& text) {
    const std::string_view view = text;
    const std::size_t slash = view.find('/');
    if (slash != std::string_view::npos) {
        const auto index = number_of(view.substr(0, slash));
        const auto count = number_of(view.substr(slash + 1));
        if (index && count && *count >= 1 && *count <= kMostShares && *index <= *count)
            return {*index == 0 ? *count : *index, *count};
    }
    throw InputError("share '{}': expected I/N, such as 1/8, with N from 1 to {} and I from 0 to N", text, kMostShares);
}

}  // namespace lossmap
