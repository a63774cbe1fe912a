#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "cuda/backend/device.hpp"
#include "cuda/backend/located.hpp"
#include "cuda/backend/resident_theta.hpp"

namespace lossmap::cuda {

/// Sets of weights that exist side by side: one is in use while the next one is computed.
inline constexpr std::size_t kThetaSets = 2;

/// Where operations run: a queue, and the arena of each phase.
struct Frame {
    Queue* queue = nullptr;
    std::array<std::byte*, kPhases> arenas{};
    const std::array<std::vector<std::size_t>, kPhases>* offsets = nullptr;  ///< of each block in its arena
    std::size_t theta_set = 0;                                               ///< whose arena arenas[theta] is
    const ResidentTheta* theta = nullptr;                                    ///< origin and axes

    [[nodiscard]] std::byte* address(const Place& place, std::size_t offset_bytes = 0) const {
        const auto phase = static_cast<std::size_t>(place.phase);
        return arenas[phase] + (*offsets)[phase][place.block] + offset_bytes;
    }
    [[nodiscard]] std::byte* address(const Located& array) const { return address(array.place, array.begin_bytes()); }
};

/// Copies bytes into a block of the constant phase; returns when done.
using Upload = std::function<void(const Place& place, std::span<const std::byte> bytes)>;

/// One step of a program. Immutable once the program is built.
class Operation {
public:
    Operation() = default;
    virtual ~Operation() = default;
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

    /// Uploads what depends on addresses; called once for each set of weights, before anything is queued.
    virtual void prepare(const Frame& frame, const Upload& upload) const {
        static_cast<void>(frame);
        static_cast<void>(upload);
    }
    virtual void queue(const Frame& frame) const = 0;
    /// Blocks that it reads and writes.
    [[nodiscard]] virtual std::vector<Place> places() const = 0;
    /// What computes it, for the recorded plan: "cudnn engine 42", "kernel unary".
    [[nodiscard]] virtual std::string implementation() const = 0;
};

}  // namespace lossmap::cuda
