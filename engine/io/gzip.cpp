#include "io/gzip.hpp"

#include <algorithm>
#include <limits>
#include <new>

#include <zlib.h>

#include "core/error.hpp"

namespace lossmap {

namespace {

constexpr std::size_t kStep = std::size_t{1} << 20;

/// zlib's inflate over a span, output in steps.
class Inflater {
public:
    Inflater(std::span<const std::byte> bytes, int window_bits) : bytes_(bytes) {
        if (inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
    }
    ~Inflater() { inflateEnd(&stream_); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    /// Fills as much of `out` as the stream has; returns the bytes written. Sets `ended` at the end of the stream and
    /// `damaged` when nothing sound follows.
    std::size_t fill(std::span<std::byte> out) {
        std::size_t written = 0;
        while (written < out.size() && !ended && !damaged) {
            // zlib counts in 32 bits.
            constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
            const std::size_t given = std::min(kMost, bytes_.size() - consumed_);
            const std::size_t room = std::min(kMost, out.size() - written);
            stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes_.data() + consumed_));
            stream_.avail_in = static_cast<uInt>(given);
            stream_.next_out = reinterpret_cast<Bytef*>(out.data() + written);
            stream_.avail_out = static_cast<uInt>(room);
            const int result = inflate(&stream_, Z_NO_FLUSH);
            consumed_ += given - stream_.avail_in;
            written += room - stream_.avail_out;
            ended = result == Z_STREAM_END;
            damaged = !ended && result != Z_OK;
        }
        return written;
    }

    [[nodiscard]] std::size_t consumed() const { return consumed_; }

    bool ended = false;
    bool damaged = false;

private:
    std::span<const std::byte> bytes_;
    std::size_t consumed_ = 0;
    z_stream stream_{};
};

constexpr int kGzipWindow = 15 + 16;
constexpr int kRawWindow = -15;

/// Decodes one member behind what `decoded` holds, until `most_bytes` in all are there; returns the bytes consumed.
std::size_t decode_member(std::span<const std::byte> bytes, std::size_t most_bytes, std::vector<std::byte>& decoded,
                          const std::string& source) {
    Inflater inflater(bytes, kGzipWindow);
    while (!inflater.ended && !inflater.damaged && decoded.size() < most_bytes) {
        const std::size_t before = decoded.size();
        const std::size_t growth = std::max(kStep, before / 2);
        decoded.resize(std::min(most_bytes, before + growth));
        const std::size_t written = inflater.fill(std::span(decoded).subspan(before));
        decoded.resize(before + written);
    }
    if (inflater.damaged) throw InputError("{}: the gzip data are damaged or truncated", source);
    return inflater.consumed();
}

}  // namespace

bool is_gzip(std::span<const std::byte> bytes) {
    return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

std::vector<std::byte> decode_gzip(std::span<const std::byte> bytes, std::size_t most_bytes,
                                   const std::string& source) {
    if (!is_gzip(bytes)) throw InputError("{}: is not a gzip file", source);
    std::vector<std::byte> decoded;
    // One byte more than allowed tells "too long" from "exactly as long", and lets the checksum at the end be read.
    const std::size_t limit = most_bytes == std::numeric_limits<std::size_t>::max() ? most_bytes : most_bytes + 1;
    while (is_gzip(bytes)) {
        bytes = bytes.subspan(decode_member(bytes, limit, decoded, source));
        if (decoded.size() > most_bytes)
            throw InputError("{}: holds more than the {} bytes expected", source, most_bytes);
    }
    // gzip allows zeros behind the last member (padding of tapes), nothing else.
    if (std::any_of(bytes.begin(), bytes.end(), [](std::byte value) { return value != std::byte{0}; })) {
        throw InputError("{}: other bytes follow the gzip data", source);
    }
    return decoded;
}

std::vector<std::byte> decode_gzip_prefix(std::span<const std::byte> bytes, std::size_t count,
                                          const std::string& source) {
    if (!is_gzip(bytes)) throw InputError("{}: is not a gzip file", source);
    std::vector<std::byte> decoded;
    decode_member(bytes, count, decoded, source);
    return decoded;
}

std::vector<std::byte> decode_deflate(std::span<const std::byte> bytes, std::size_t size_bytes,
                                      const std::string& source) {
    // Deflate packs at most 1,032 bytes into one: a claim above that must not make us allocate.
    if (size_bytes / 1032 > bytes.size()) throw InputError("{}: claims more bytes than it can hold", source);
    std::vector<std::byte> decoded(size_bytes);
    Inflater inflater(bytes, kRawWindow);
    std::size_t written = inflater.fill(decoded);
    std::byte beyond{};
    if (!inflater.ended && !inflater.damaged) written += inflater.fill(std::span(&beyond, 1));
    if (written != size_bytes || !inflater.ended) {
        throw InputError("{}: the compressed data are damaged or not of the stated length", source);
    }
    return decoded;
}

std::uint32_t crc32_of(std::span<const std::byte> bytes) {
    return static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace lossmap
