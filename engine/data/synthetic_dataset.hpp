#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset_factory.hpp"

namespace lossmap {

/// Made-up samples of the model's shape: f32 inputs and targets Gaussian N(0, 1), integer inputs uniform in [0,
/// classes) or [0, 16) when the class count is unknown (every vocabulary is larger), labels uniform in [0, classes), 2
/// when unknown. Every element depends on seed, name and place alone (Philox): the same on every machine and for every
/// chunking.
class SyntheticDataset final : public Dataset {
public:
    /// Throws InputError when the count is below 1 or an expected extent is unknown.
    SyntheticDataset(const DataSpec& spec, const DataExpectation& expectation);

    [[nodiscard]] std::int64_t size() const override { return count_; }
    [[nodiscard]] const std::vector<FieldInfo>& inputs() const override { return inputs_; }
    [[nodiscard]] const FieldInfo& target() const override { return target_; }
    [[nodiscard]] SampleChunk read(std::int64_t first, std::int64_t count) const override;
    [[nodiscard]] std::string content_hash() const override;
    [[nodiscard]] std::string describe() const override;

private:
    std::int64_t start_ = 0;
    std::int64_t count_ = 0;
    std::uint64_t seed_ = 0;
    std::int64_t token_bound_ = 0;
    std::int64_t class_bound_ = 0;
    std::vector<FieldInfo> inputs_;
    FieldInfo target_;
};

}  // namespace lossmap
