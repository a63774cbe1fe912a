#include "backend/chunk_checks.hpp"

#include <limits>

#include "core/error.hpp"

namespace lossmap {

void check_call(std::span<const Point> points, std::size_t axes, std::size_t states, const SampleChunk& chunk,
                const std::vector<FieldInfo>& inputs, const FieldInfo* target) {
    for (const Point& point : points) {
        if (point.coordinates.size() != axes)
            throw InternalError("a point has {} coordinates, there are {} axes", point.coordinates.size(), axes);
        if (point.states.empty() || point.states.size() == states) continue;
        throw InternalError("a point has {} statistics, the network {}", point.states.size(), states);
    }
    const auto fits = [&](const Tensor& tensor, const FieldInfo& field, DType stored) {
        Shape shape{chunk.count};
        shape.insert(shape.end(), field.sample_shape.begin(), field.sample_shape.end());
        return tensor.dtype() == stored && tensor.shape() == shape;
    };
    const auto input_fits = [&](const SampleInput& input, const FieldInfo& field) {
        const std::int64_t channels = input.is_bytes() ? input.table->channels : 0;
        return channels == field.byte_channels && fits(input, field, field.is_bytes() ? DType::u8 : field.dtype);
    };
    bool good = chunk.count >= 0 && chunk.inputs.size() == inputs.size();
    for (std::size_t k = 0; good && k < inputs.size(); ++k)
        good = input_fits(chunk.inputs[k], inputs[k]);
    if (good && target != nullptr) good = fits(chunk.target, *target, target->dtype);
    if (!good) throw InternalError("a chunk of samples does not have the fields that the executable was made for");
}

void check_label(std::int64_t label, std::size_t classes, std::int64_t sample) {
    if (label < 0 || label >= static_cast<std::int64_t>(classes)) {
        throw InputError("sample {}: label {} is not one of the {} classes", sample, label, classes);
    }
}

void convert_tokens(const std::int64_t* from, std::int32_t* to, std::int64_t count) {
    for (std::int64_t k = 0; k < count; ++k) {
        if (from[k] < std::numeric_limits<std::int32_t>::min() || from[k] > std::numeric_limits<std::int32_t>::max()) {
            throw InputError("the data hold {}, the graph input is i32", from[k]);
        }
        to[k] = static_cast<std::int32_t>(from[k]);
    }
}

}  // namespace lossmap
