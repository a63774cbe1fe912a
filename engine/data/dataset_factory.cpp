#include "data/dataset_factory.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "data/array_dataset.hpp"
#include "data/shape_fit.hpp"
#include "data/split_files.hpp"
#include "data/synthetic_dataset.hpp"

namespace lossmap {

namespace {

std::int64_t channels_of(const Shape& sample_shape) { return sample_shape.empty() ? 1 : sample_shape.front(); }

void require_sound_normalization(const DataSpec& spec) {
    if (spec.mean.size() != spec.std.size()) {
        throw InputError("normalize has {} values of mean and {} of std, expected equally many", spec.mean.size(),
                         spec.std.size());
    }
    const auto finite = [](float value) { return std::isfinite(value); };
    const bool sound =
        std::all_of(spec.mean.begin(), spec.mean.end(), finite) &&
        std::all_of(spec.std.begin(), spec.std.end(), [](float value) { return std::isfinite(value) && value > 0; });
    if (!sound) throw InputError("normalize needs finite values of mean and positive ones of std");
}

InputDecoder make_decoder(const DataSpec& spec, const RowSource& rows) {
    const std::int64_t channels = channels_of(rows.row_shape());
    if (!spec.mean.empty() && static_cast<std::int64_t>(spec.mean.size()) != channels) {
        throw InputError("{}: samples of shape {} have {} channels, but normalize has {} values", rows.source(),
                         to_string(rows.row_shape()), channels, spec.mean.size());
    }
    return {rows.dtype(), spec.mean, spec.std};
}

/// @param bytes  whether chunks may hold them
ArrayField make_input(const DataSpec& spec, const FieldInfo& expected, RowSource rows, bool bytes) {
    const std::optional<Shape> shape = fit_shape(rows.row_shape(), expected.sample_shape);
    if (!shape) {
        throw InputError("{}: samples have the shape {}, but the model's input '{}' expects {}", rows.source(),
                         to_string(rows.row_shape()), expected.name, to_string(expected.sample_shape));
    }
    FieldInfo info{expected.name, expected.dtype, *shape, 0};
    if (expected.dtype == DType::i64) {
        if (!is_integer(rows.dtype())) {
            throw InputError("{}: holds {}, but the model's input '{}' expects integers", rows.source(),
                             name_of(rows.dtype()), expected.name);
        }
        return {std::move(info), std::move(rows), std::nullopt};
    }
    if (expected.dtype != DType::f32) {
        throw UnsupportedError("the model's input '{}' is of type {}, data can only be f32 or i64", expected.name,
                               name_of(expected.dtype));
    }
    if (!InputDecoder::accepts(rows.dtype())) {
        throw InputError("{}: holds {}, but the model's input '{}' expects bytes (scaled to 0..1) or floating point",
                         rows.source(), name_of(rows.dtype()), expected.name);
    }
    InputDecoder decoder = make_decoder(spec, rows);
    if (bytes && decoder.table() != nullptr) info.byte_channels = decoder.table()->channels;
    return {std::move(info), std::move(rows), std::move(decoder)};
}

/// Looks at every label of the split; returns them when `keep`, one a sample.
std::vector<std::int64_t> check_labels(const RowSource& rows, const DataExpectation& expectation, bool keep) {
    const auto elements = static_cast<std::size_t>(element_count(rows.row_shape()));
    std::vector<std::int64_t> labels(elements);
    std::vector<std::int64_t> kept;
    rows.visit_all([&](std::int64_t row, std::span<const std::byte> bytes) {
        decode_integers(rows.dtype(), bytes, labels, rows.source());
        for (const std::int64_t label : labels) {
            const bool in_range = expectation.classes < 0 || (label >= 0 && label < expectation.classes);
            if (!in_range && label != expectation.ignore_index) {
                throw InputError("{} has the label {}, but the model has {} classes (labels 0 to {})", rows.where(row),
                                 label, expectation.classes, expectation.classes - 1);
            }
        }
        if (keep) kept.insert(kept.end(), labels.begin(), labels.end());
    });
    return kept;
}

ArrayField make_target(const RowSource& rows, const DataExpectation& expectation) {
    if (expectation.integer_targets && !is_integer(rows.dtype())) {
        throw InputError("{}: holds {}, but the loss expects integer class labels", rows.source(),
                         name_of(rows.dtype()));
    }
    return {{"target", expectation.integer_targets ? DType::i64 : DType::f32, rows.row_shape(), 0}, rows, std::nullopt};
}

/// Class labels, one a sample, for drawing by class.
std::vector<std::int64_t> labels_for_drawing(const OpenedSplit& split, const DataExpectation& expectation) {
    if (!split.target || !expectation.integer_targets || element_count(split.target->row_shape()) != 1) {
        throw InputError("{}: a stratified subset needs one class label a sample", split.inputs.front().source());
    }
    return check_labels(*split.target, expectation, true);
}

Selection select(const DataSpec& spec, const OpenedSplit& split, const DataExpectation& expectation) {
    const SubsetSpec subset = spec.subset.value_or(SubsetSpec{});
    const std::string source = split.inputs.front().source();
    if (subset.stratified) return select_stratified(subset, labels_for_drawing(split, expectation), source);
    if (split.target && expectation.integer_targets) check_labels(*split.target, expectation, false);
    return select_in_order(subset, split.inputs.front().rows(), source);
}

}  // namespace

std::unique_ptr<Dataset> open_dataset(const DataSpec& spec, const DataExpectation& expectation) {
    require_sound_normalization(spec);
    if (spec.format == DataFormat::synthetic) return std::make_unique<SyntheticDataset>(spec, expectation);
    OpenedSplit split = open_split(spec, expectation);
    std::vector<ArrayField> inputs;
    for (std::size_t i = 0; i < split.inputs.size(); ++i) {
        inputs.push_back(make_input(spec, expectation.inputs[i], split.inputs[i], expectation.bytes));
    }
    const bool normalizes =
        std::any_of(inputs.begin(), inputs.end(), [](const ArrayField& input) { return input.decoder.has_value(); });
    if (!spec.mean.empty() && !normalizes)
        throw InputError("normalize is given, but all inputs of the model are integers");
    std::optional<ArrayField> target;
    if (split.target) target = make_target(*split.target, expectation);
    Selection selection = select(spec, split, expectation);
    return std::make_unique<ArrayDataset>(std::move(inputs), std::move(target), std::move(selection),
                                          std::move(split.description));
}

}  // namespace lossmap
