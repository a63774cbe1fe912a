#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lossmap {

/// Streaming 128-bit content hash (XXH3_128): tells contents apart, does not withstand an attacker. The same bytes give
/// the same text on every platform.
class Hasher {
public:
    Hasher();
    ~Hasher();
    Hasher(Hasher&& other) noexcept;
    Hasher& operator=(Hasher&& other) noexcept;

    /// Bytes as they are; splitting them differently over calls does not change the result.
    Hasher& update(std::span<const std::byte> bytes);
    /// A text with its length in front, so that ("ab", "c") and ("a", "bc") differ.
    Hasher& add_text(std::string_view text);
    /// Eight bytes, little endian.
    Hasher& add_integer(std::int64_t value);

    /// 32 lower-case hexadecimal digits of everything so far; more may follow.
    [[nodiscard]] std::string hex() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

[[nodiscard]] std::string hash_bytes(std::span<const std::byte> bytes);
/// Hash of a file's content. Throws InputError when it cannot be read.
[[nodiscard]] std::string hash_file(const std::filesystem::path& file);

}  // namespace lossmap
