#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/error.hpp"

namespace lossmap {

/// A value of a JSON document and where it stands. Every getter throws InputError("<file>: <pointer>: expected .., got
/// ..") when the value is something else. Borrows the document.
class JsonReader {
public:
    JsonReader(const nlohmann::ordered_json& value, std::filesystem::path file, std::string pointer = {})
        : value_(&value), file_(std::move(file)), pointer_(std::move(pointer)) {}

    [[nodiscard]] bool is_object() const;
    [[nodiscard]] bool is_array() const;
    [[nodiscard]] bool is_text() const;
    [[nodiscard]] const std::string& pointer() const { return pointer_; }
    /// The same value; it and everything in it has network_path() relative to `folder`.
    [[nodiscard]] JsonReader with_networks(std::filesystem::path folder) const;

    /// Checks that it is an object that has only keys of that section.
    void require_section(std::string_view section, std::string_view expected) const;
    [[nodiscard]] bool has(std::string_view key) const;
    /// The member; a missing one is an error that says what was expected.
    [[nodiscard]] JsonReader member(std::string_view key, std::string_view expected) const;
    [[nodiscard]] std::optional<JsonReader> find(std::string_view key) const;
    /// Keys of an object, `comment` and `$schema` left out.
    [[nodiscard]] std::vector<std::string> keys() const;
    /// Elements of an array, which may be empty.
    [[nodiscard]] std::vector<JsonReader> all_items(std::string_view expected) const;
    /// Elements of an array that is not empty.
    [[nodiscard]] std::vector<JsonReader> items(std::string_view expected) const;

    /// A string that is not empty.
    [[nodiscard]] std::string text(std::string_view expected) const;
    /// A path, relative to the file's folder.
    [[nodiscard]] std::filesystem::path path() const;
    /// A network's path: relative to the folder of with_networks(), or else to the file's.
    [[nodiscard]] std::filesystem::path network_path() const;
    [[nodiscard]] bool boolean() const;
    /// A finite number.
    [[nodiscard]] double number(std::string_view expected = "a number") const;
    [[nodiscard]] std::int64_t integer(std::int64_t min, std::int64_t max) const;
    [[nodiscard]] std::uint64_t seed() const;
    /// One of several names.
    template <typename Value, std::size_t size>
    [[nodiscard]] Value choice(const std::pair<std::string_view, Value> (&names)[size]) const {
        std::vector<std::string> known;
        for (const auto& [name, value] : names) {
            if (equals(name)) return value;
            known.emplace_back(name);
        }
        unknown_name(known);
    }

    /// "<file>: <pointer>: expected <expected>, got .."
    [[noreturn]] void mismatch(std::string_view expected) const;
    /// "<file>: <pointer>: <sentence>"
    [[noreturn]] void fail(const std::string& sentence) const;

private:
    /// A value inside this one.
    [[nodiscard]] JsonReader inner(const nlohmann::ordered_json& value, std::string_view key) const;
    [[nodiscard]] std::filesystem::path path_in(const std::filesystem::path& folder) const;
    [[nodiscard]] bool equals(std::string_view text) const;
    [[noreturn]] void unknown_name(const std::vector<std::string>& known) const;
    [[nodiscard]] std::string where() const;

    const nlohmann::ordered_json* value_;
    std::filesystem::path file_;
    std::string pointer_;
    std::optional<std::filesystem::path> networks_;
};

}  // namespace lossmap
