#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/shape.hpp"
#include "io/array_bytes.hpp"

namespace lossmap {

/// One undecoded array with samples first, possibly spread over several files: row i is what the files hold of sample
/// i. Rows are contiguous bytes; the distance between rows may be larger (records that hold a label and an image).
class RowSource {
public:
    RowSource(DType dtype, Shape row_shape) : dtype_(dtype), row_shape_(std::move(row_shape)) {}

    /// All of an array whose first dimension counts the samples. Throws InputError when it has no dimension.
    [[nodiscard]] static RowSource from_array(const ArrayBytes& array);

    /// Appends rows: row r is at byte `offset + r * stride` of the array. Throws InternalError when they do not lie in
    /// it.
    void append(const ArrayBytes& array, std::int64_t rows, std::size_t offset_bytes, std::size_t stride_bytes);
    /// Appends the rows of another source. Throws InputError, naming both files, when type or row shape differ.
    void append(const RowSource& other);

    [[nodiscard]] DType dtype() const { return dtype_; }
    [[nodiscard]] const Shape& row_shape() const { return row_shape_; }
    [[nodiscard]] std::int64_t rows() const { return rows_; }
    [[nodiscard]] std::size_t row_bytes() const;
    /// The file (and array) it begins with, for messages.
    [[nodiscard]] const std::string& source() const { return source_; }
    /// "<file>: record 17", counted from 0 in that file.
    [[nodiscard]] std::string where(std::int64_t row) const;

    /// A row's bytes together with its place in the request.
    using Visitor = std::function<void(std::int64_t position, std::span<const std::byte> row)>;
    /// Calls `visitor` for rows first .. first + count - 1 in order with positions from `position` on. Memory of mapped
    /// files is given back behind it. Safe to call from several threads.
    void visit(std::int64_t first, std::int64_t count, std::int64_t position, const Visitor& visitor) const;

    /// `visit` over all rows, in steps of a few megabytes so that little of a mapped file is in memory at a time.
    void visit_all(const Visitor& visitor) const;

private:
    struct Segment {
        ArrayBytes array;
        std::int64_t first = 0;
        std::int64_t rows = 0;
        std::size_t offset_bytes = 0;
        std::size_t stride_bytes = 0;
    };

    DType dtype_;
    Shape row_shape_;
    std::int64_t rows_ = 0;
    std::string source_;
    std::vector<Segment> segments_;
};

}  // namespace lossmap
