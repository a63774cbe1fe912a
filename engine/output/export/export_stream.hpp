#pragma once

#include <bit>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "io/atomic_file.hpp"

namespace lossmap {

static_assert(std::endian::native == std::endian::little, "binary formats are written as the machine holds numbers");

/// Writes a file that may be larger than memory; it appears with `commit`. Errors name the file.
class ExportStream {
public:
    explicit ExportStream(const std::filesystem::path& file);

    void write(std::string_view bytes);
    /// Text; doubles with "{}" are the shortest that read back as the same number.
    template <typename... Args>
    void print(fmt::format_string<Args...> format, Args&&... args) {
        text_.clear();
        fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
        write({text_.data(), text_.size()});
    }
    /// The bytes of a number or of an array of numbers, little endian.
    template <typename T>
    void write_bytes(const T& value) {
        write({reinterpret_cast<const char*>(&value), sizeof(T)});
    }

    void commit();

private:
    std::filesystem::path file_;
    AtomicFile atomic_;
    std::ofstream stream_;
    fmt::memory_buffer text_;
};

}  // namespace lossmap
