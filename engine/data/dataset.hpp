#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.hpp"

namespace lossmap {

/// One array a sample: a graph input or the target.
struct FieldInfo {
    std::string name;          ///< of the graph input, or of the array when the input is not named; "target"
    DType dtype = DType::f32;  ///< as handed out: f32 or i64
    Shape sample_shape;        ///< without the sample dimension
};

/// Samples [first, first + count) of a split, decoded and normalised: inputs f32 (images, features) or i64 (tokens) as
/// [count, sample_shape..], targets i64 (classes) or f32 (regression) likewise.
struct SampleChunk {
    std::int64_t first = 0;
    std::int64_t count = 0;
    std::vector<Tensor> inputs;  ///< in the order of Dataset::inputs
    Tensor target;               ///< count() == 0 and shape {count, 0} when the data has no target
};

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
