#include "backend/backend.hpp"

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
