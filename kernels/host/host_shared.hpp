#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/operand.hpp"

namespace lossmap::kernels {

/// A block's shared memory on the host, by byte offsets; one outside it, or off its alignment, throws InternalError.
class HostShared {
public:
    HostShared(std::byte* shared, int shared_bytes) : shared_(shared), shared_bytes_(shared_bytes) {}

    [[nodiscard]] std::uint32_t load(int offset) const {
        std::uint32_t value;
        std::memcpy(&value, at(offset, 4), 4);
        return value;
    }
    void store(int offset, std::uint32_t value) { std::memcpy(at(offset, 4), &value, 4); }
    void store_pack(int offset, const std::uint32_t (&words)[4]) { std::memcpy(at(offset, 16), words, 16); }
    void load_pack(std::uint32_t (&words)[4], int offset) const { std::memcpy(words, at(offset, 16), 16); }
    /// 16 bytes of zeros.
    void clear_pack(int offset) { std::memset(at(offset, 16), 0, 16); }
    /// Copies 16 bytes to global memory.
    void copy_out(void* target, int offset) const { std::memcpy(target, at(offset, 16), 16); }

protected:
    [[nodiscard]] std::byte* at(int offset, int bytes) const {
        check(offset, bytes);
        return shared_ + offset;
    }
    void check(int offset, int bytes) const {
        if (offset < 0 || offset + bytes > shared_bytes_ || offset % bytes != 0)
            refuse("shared memory", "offset", offset);
    }
    /// 16 bytes of global memory, or of zeros where they are not `real`.
    void take(int offset, const void* source, bool real) {
        if (real)
            std::memcpy(at(offset, 16), source, 16);
        else
            clear_pack(offset);
    }

private:
    std::byte* shared_;
    int shared_bytes_;
};

}  // namespace lossmap::kernels
