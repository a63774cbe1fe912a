#include "data/array_dataset.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "io/hash.hpp"

namespace lossmap {

namespace {

/// Writes one row, decoded unless the tensor holds bytes, to its place in the tensor.
void decode_row(const ArrayField& field, std::span<const std::byte> row, std::int64_t position, Tensor& tensor) {
    const auto size = static_cast<std::size_t>(element_count(field.info.sample_shape));
    const std::size_t offset = static_cast<std::size_t>(position) * size;
    if (field.info.is_bytes()) {
        if (size > 0) std::memcpy(static_cast<std::byte*>(tensor.data()) + offset, row.data(), size);
        return;
    }
    if (field.info.dtype == DType::i64) {
        const std::span<std::int64_t> values(static_cast<std::int64_t*>(tensor.data()) + offset, size);
        decode_integers(field.rows.dtype(), row, values, field.rows.source());
        return;
    }
    const std::span<float> values(static_cast<float*>(tensor.data()) + offset, size);
    if (field.decoder) {
        field.decoder->decode(row, values);
    } else {
        decode_numbers(field.rows.dtype(), row, values);
    }
}

void add_floats(Hasher& hasher, const std::vector<float>& values) {
    hasher.add_integer(static_cast<std::int64_t>(values.size()));
    hasher.update(std::as_bytes(std::span(values)));
}

void add_field(Hasher& hasher, const ArrayField& field, const Selection& selection) {
    hasher.add_text(field.info.name).add_text(name_of(field.info.dtype)).add_text(name_of(field.rows.dtype()));
    hasher.add_integer(static_cast<std::int64_t>(field.info.sample_shape.size()));
    for (const std::int64_t extent : field.info.sample_shape)
        hasher.add_integer(extent);
    if (field.decoder) {
        add_floats(hasher, field.decoder->mean());
        add_floats(hasher, field.decoder->std());
    }
    constexpr std::int64_t kStep = 4096;
    for (std::int64_t first = 0; first < selection.size(); first += kStep) {
        selection.for_each_run(first, std::min(kStep, selection.size() - first),
                               [&](std::int64_t row, std::int64_t count, std::int64_t position) {
                                   field.rows.visit(
                                       row, count, position,
                                       [&](std::int64_t, std::span<const std::byte> bytes) { hasher.update(bytes); });
                               });
    }
}

}  // namespace

ArrayDataset::ArrayDataset(std::vector<ArrayField> inputs, std::optional<ArrayField> target, Selection selection,
                           std::string description)
    : inputs_(std::move(inputs)),
      target_(std::move(target)),
      selection_(std::move(selection)),
      description_(std::move(description)) {
    for (const ArrayField& input : inputs_)
        input_infos_.push_back(input.info);
    target_info_ = target_ ? target_->info : FieldInfo{"target", DType::f32, {0}};
}

Tensor ArrayDataset::read_field(const ArrayField& field, std::int64_t first, std::int64_t count) const {
    Shape shape = field.info.sample_shape;
    shape.insert(shape.begin(), count);
    Tensor tensor(field.info.is_bytes() ? DType::u8 : field.info.dtype, std::move(shape));
    selection_.for_each_run(first, count, [&](std::int64_t row, std::int64_t rows, std::int64_t position) {
        field.rows.visit(row, rows, position, [&](std::int64_t place, std::span<const std::byte> bytes) {
            decode_row(field, bytes, place, tensor);
        });
    });
    return tensor;
}

SampleChunk ArrayDataset::read(std::int64_t first, std::int64_t count) const {
    if (first < 0 || count < 0 || count > size() - first) {
        throw InternalError("samples {} to {} of {} asked for", first, first + count, size());
    }
    SampleChunk chunk;
    chunk.first = first;
    chunk.count = count;
    for (const ArrayField& input : inputs_) {
        const bool is_bytes = input.info.is_bytes();
        chunk.inputs.push_back({read_field(input, first, count), is_bytes ? input.decoder->table() : nullptr});
    }
    chunk.target = target_ ? read_field(*target_, first, count) : Tensor(target_info_.dtype, {count, 0});
    chunk.identity = new_identity();
    return chunk;
}

std::string ArrayDataset::content_hash() const {
    std::call_once(hashed_, [&] {
        Hasher hasher;
        hasher.add_text("arrays 1").add_integer(size()).add_integer(static_cast<std::int64_t>(inputs_.size()));
        for (const ArrayField& input : inputs_)
            add_field(hasher, input, selection_);
        if (target_) add_field(hasher, *target_, selection_);
        hash_ = hasher.hex();
    });
    return hash_;
}

std::string ArrayDataset::describe() const {
    std::string shapes;
    for (const FieldInfo& input : input_infos_) {
        shapes += (shapes.empty() ? "" : ", ") + lossmap::to_string(input.sample_shape);
    }
    return fmt::format("{} samples of {}, {}", size(), shapes, description_);
}

}  // namespace lossmap
