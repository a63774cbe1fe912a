#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.hpp"
#include "backend/linear_algebra.hpp"

namespace lossmap {

/// Ranks that compute one run together. Every rank makes the same calls in the same order; a call returns when its
/// result is there. Not thread-safe.
class Communicator {
public:
    virtual ~Communicator() = default;
    Communicator() = default;
    Communicator(const Communicator&) = delete;
    Communicator& operator=(const Communicator&) = delete;

    /// 0 .. size() - 1
    [[nodiscard]] virtual int rank() const = 0;
    [[nodiscard]] virtual int size() const = 0;
    /// The bytes of rank `root` take the place of everybody's; all bring as many.
    virtual void broadcast(std::span<std::byte> bytes, int root) = 0;
    /// The bytes of every rank, in the order of ranks, on every rank; each may bring another number, none included.
    [[nodiscard]] virtual std::vector<std::vector<std::byte>> gather(std::span<const std::byte> own) = 0;
};

/// Rank 0's weights on every rank: directions are made once.
void broadcast_weights(Communicator& communicator, std::span<float> weights);

/// Sums of one unit of work.
struct UnitSums {
    std::int64_t point = 0;
    std::int64_t chunk = 0;
    LossSums sums;
};

/// The total at each of `points` points, on every rank: units of all ranks, added in the order of chunks at each point,
/// so that the bits do not depend on which rank computed what, nor on how many there are. Throws InternalError when a
/// unit came twice or belongs to no point.
[[nodiscard]] std::vector<LossSums> sum_units(Communicator& communicator, std::span<const UnitSums> own,
                                              std::int64_t points);

/// Row r of the matrix as rank r % size() has it, on every rank. Rows are pieces of a Gram matrix that each rank summed
/// over all elements, in the one order there is: sums over parts of the elements would depend on how many ranks there
/// are.
void gather_rows(Communicator& communicator, SquareMatrix& matrix);

}  // namespace lossmap
