#pragma once

#include <cstdint>

#include "data/sample_chunk.hpp"

namespace lossmap::test {

/// The chunk with bytes of all 256 values, at random, in place of its first input, and a table of that many channels:
/// bytes scaled to 0..1, or those minus a mean and over a deviation of each channel.
[[nodiscard]] SampleChunk with_bytes(const SampleChunk& chunk, std::int64_t channels, bool normalised = true);
/// The chunk with values in place of bytes, looked up element by element.
[[nodiscard]] SampleChunk with_values(const SampleChunk& chunk);

}  // namespace lossmap::test
