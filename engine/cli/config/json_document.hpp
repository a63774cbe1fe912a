#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace lossmap {

/// Parses a JSON file. Beyond what JSON demands, a key that stands twice in an object, more than 64 levels and more
/// than 64 MiB are refused. Throws InputError, "<file>: .." in one sentence.
[[nodiscard]] nlohmann::ordered_json read_json(const std::filesystem::path& file);

/// Puts a value at a JSON pointer (RFC 6901). Objects on the way are made; an array takes an index that it has, or "-"
/// (or its length) to append. Throws InputError, "'7' is no index into an array of 1".
void put_value(nlohmann::ordered_json& document, const std::string& pointer, nlohmann::ordered_json value);

/// Puts "/json/pointer=VALUE" into the document with put_value(): VALUE is JSON, or else a string. Throws InputError
/// naming the option.
void apply_override(nlohmann::ordered_json& document, const std::string& text);

/// The document or part of it for a message: "number 3", "string \"abc\"", "an object".
[[nodiscard]] std::string describe(const nlohmann::ordered_json& value);

}  // namespace lossmap
