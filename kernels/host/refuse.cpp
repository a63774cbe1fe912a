#include "core/error.hpp"
#include "kernels/operand.hpp"

namespace lossmap::kernels {

void refuse(const char* kernel, const char* reason, long long value) {
    throw InternalError("kernel {}: {} ({})", kernel, reason, value);
}

}  // namespace lossmap::kernels
