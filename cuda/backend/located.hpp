#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/dtype.hpp"
#include "core/shape.hpp"

namespace lossmap::cuda {

/// How often something is computed; also the arena in which it lies.
enum class Phase : std::uint8_t {
    constant,  ///< once, when the program is made
    theta,     ///< once a block of points
    tile,      ///< once a block of points and tile of samples
};
inline constexpr std::size_t kPhases = 3;

/// A block of the memory plan.
struct Place {
    Phase phase = Phase::tile;
    std::size_t block = 0;

    friend bool operator==(const Place&, const Place&) = default;
};

/// A tensor of the parameter vector as the origin and the axes hold it, not yet perturbed.
struct PristineTheta {
    bool states = false;      ///< in the segment of running statistics, not in that of weights
    std::int64_t offset = 0;  ///< first element in the segment
};

/// An array as it lies in memory: one for all points, or one a point.
struct Located {
    Place place;
    std::optional<PristineTheta> pristine;  ///< it lies nowhere yet; strides and offset count from there
    std::int64_t offset = 0;                ///< in elements, from the start of the block
    DType type = DType::f32;                ///< as stored
    Shape shape;                            ///< of one point
    Shape strides;                          ///< in elements
    std::int64_t point_stride = 0;          ///< in elements; 0: the same for all points

    [[nodiscard]] bool per_point() const { return point_stride != 0 || pristine.has_value(); }
    /// Row-major, nothing in between.
    [[nodiscard]] bool is_dense() const;
    /// Some order of the dimensions is dense.
    [[nodiscard]] bool is_compact() const;
    /// [N, C, ..] stored as [N, .., C], with `channels` (>= C) from one pixel to the next.
    [[nodiscard]] bool is_channels_last(std::int64_t channels) const;
    /// The same with zeros behind the C channels, up to `channels`, which strides alone do not say: those of dimensions
    /// of 1 mean nothing.
    /// @param block_bytes  of the whole block
    [[nodiscard]] bool is_padded(std::int64_t channels, std::size_t block_bytes) const;
    /// First byte from the start of the block, and bytes from there to the end of the last element, for `points`.
    [[nodiscard]] std::size_t begin_bytes() const;
    [[nodiscard]] std::size_t span_bytes(std::int64_t points) const;
    /// Bytes, at most kLibraryAlignment, that the address of every point's array is a multiple of.
    [[nodiscard]] std::int64_t alignment() const;
};

/// Whether the first dimension of an activation surely counts the samples of a tile, and a sample lies in front of the
/// next one. Some dimension counts samples, alone or joined with others, and has a multiple of their number: the first
/// one does where it has that number and no other dimension has a multiple of it.
[[nodiscard]] bool has_samples_outermost(const Located& array, std::int64_t tile_samples);

/// What libraries read at once: with less they have slower ways, or none. Blocks start at larger multiples.
inline constexpr std::size_t kLibraryAlignment = 16;

/// The largest power of two that divides the bytes, at most kLibraryAlignment.
[[nodiscard]] std::int64_t alignment_of(std::int64_t bytes);

/// Strides of [N, C, ..] stored as [N, .., C].
[[nodiscard]] Shape channels_last_strides(const Shape& shape, std::int64_t channels);

/// Whether two sets of strides visit the same places: those of dimensions of 1 do not matter.
[[nodiscard]] bool same_strides(const Shape& shape, const Shape& a, const Shape& b);

/// Strides under which an array of `shape` and `strides` reads as `other` without moving; nullopt when it has to be
/// copied (NumPy's rule for reshape).
[[nodiscard]] std::optional<Shape> reshaped_strides(const Shape& shape, const Shape& strides, const Shape& other);

/// Strides that repeat an array of `shape` over `wide` (NumPy's broadcasting).
[[nodiscard]] Shape broadcast_strides(const Shape& shape, const Shape& strides, const Shape& wide);

}  // namespace lossmap::cuda
