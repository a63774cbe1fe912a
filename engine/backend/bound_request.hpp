#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend/backend.hpp"
#include "graph/graph.hpp"

namespace lossmap {

/// A request that fits together: the graph made concrete for one tile, its inputs bound to the data set's fields, the
/// value that the loss reads.
struct BoundRequest {
    Graph graph;  ///< specialised: batch is tile_samples
    std::int64_t tile_samples = 0;
    std::vector<std::size_t> input_fields;  ///< for each graph input the index into ExecutableRequest::inputs
    ValueId output = kNoValue;              ///< f32, [tile_samples, ..]
    Shape output_sample_shape;              ///< without the sample dimension
};

/// Binds and checks everything of a request that does not depend on the backend: operators, inputs (by name, or in
/// order where no name matches), shapes, element types, the loss against output and target, axes against the parameter
/// space. Throws InputError or UnsupportedError with one sentence.
[[nodiscard]] BoundRequest bind_request(const ExecutableRequest& request, std::int64_t tile_samples);

/// Samples a tile must have: the batch that the model declares or the request's own, 0 when the backend may choose.
/// Throws InputError when the two differ.
[[nodiscard]] std::int64_t required_tile_samples(const ExecutableRequest& request);

/// Checks that the loss can be computed from an output of this shape a sample and such targets. Throws InputError.
void check_loss(const LossSpec& loss, const Shape& output_sample_shape, const FieldInfo& target);

}  // namespace lossmap
