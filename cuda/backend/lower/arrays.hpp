#pragma once

#include <cstdint>

#include "cuda/backend/program_builder.hpp"

/// Single kernels over arrays that are no values of the graph, for lowerings that need several of them.
namespace lossmap::cuda {

/// Where a sequence of kernels goes.
struct Sequence {
    ProgramBuilder& builder;
    Phase phase = Phase::tile;
    std::int64_t points = 1;
    bool per_point = false;  ///< of temporaries

    Sequence(ProgramBuilder& builder_in, ValueId result)
        : builder(builder_in),
          phase(builder_in.phase_of(result)),
          points(builder_in.points_of(result)),
          per_point(builder_in.per_point(result)) {}

    /// out = op(a, b), operands broadcast; `out` dense.
    void binary(kernels::BinaryOp op, const Located& a, const Located& b, const Located& out) const;
    /// Moves elements of one type through strides.
    void copy(const Located& from, const Located& to) const;
    /// Floating-point or integer conversion, dense.
    void cast(const Located& from, const Located& to) const;
    /// All elements become one number.
    void fill(const Located& array, double value) const;
    /// Along the last dimension of a dense array.
    void softmax(const Located& in, const Located& out) const;
    /// out = the largest element along the last dimension.
    void largest(const Located& in, const Located& out) const;
    /// out = condition ? a : b, broadcast; `out` dense.
    void select(const Located& condition, const Located& a, const Located& b, const Located& out) const;
    [[nodiscard]] Located temporary(DType type, const Shape& shape) const {
        return builder.temporary(phase, type, shape, per_point);
    }
};

/// A constant scalar of the type of activations' arithmetic.
[[nodiscard]] Located scalar(ProgramBuilder& builder, float value);

/// The array without its first `begin` elements along an axis, `extent` of them.
[[nodiscard]] Located sliced(const Located& array, std::size_t axis, std::int64_t begin, std::int64_t extent);
/// The array without a dimension, at one position of it.
[[nodiscard]] Located picked(const Located& array, std::size_t axis, std::int64_t position);

}  // namespace lossmap::cuda
