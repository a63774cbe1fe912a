#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cuda/backend/device.hpp"
#include "cuda/backend/plans/way_chooser.hpp"

namespace lossmap::cuda {

/// What a recorded plan says of one program; zeros and no ways where it says nothing.
struct RecordedPass {
    std::int64_t tile_samples = 0;
    std::int64_t points = 0;
    std::string size_record;  ///< BuildOptions::size_record
    std::shared_ptr<const RecordedWays> ways = std::make_shared<const RecordedWays>();
};

/// What results depend on, as an earlier part of the run, or another rank, has chosen it.
struct RecordedPlan {
    RecordedPass inference;
    std::vector<RecordedPass> statistics;
    std::string rescue;  ///< a plan again: of what evaluates overflowed samples; "" when there is none

    /// Of a statistics batch.
    [[nodiscard]] RecordedPass of_batch(std::int64_t samples) const;
};

/// Reads what plan_record wrote. Empty where `json` is not from such a device with such libraries at such a precision:
/// its choices mean nothing then. Malformed text is empty, too.
[[nodiscard]] RecordedPlan read_recorded_plan(const std::string& json, const DeviceFacts& facts, Precision precision);

}  // namespace lossmap::cuda
