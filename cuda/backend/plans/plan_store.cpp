#include "cuda/backend/plans/plan_store.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include "core/error.hpp"
#include "io/atomic_file.hpp"
#include "io/hash.hpp"

namespace lossmap::cuda {
namespace {

namespace fs = std::filesystem;

/// Kind of file and version of its layout: magic, two lengths, key, value, hash of all of it.
constexpr std::array<char, 16> kMagic{'l', 'o', 's', 's', 'm', 'a', 'p', ' ', 'p', 'l', 'a', 'n', ' ', '1', '\n', 0};
constexpr std::size_t kHeaderBytes = kMagic.size() + 2 * sizeof(std::uint64_t);
constexpr std::size_t kHashBytes = 32;
/// A plan is some 50 KB; what is larger is not ours, and not read.
constexpr std::uintmax_t kMostBytes = std::uintmax_t{64} << 20;

void append(std::string& text, std::uint64_t number) {
    std::array<char, sizeof(number)> bytes{};
    std::memcpy(bytes.data(), &number, sizeof(number));
    text.append(bytes.data(), bytes.size());
}

std::uint64_t number_at(const std::string& text, std::size_t offset) {
    std::uint64_t number = 0;
    std::memcpy(&number, text.data() + offset, sizeof(number));
    return number;
}

std::string hash_of(const std::string& text) { return hash_bytes(std::as_bytes(std::span(text))); }

std::string encoded(const std::string& key, std::span<const std::byte> value) {
    std::string text(kMagic.data(), kMagic.size());
    append(text, key.size());
    append(text, value.size());
    text += key;
    text.append(reinterpret_cast<const char*>(value.data()), value.size());
    return text + hash_of(text);
}

/// The value; throws Error saying what is wrong with the content.
std::vector<std::byte> decoded(const std::string& content, const std::string& key) {
    if (content.size() < kHeaderBytes + kHashBytes) throw Error("it is too short");
    if (std::memcmp(content.data(), kMagic.data(), kMagic.size()) != 0) throw Error("it is of another kind or version");
    const std::uint64_t key_bytes = number_at(content, kMagic.size());
    const std::uint64_t value_bytes = number_at(content, kMagic.size() + sizeof(std::uint64_t));
    const std::size_t body = content.size() - kHeaderBytes - kHashBytes;
    if (key_bytes > body || value_bytes != body - key_bytes) throw Error("its length is wrong");
    const std::string hashed = content.substr(0, content.size() - kHashBytes);
    if (content.substr(hashed.size()) != hash_of(hashed)) throw Error("its hash is wrong");
    if (hashed.substr(kHeaderBytes, key_bytes) != key) throw Error("it is about something else");
    const auto bytes = std::as_bytes(std::span(hashed)).subspan(kHeaderBytes + key_bytes);
    return {bytes.begin(), bytes.end()};
}

std::string content_of(const fs::path& file) {
    std::error_code error;
    const std::uintmax_t bytes = fs::file_size(file, error);
    if (error) throw Error("{}", error.message());
    if (bytes > kMostBytes) throw Error("it is too large");
    std::ifstream stream(file, std::ios::binary);
    std::string content(static_cast<std::size_t>(bytes), '\0');
    stream.read(content.data(), static_cast<std::streamsize>(content.size()));
    if (!stream) throw Error("it cannot be read");
    return content;
}

}  // namespace

PlanStore::PlanStore(fs::path folder, Notice notice) : folder_(std::move(folder)), notice_(std::move(notice)) {}

fs::path PlanStore::file_of(const std::string& key) const {
    return folder_ / (hash_bytes(std::as_bytes(std::span(key))) + ".plan");
}

std::optional<std::vector<std::byte>> PlanStore::find(const std::string& key) {
    const fs::path file = file_of(key);
    std::error_code ignored;
    if (!fs::exists(file, ignored)) return {};
    try {
        return decoded(content_of(file), key);
    } catch (const Error& error) {
        fs::remove(file, ignored);
        notice_(fmt::format("plan cache: {} is not used and is made anew: {}", file.string(), error.what()));
        return {};
    }
}

bool PlanStore::write(const std::string& key, std::span<const std::byte> value) const {
    fs::create_directories(folder_);
    AtomicFile atomic(file_of(key));
    std::ofstream stream(atomic.temporary(), std::ios::binary | std::ios::trunc);
    stream << encoded(key, value);
    stream.close();
    if (!stream) throw Error("{}: cannot be written", atomic.temporary().string());
    return atomic.commit_unless_there();
}

std::vector<std::byte> PlanStore::keep(const std::string& key, std::span<const std::byte> value) {
    const std::vector<std::byte> own(value.begin(), value.end());
    // Twice: what is there may be damaged, which finding it removes.
    for (int attempt = 0; attempt < 2 && works_; ++attempt) {
        try {
            if (write(key, value)) return own;
        } catch (const std::exception& error) {
            works_ = false;
            notice_(fmt::format("plan cache: nothing is kept: {}", error.what()));
            return own;
        }
        if (auto standing = find(key)) return *standing;
    }
    return own;
}

}  // namespace lossmap::cuda
