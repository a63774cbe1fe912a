#include "backend/communicator.hpp"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <type_traits>

#include "core/error.hpp"

namespace lossmap {

void broadcast_weights(Communicator& communicator, std::span<float> weights) {
    communicator.broadcast(std::as_writable_bytes(weights), 0);
}

std::vector<LossSums> sum_units(Communicator& communicator, std::span<const UnitSums> own, std::int64_t points) {
    static_assert(std::is_trivially_copyable_v<UnitSums>);
    std::vector<UnitSums> units;
    for (const std::vector<std::byte>& bytes : communicator.gather(std::as_bytes(own))) {
        const std::size_t before = units.size();
        units.resize(before + bytes.size() / sizeof(UnitSums));
        std::memcpy(units.data() + before, bytes.data(), bytes.size());
    }
    const auto key = [](const UnitSums& unit) { return std::tuple(unit.point, unit.chunk); };
    std::sort(units.begin(), units.end(), [&](const UnitSums& a, const UnitSums& b) { return key(a) < key(b); });
    std::vector<LossSums> totals(static_cast<std::size_t>(points));
    for (std::size_t k = 0; k < units.size(); ++k) {
        const UnitSums& unit = units[k];
        if (unit.point < 0 || unit.point >= points) throw InternalError("point {} of {}", unit.point, points);
        if (k > 0 && key(units[k - 1]) == key(unit))
            throw InternalError("chunk {} of point {} was computed twice", unit.chunk, unit.point);
        totals[static_cast<std::size_t>(unit.point)] += unit.sums;
    }
    return totals;
}

void gather_rows(Communicator& communicator, SquareMatrix& matrix) {
    const auto size = static_cast<std::size_t>(communicator.size());
    const auto row_of = [&](std::size_t row) {
        return std::span(matrix.values).subspan(row * matrix.size, matrix.size);
    };
    std::vector<double> own;
    for (std::size_t row = static_cast<std::size_t>(communicator.rank()); row < matrix.size; row += size)
        own.insert(own.end(), row_of(row).begin(), row_of(row).end());
    const auto pieces = communicator.gather(std::as_bytes(std::span(own)));
    for (std::size_t row = 0; row < matrix.size; ++row) {
        const std::vector<std::byte>& piece = pieces[row % size];
        const std::size_t bytes = matrix.size * sizeof(double);
        if (piece.size() < (row / size + 1) * bytes) throw InternalError("matrices of ranks differ in size");
        std::memcpy(row_of(row).data(), piece.data() + row / size * bytes, bytes);
    }
}

}  // namespace lossmap
