#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lossmap {

/// Whether the bytes start as a gzip file does (RFC 1952).
[[nodiscard]] bool is_gzip(std::span<const std::byte> bytes);

/// Decodes all members of a gzip file (RFC 1952), checksums verified. `source` names it in messages. Throws InputError
/// when it is damaged, truncated or longer than `most_bytes`; memory grows with what is decoded, not with what is
/// claimed.
[[nodiscard]] std::vector<std::byte> decode_gzip(std::span<const std::byte> bytes, std::size_t most_bytes,
                                                 const std::string& source);

/// The first bytes only, at most `count`; the rest is not looked at.
[[nodiscard]] std::vector<std::byte> decode_gzip_prefix(std::span<const std::byte> bytes, std::size_t count,
                                                        const std::string& source);

/// Decodes a raw deflate stream (RFC 1951) of exactly `size_bytes`. Throws InputError otherwise.
[[nodiscard]] std::vector<std::byte> decode_deflate(std::span<const std::byte> bytes, std::size_t size_bytes,
                                                    const std::string& source);

/// CRC-32 as gzip and zip use it.
[[nodiscard]] std::uint32_t crc32_of(std::span<const std::byte> bytes);

}  // namespace lossmap
