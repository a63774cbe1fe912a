#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend/bound_request.hpp"

namespace lossmap {

/// A batch normalisation whose running statistics can be estimated from the batch it sees.
struct TrainingNorm {
    std::int32_t node = -1;           ///< index into the bound graph's nodes
    std::size_t mean_offset = 0;      ///< of its running mean in the segment of states
    std::size_t variance_offset = 0;  ///< of its running variance
    std::size_t channels = 0;
};

/// The batch normalisations that the network's output passes through, in the graph's order. Throws InputError when
/// there is none, or a batch gives one value a channel only; UnsupportedError when the statistics of one are not its
/// own entries of the states.
/// @param bound  of a batch: its tile_samples are the samples of one.
[[nodiscard]] std::vector<TrainingNorm> training_norms(const BoundRequest& bound, const ParameterSpace& space);

/// Binds the request to batches of `batch_samples`. Throws as bind_request and training_norms do, and InputError when
/// the model's own batch is another.
[[nodiscard]] BoundRequest bind_batch(const ExecutableRequest& request, std::int64_t batch_samples);

}  // namespace lossmap
