#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cuda/backend/pass_model.hpp"
#include "cuda/backend/plans/plan_store.hpp"

namespace lossmap::cuda {

/// Sizes that were measured, and the one to be taken.
struct MeasuredSizes {
    PassSize chosen;
    std::vector<TriedSize> tried;  ///< seconds of an evaluation that counts
    bool elsewhere = false;  ///< measured in jobs of other numbers of points and samples: seconds of any evaluation

    friend bool operator==(const MeasuredSizes&, const MeasuredSizes&) = default;
};

/// Chooses sizes of passes as the WayChooser chooses ways: what this process has measured comes first (several devices
/// of one kind share it), then what is in the store; what is measured is kept there, and of several processes the first
/// one's choice stands. Thread-safe as far as nothing else uses the store meanwhile.
class SizeChooser {
public:
    using Fits = std::function<bool(const PassSize&)>;
    /// Seconds of an evaluation that counts; nothing where a size turns out not to go.
    using Measure = std::function<std::optional<double>(const PassSize&)>;

    /// @param store  must outlive the object
    explicit SizeChooser(PlanStore& store) : store_(store) {}

    /// Whether what is measured will be found again: measuring is pointless where not.
    [[nodiscard]] bool works() const { return store_.works(); }
    /// What was measured for `key` before; nothing where its choice does not fit now.
    [[nodiscard]] std::optional<MeasuredSizes> find(const std::string& key, const Fits& fits);
    /// The fastest of the candidates; the first one, the favourite, stays unless another is 3 % faster. What stands
    /// afterwards; nothing where no candidate could be measured.
    [[nodiscard]] std::optional<MeasuredSizes> measure(const std::string& key, std::span<const PassSize> candidates,
                                                       const Fits& fits, const Measure& seconds_of);

    /// What was measured of a network in whatever jobs: seconds of an evaluation, whether it counts or fills up.
    [[nodiscard]] std::vector<TriedSize> rates(const std::string& network);
    void add_rates(const std::string& network, std::span<const TriedSize> rates);
    /// Keeps a choice that was made from rates; what stands.
    [[nodiscard]] MeasuredSizes keep(const std::string& key, const MeasuredSizes& sizes, const Fits& fits);

private:
    [[nodiscard]] std::optional<MeasuredSizes> look_up(const std::string& key, const Fits& fits);

    [[nodiscard]] MeasuredSizes keep_locked(const std::string& key, MeasuredSizes sizes, const Fits& fits);

    PlanStore& store_;
    std::map<std::string, MeasuredSizes> made_;
    std::mutex mutex_;
};

}  // namespace lossmap::cuda
