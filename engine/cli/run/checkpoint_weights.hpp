#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cli/config/config.hpp"
#include "io/array_bytes.hpp"
#include "params/parameter_space.hpp"

namespace lossmap {

/// Weights of checkpoints in parts, laid out as `space`. A checkpoint is read whole once, with every check, when
/// something of it is asked for the first time. From then on parts come straight from its file, if its weights lie
/// there as they are: .safetensors, uncompressed .npz, .onnx with and without external data. Other forms (compressed,
/// initializers shared through Identity) are read whole each time. Borrows the three that it is made of.
class CheckpointWeights {
public:
    CheckpointWeights(const std::vector<ModelConfig>& checkpoints, const ParameterRules& rules,
                      const ParameterSpace& space);

    /// Weights [first, first + part.size()) of a checkpoint. Throws InputError naming the file that does not fit.
    void read(std::int64_t index, std::int64_t first, std::span<float> part);

    /// Times that any of the checkpoints was read whole so far.
    [[nodiscard]] std::int64_t whole_reads() const { return whole_reads_; }

private:
    /// An array a weight parameter; empty when they do not lie in the file as they are.
    using Arrays = std::vector<ArrayBytes>;

    void read_whole(std::size_t index, std::int64_t first, std::span<float> part);

    const std::vector<ModelConfig>& checkpoints_;
    const ParameterRules& rules_;
    const ParameterSpace& space_;
    std::vector<std::optional<Arrays>> opened_;  ///< one a checkpoint
    std::int64_t whole_reads_ = 0;
};

}  // namespace lossmap
