#include "io/hash.hpp"

#include <algorithm>
#include <array>
#include <new>

#include <fmt/format.h>
#include <xxhash.h>

#include "io/mapped_file.hpp"

namespace lossmap {

namespace {

std::string to_hex(XXH128_hash_t hash) { return fmt::format("{:016x}{:016x}", hash.high64, hash.low64); }

}  // namespace

struct Hasher::State {
    State() : xxh(XXH3_createState()) {
        if (xxh == nullptr) throw std::bad_alloc();
        XXH3_128bits_reset(xxh);
    }
    ~State() { XXH3_freeState(xxh); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    XXH3_state_t* xxh;
};

Hasher::Hasher() : state_(std::make_unique<State>()) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&& other) noexcept = default;
Hasher& Hasher::operator=(Hasher&& other) noexcept = default;

Hasher& Hasher::update(std::span<const std::byte> bytes) {
    if (!bytes.empty()) XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size());
    return *this;
}

Hasher& Hasher::add_text(std::string_view text) {
    add_integer(static_cast<std::int64_t>(text.size()));
    return update(std::as_bytes(std::span(text)));
}

Hasher& Hasher::add_integer(std::int64_t value) {
    std::array<std::byte, 8> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
    }
    return update(bytes);
}

std::string Hasher::hex() const { return to_hex(XXH3_128bits_digest(state_->xxh)); }

std::string hash_bytes(std::span<const std::byte> bytes) { return to_hex(XXH3_128bits(bytes.data(), bytes.size())); }

std::string hash_file(const std::filesystem::path& file) {
    const MappedFile mapped(file);
    Hasher hasher;
    constexpr std::size_t kStep = std::size_t{16} << 20;
    for (std::size_t offset = 0; offset < mapped.size_bytes(); offset += kStep) {
        const auto part = mapped.bytes().subspan(offset, std::min(kStep, mapped.size_bytes() - offset));
        hasher.update(part);
        mapped.release(part);
    }
    return hasher.hex();
}

}  // namespace lossmap
