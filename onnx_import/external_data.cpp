#include "onnx_import/external_data.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

#include "core/error.hpp"
#include "onnx_import/element_type.hpp"

namespace lossmap::onnx_import {
namespace {

namespace fs = std::filesystem;

std::int64_t parse_size(const std::string& key, const std::string& text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0) {
        throw InputError("external data has the {} {}, expected a number of bytes", key, printable(text));
    }
    return value;
}

/// `location` below `folder`, symbolic links resolved.
fs::path resolve_inside(const fs::path& folder, const std::string& location) {
    const fs::path relative(location);
    const bool climbs =
        std::any_of(relative.begin(), relative.end(), [](const fs::path& part) { return part == ".."; });
    if (location.empty() || location.find('\0') != std::string::npos || relative.is_absolute() || climbs) {
        throw InputError("external data lies at {}, outside the model's folder", printable(location));
    }
    std::error_code error;
    const fs::path root = fs::canonical(folder, error);
    if (error) throw InputError("the model's folder cannot be read ({})", error.message());
    fs::path file = fs::canonical(root / relative, error);
    if (error) throw InputError("the external data file {} is missing", printable(location));
    const auto [root_end, file_at] = std::mismatch(root.begin(), root.end(), file.begin(), file.end());
    if (root_end != root.end())
        throw InputError("external data lies at {}, outside the model's folder", printable(location));
    if (!fs::is_regular_file(file, error))
        throw InputError("the external data {} is not a regular file", printable(location));
    return file;
}

}  // namespace

ExternalData::ExternalData(fs::path folder) : folder_(folder.empty() ? fs::path(".") : std::move(folder)) {}

ExternalData::Range ExternalData::locate(const onnx::TensorProto& tensor, std::int64_t size_bytes) const {
    std::string location;
    Range range;
    std::optional<std::int64_t> length;
    for (const onnx::StringStringEntryProto& entry : tensor.external_data()) {
        if (entry.key() == "location") location = entry.value();
        if (entry.key() == "offset") range.offset = parse_size("offset", entry.value());
        if (entry.key() == "length") length = parse_size("length", entry.value());
    }
    if (length && *length != size_bytes) {
        throw InputError("external data has {} bytes, its shape needs {}", *length, size_bytes);
    }
    range.file = resolve_inside(folder_, location);
    std::error_code error;
    const auto available = static_cast<std::int64_t>(fs::file_size(range.file, error));
    if (error) throw InputError("the external data file {} cannot be read", printable(location));
    if (range.offset > available || size_bytes > available - range.offset) {
        throw InputError("external data ends at byte {} of {}, which has {} bytes",
                         static_cast<std::uint64_t>(range.offset) + static_cast<std::uint64_t>(size_bytes),
                         printable(location), available);
    }
    return range;
}

void ExternalData::check(const onnx::TensorProto& tensor, std::int64_t size_bytes) const {
    static_cast<void>(locate(tensor, size_bytes));
}

void ExternalData::read(const onnx::TensorProto& tensor, std::span<std::byte> bytes) const {
    const Range range = locate(tensor, static_cast<std::int64_t>(bytes.size()));
    std::ifstream stream(range.file, std::ios::binary);
    stream.seekg(range.offset);
    stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!stream) throw InputError("external data cannot be read from {}", printable(range.file.filename().string()));
}

}  // namespace lossmap::onnx_import
