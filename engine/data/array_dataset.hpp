#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "data/decoding.hpp"
#include "data/row_source.hpp"
#include "data/selection.hpp"

namespace lossmap {

/// One array of a data set with the way its elements are decoded.
struct ArrayField {
    FieldInfo info;                       ///< as handed out
    RowSource rows;                       ///< as held
    std::optional<InputDecoder> decoder;  ///< for f32 inputs; without: integers as i64, targets as f32 as they are
};

/// Samples that lie in arrays, in files or in memory. `read` needs memory for the chunk it returns and no more.
class ArrayDataset final : public Dataset {
public:
    /// Without a target the chunks carry none.
    ArrayDataset(std::vector<ArrayField> inputs, std::optional<ArrayField> target, Selection selection,
                 std::string description);

    [[nodiscard]] std::int64_t size() const override { return selection_.size(); }
    [[nodiscard]] const std::vector<FieldInfo>& inputs() const override { return input_infos_; }
    [[nodiscard]] const FieldInfo& target() const override { return target_info_; }
    [[nodiscard]] SampleChunk read(std::int64_t first, std::int64_t count) const override;
    /// Over the bytes of the selected samples and the way they are decoded; computed at the first call.
    [[nodiscard]] std::string content_hash() const override;
    [[nodiscard]] std::optional<std::int64_t> drawn_from() const override { return selection_.drawn_from(); }
    [[nodiscard]] std::string describe() const override;

private:
    /// As bytes where the field's info says so.
    [[nodiscard]] Tensor read_field(const ArrayField& field, std::int64_t first, std::int64_t count) const;

    std::vector<ArrayField> inputs_;
    std::optional<ArrayField> target_;
    Selection selection_;
    std::string description_;
    std::vector<FieldInfo> input_infos_;
    FieldInfo target_info_;
    mutable std::once_flag hashed_;
    mutable std::string hash_;
};

}  // namespace lossmap
