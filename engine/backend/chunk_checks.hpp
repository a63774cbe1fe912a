#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.hpp"

namespace lossmap {

/// Throws InternalError unless every point has a coordinate an axis, and no statistics or `states` of them, and the
/// chunk has the fields that an executable was made for.
/// @param target  nullptr: it is not read
void check_call(std::span<const Point> points, std::size_t axes, std::size_t states, const SampleChunk& chunk,
                const std::vector<FieldInfo>& inputs, const FieldInfo* target);

/// Throws InputError naming the sample when a label is no class.
/// @param sample  its number in the data set
void check_label(std::int64_t label, std::size_t classes, std::int64_t sample);

/// Converts tokens of the data set to a graph input of i32. Throws InputError for a number that does not fit.
void convert_tokens(const std::int64_t* from, std::int32_t* to, std::int64_t count);

}  // namespace lossmap
