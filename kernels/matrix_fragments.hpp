#pragma once

#include "core/host_device.hpp"

/// Which element of a matrix which lane holds, for `mma.sync.m16n8k16` on f16 with f32 sums and for `ldmatrix` (PTX
/// ISA, "Matrix fragments for mma.m16n8k16" and "ldmatrix"). A register holds two f16, `half` 0 in the low bits.
namespace lossmap::kernels {

struct MatrixPlace {
    int row;
    int column;
};

/// A [16, 16], 4 registers a lane.
LOSSMAP_HD constexpr MatrixPlace a_place(int lane, int index, int half) {
    return {lane / 4 + index % 2 * 8, lane % 4 * 2 + half + index / 2 * 8};
}
/// B [16, 8], 2 registers a lane.
LOSSMAP_HD constexpr MatrixPlace b_place(int lane, int index, int half) {
    return {lane % 4 * 2 + half + index * 8, lane / 4};
}
/// Sums [16, 8], 4 floats a lane.
LOSSMAP_HD constexpr MatrixPlace sum_place(int lane, int index) {
    return {lane / 4 + index / 2 * 8, lane % 4 * 2 + index % 2};
}
/// `ldmatrix.x4`: lane `lane` gives the address of this row of this one of four [8, 8] matrices, 16 bytes a row ..
LOSSMAP_HD constexpr int row_matrix(int lane) { return lane / 8; }
LOSSMAP_HD constexpr int row_in_matrix(int lane) { return lane % 8; }
/// .. and receives in register k these elements of matrix k.
LOSSMAP_HD constexpr MatrixPlace loaded_place(int lane, int half) { return {lane / 4, lane % 4 * 2 + half}; }

}  // namespace lossmap::kernels
