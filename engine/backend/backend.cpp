#include "backend/backend.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace lossmap {

LossSums& LossSums::operator+=(const LossSums& other) {
    loss_sum += other.loss_sum;
    loss_square_sum += other.loss_square_sum;
    weight_sum += other.weight_sum;
    correct += other.correct;
    counted += other.counted;
    non_finite += other.non_finite;
    overflowed += other.overflowed;
    return *this;
}

StatisticSums& StatisticSums::operator+=(const StatisticSums& other) {
    if (batches == 0) return *this = other;
    if (other.batches == 0) return *this;
    if (sums.size() != other.sums.size()) {
        throw InternalError("sums of {} and of {} statistics do not add", sums.size(), other.sums.size());
    }
    for (std::size_t k = 0; k < sums.size(); ++k)
        sums[k] += other.sums[k];
    batches += other.batches;
    return *this;
}

std::vector<float> StatisticSums::states() const {
    if (batches < 1) throw InternalError("statistics of no batch");
    std::vector<float> result(sums.size());
    const auto count = static_cast<double>(batches);
    std::transform(sums.begin(), sums.end(), result.begin(),
                   [count](double sum) { return static_cast<float>(sum / count); });
    return result;
}

void Executable::estimate_statistics(std::span<const Point> /*points*/, const SampleChunk& /*chunk*/,
                                     std::int64_t /*batch_samples*/, std::span<StatisticSums> /*sums*/) {
    throw InternalError("this executable was not made to estimate batch-norm statistics");
}

double loss_difference(double value, double exact) {
    if (value == exact || (!std::isfinite(value) && !std::isfinite(exact))) return 0.0;
    return std::abs(value - exact) / std::abs(exact);
}

const char* name_of(Precision precision) {
    switch (precision) {
        case Precision::fp32: return "fp32";
        case Precision::tf32: return "tf32";
        case Precision::fp16: return "fp16";
        case Precision::bf16: return "bf16";
    }
    throw InternalError("precision {} has no name", static_cast<int>(precision));
}

}  // namespace lossmap
