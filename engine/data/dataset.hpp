#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/sample_chunk.hpp"

namespace lossmap {

/// An ordered, finite set of samples that may be larger than memory. Reading is thread-safe and does not change it.
class Dataset {
public:
    virtual ~Dataset() = default;
    Dataset() = default;
    Dataset(const Dataset&) = delete;
    Dataset& operator=(const Dataset&) = delete;

    [[nodiscard]] virtual std::int64_t size() const = 0;
    [[nodiscard]] virtual const std::vector<FieldInfo>& inputs() const = 0;
    [[nodiscard]] virtual const FieldInfo& target() const = 0;
    /// Reads [first, first + count). Throws InternalError beyond the end, InputError when the file does not hold it.
    [[nodiscard]] virtual SampleChunk read(std::int64_t first, std::int64_t count) const = 0;
    /// Hash over everything that `read` can return (file contents, normalisation, subset): part of a run's identity.
    [[nodiscard]] virtual std::string content_hash() const = 0;
    /// Samples of the split that these were drawn from at random, without replacement; none where they are no random
    /// draw, or all of it.
    [[nodiscard]] virtual std::optional<std::int64_t> drawn_from() const { return {}; }
    /// One line for logs: "cifar10, 10000 samples of [3, 32, 32] from test_batch.bin".
    [[nodiscard]] virtual std::string describe() const = 0;
};

}  // namespace lossmap
