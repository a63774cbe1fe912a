#include "data/row_source.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lossmap {

RowSource RowSource::from_array(const ArrayBytes& array) {
    if (array.shape.empty())
        throw InputError("{}: is a single number, expected an array with samples first", array.source);
    RowSource source(array.dtype, Shape(array.shape.begin() + 1, array.shape.end()));
    source.append(array, array.shape.front(), 0, source.row_bytes());
    return source;
}

std::size_t RowSource::row_bytes() const {
    return static_cast<std::size_t>(element_count(row_shape_)) * size_of(dtype_);
}

void RowSource::append(const ArrayBytes& array, std::int64_t rows, std::size_t offset_bytes, std::size_t stride_bytes) {
    if (rows > 0) {
        const std::size_t end = offset_bytes + static_cast<std::size_t>(rows - 1) * stride_bytes + row_bytes();
        if (end > array.bytes.size()) throw InternalError("{}: rows beyond the end of the array", array.source);
    }
    if (segments_.empty()) source_ = array.source;
    segments_.push_back({array, rows_, rows, offset_bytes, stride_bytes});
    rows_ += rows;
}

void RowSource::append(const RowSource& other) {
    if (other.dtype_ != dtype_ || other.row_shape_ != row_shape_) {
        throw InputError("{}: holds {} samples of shape {}, expected {} of shape {} as in {}", other.source(),
                         name_of(other.dtype_), to_string(other.row_shape_), name_of(dtype_), to_string(row_shape_),
                         source());
    }
    for (const Segment& segment : other.segments_) {
        append(segment.array, segment.rows, segment.offset_bytes, segment.stride_bytes);
    }
}

std::string RowSource::where(std::int64_t row) const {
    const auto after = std::find_if(segments_.begin(), segments_.end(),
                                    [&](const Segment& segment) { return row < segment.first + segment.rows; });
    if (after == segments_.end()) throw InternalError("{}: no record {}", source(), row);
    return fmt::format("{}: record {}", after->array.source, row - after->first);
}

void RowSource::visit(std::int64_t first, std::int64_t count, std::int64_t position, const Visitor& visitor) const {
    if (first < 0 || count < 0 || count > rows_ - first) {
        throw InternalError("{}: rows {} to {} of {} asked for", source(), first, first + count, rows_);
    }
    const std::size_t size = row_bytes();
    for (const Segment& segment : segments_) {
        const std::int64_t begin = std::max(first, segment.first) - segment.first;
        const std::int64_t end = std::min(first + count, segment.first + segment.rows) - segment.first;
        if (begin >= end) continue;
        const auto offset_of = [&](std::int64_t row) {
            return segment.offset_bytes + static_cast<std::size_t>(row) * segment.stride_bytes;
        };
        for (std::int64_t row = begin; row < end; ++row) {
            visitor(position + segment.first + row - first, segment.array.bytes.subspan(offset_of(row), size));
        }
        const std::size_t last = offset_of(end - 1) + size;
        segment.array.release(segment.array.bytes.subspan(offset_of(begin), last - offset_of(begin)));
    }
}

void RowSource::visit_all(const Visitor& visitor) const {
    constexpr std::int64_t kStepBytes = std::int64_t{4} << 20;
    const auto stride = segments_.empty() ? std::size_t{1} : std::max<std::size_t>(1, segments_.front().stride_bytes);
    const std::int64_t step = std::max<std::int64_t>(1, kStepBytes / static_cast<std::int64_t>(stride));
    for (std::int64_t first = 0; first < rows_; first += step) {
        visit(first, std::min(step, rows_ - first), first, visitor);
    }
}

}  // namespace lossmap
