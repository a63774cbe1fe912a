#include "cli/config/json_document.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "core/error.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxDepth = 64;
constexpr std::uintmax_t kMaxBytes = std::uintmax_t{64} << 20;

/// Watches the parser: where it is, and which keys an object has had.
class StructureCheck {
public:
    explicit StructureCheck(std::string file) : file_(std::move(file)) {}

    bool operator()(int /*depth*/, Json::parse_event_t event, Json& parsed) {
        switch (event) {
            case Json::parse_event_t::object_start: open(false); break;
            case Json::parse_event_t::array_start: open(true); break;
            case Json::parse_event_t::object_end:
            case Json::parse_event_t::array_end:
                levels_.pop_back();
                next_item();
                break;
            case Json::parse_event_t::value: next_item(); break;
            case Json::parse_event_t::key: take_key(parsed.get<std::string>()); break;
        }
        return true;
    }

private:
    struct Level {
        bool is_array = false;
        std::size_t index = 0;
        std::set<std::string> keys;
        std::string key;
    };

    void open(bool is_array) {
        if (levels_.size() >= kMaxDepth) throw InputError("{}: more than {} levels of nesting", file_, kMaxDepth);
        levels_.push_back({is_array, 0, {}, {}});
    }
    void next_item() {
        if (!levels_.empty() && levels_.back().is_array) ++levels_.back().index;
    }
    void take_key(const std::string& key) {
        Level& level = levels_.back();
        level.key = key;
        if (!level.keys.insert(key).second) throw InputError("{}: {}: the key stands there twice", file_, path());
    }
    [[nodiscard]] std::string path() const {
        std::string path;
        for (const Level& level : levels_)
            path += "/" + (level.is_array ? std::to_string(level.index) : level.key);
        return path;
    }

    std::string file_;
    std::vector<Level> levels_;
};

std::string read_text(const fs::path& file) {
    std::error_code error;
    const fs::file_status status = fs::status(file, error);
    if (!fs::exists(status)) throw InputError("{}: no such file", file.string());
    if (fs::is_directory(status)) throw InputError("{}: is a folder, expected a configuration file", file.string());
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw InputError("{}: cannot be opened", file.string());
    const std::uintmax_t bytes = fs::file_size(file, error);
    if (!error && bytes > kMaxBytes) {
        throw InputError("{}: has {} bytes, a configuration has at most {}", file.string(), bytes, kMaxBytes);
    }
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    if (stream.bad()) throw InputError("{}: cannot be read", file.string());
    return text;
}

/// Drops nlohmann's own prefix: "[json.exception.parse_error.101] parse error at line 1, column 2: .."
std::string plain_message(const std::string& what) {
    std::string message = what.substr(what.find("] ") == std::string::npos ? 0 : what.find("] ") + 2);
    for (const std::string_view prefix : {"parse error at ", "parse error: "}) {
        if (message.starts_with(prefix)) message.erase(0, prefix.size());
    }
    std::replace(message.begin(), message.end(), '\n', ' ');
    return message;
}

std::optional<std::size_t> array_index(const std::string& token, std::size_t size) {
    if (token == "-") return size;
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
    if (error != std::errc() || end != token.data() + token.size() || index > size) return std::nullopt;
    return index;
}

std::vector<std::string> pointer_tokens(const std::string& pointer) {
    std::vector<std::string> tokens;
    std::size_t position = 0;
    while (position < pointer.size()) {
        const std::size_t end = std::min(pointer.find('/', position + 1), pointer.size());
        std::string token;
        for (std::size_t k = position + 1; k < end; ++k) {
            if (pointer[k] != '~') {
                token += pointer[k];
                continue;
            }
            const char escaped = k + 1 < end ? pointer[k + 1] : '\0';
            if (escaped != '0' && escaped != '1') {
                throw InputError("'~' stands before 0 or 1 in a JSON pointer");
            }
            token += escaped == '0' ? '~' : '/';
            ++k;
        }
        tokens.push_back(std::move(token));
        position = end;
    }
    return tokens;
}

/// The value or, where the text is no JSON, the text.
Json override_value(const std::string& text) {
    Json value = Json::parse(text, nullptr, false);
    return value.is_discarded() ? Json(text) : value;
}

}  // namespace

Json read_json(const fs::path& file) {
    const std::string text = read_text(file);
    try {
        return Json::parse(text, StructureCheck(file.string()));
    } catch (const Json::exception& error) {
        throw InputError("{}: is not valid JSON: {}", file.string(), plain_message(error.what()));
    }
}

void put_value(Json& document, const std::string& pointer, Json value) {
    Json* place = &document;
    for (const std::string& token : pointer_tokens(pointer)) {
        if (place->is_array()) {
            const std::optional<std::size_t> index = array_index(token, place->size());
            if (!index) throw InputError("'{}' is no index into an array of {}", token, place->size());
            if (*index == place->size()) place->push_back(nullptr);
            place = &(*place)[*index];
        } else if (place->is_object() || place->is_null()) {
            place = &(*place)[token];
        } else {
            throw InputError("'{}' lies inside {}, expected an object or an array", token, describe(*place));
        }
    }
    *place = std::move(value);
}

void apply_override(Json& document, const std::string& text) {
    const std::size_t equals = text.find('=');
    if (text.empty() || text.front() != '/' || equals == std::string::npos) {
        throw InputError("--set {}: expected /json/pointer=VALUE", text);
    }
    with_context("--set " + text,
                 [&] { put_value(document, text.substr(0, equals), override_value(text.substr(equals + 1))); });
}

std::string describe(const Json& value) {
    constexpr std::size_t kLongest = 60;
    const auto shortened = [](const std::string& text) {
        return text.size() <= kLongest ? text : text.substr(0, kLongest) + "..";
    };
    switch (value.type()) {
        case Json::value_t::null: return "null";
        case Json::value_t::object: return "an object";
        case Json::value_t::array: return value.empty() ? "an empty array" : "an array";
        case Json::value_t::boolean: return value.get<bool>() ? "true" : "false";
        case Json::value_t::string:
            return "string " + shortened(value.dump(-1, ' ', false, Json::error_handler_t::replace));
        default: return "number " + shortened(value.dump());
    }
}

}  // namespace lossmap
