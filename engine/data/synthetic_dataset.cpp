#include "data/synthetic_dataset.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/gaussian_row.hpp"
#include "core/philox.hpp"
#include "data/selection.hpp"
#include "io/hash.hpp"

namespace lossmap {

namespace {

// Directions use the axes from 0 on: data drawn from the same seed must not be a direction's numbers.
constexpr std::uint32_t kDataAxis = 0xDA;
constexpr std::int64_t kSmallVocabulary = 16;
constexpr std::int64_t kFewestClasses = 2;

void require_known(const FieldInfo& field) {
    if (std::any_of(field.sample_shape.begin(), field.sample_shape.end(),
                    [](std::int64_t extent) { return extent < 0; })) {
        throw InputError("synthetic data need fixed extents, but the model's '{}' has the shape {}", field.name,
                         to_string(field.sample_shape));
    }
}

Tensor make(const FieldInfo& field, std::uint64_t seed, std::int64_t bound, std::int64_t first, std::int64_t count) {
    Shape shape = field.sample_shape;
    shape.insert(shape.begin(), count);
    Tensor tensor(field.dtype, std::move(shape));
    const std::uint64_t stream = name_hash(field.name);
    const auto offset = static_cast<std::uint64_t>(first * element_count(field.sample_shape));
    if (field.dtype == DType::i64) {
        const auto values = tensor.as<std::int64_t>();
        for (std::size_t i = 0; i < values.size(); ++i) {
            values[i] =
                static_cast<std::int64_t>(random_bits(seed, stream, offset + i) % static_cast<std::uint64_t>(bound));
        }
    } else {
        gaussian_row(seed, kDataAxis, stream, offset, tensor.as<float>());
    }
    return tensor;
}

}  // namespace

SyntheticDataset::SyntheticDataset(const DataSpec& spec, const DataExpectation& expectation)
    : seed_(spec.synthetic_seed),
      token_bound_(expectation.classes > 0 ? expectation.classes : kSmallVocabulary),
      class_bound_(expectation.classes > 0 ? expectation.classes : kFewestClasses),
      inputs_(expectation.inputs) {
    if (spec.synthetic_count < 1)
        throw InputError("synthetic data: the count is {}, expected at least 1", spec.synthetic_count);
    if (inputs_.empty()) throw InputError("the model has no inputs that data could feed");
    if (!spec.mean.empty() || !spec.std.empty())
        throw InputError("synthetic data are standard normal: normalize has no place");
    const SubsetSpec subset = spec.subset.value_or(SubsetSpec{});
    // All samples are drawn alike: a stratified subset has nothing to keep the proportions of.
    if (subset.stratified) throw InputError("synthetic data: a stratified subset is not supported");
    const Selection selection = select_in_order(subset, spec.synthetic_count, "synthetic data");
    start_ = subset.start;
    count_ = selection.size();
    target_ = {"target", expectation.integer_targets ? DType::i64 : DType::f32,
               expectation.needs_target ? expectation.synthetic_target_shape.value_or(Shape{}) : Shape{0}};
    for (const FieldInfo& input : inputs_)
        require_known(input);
    require_known(target_);
}

SampleChunk SyntheticDataset::read(std::int64_t first, std::int64_t count) const {
    if (first < 0 || count < 0 || count > count_ - first) {
        throw InternalError("samples {} to {} of {} asked for", first, first + count, count_);
    }
    SampleChunk chunk;
    chunk.first = first;
    chunk.count = count;
    for (const FieldInfo& input : inputs_)
        chunk.inputs.push_back(make(input, seed_, token_bound_, start_ + first, count));
    chunk.target = make(target_, seed_, class_bound_, start_ + first, count);
    chunk.identity = new_identity();
    return chunk;
}

std::string SyntheticDataset::content_hash() const {
    Hasher hasher;
    hasher.add_text("synthetic 1")
        .add_integer(static_cast<std::int64_t>(seed_))
        .add_integer(start_)
        .add_integer(count_);
    hasher.add_integer(token_bound_).add_integer(class_bound_);
    std::vector<FieldInfo> fields = inputs_;
    fields.push_back(target_);
    for (const FieldInfo& field : fields) {
        hasher.add_text(field.name).add_text(name_of(field.dtype)).add_text(lossmap::to_string(field.sample_shape));
    }
    return hasher.hex();
}

std::string SyntheticDataset::describe() const {
    return fmt::format("{} samples of {}, synthetic data of seed {}", count_,
                       lossmap::to_string(inputs_.front().sample_shape), seed_);
}

}  // namespace lossmap
