#pragma once

#include <memory>
#include <string>

#include "cuda/backend/device.hpp"

namespace lossmap::test {

/// The machine's first GPU for NCCL, or one sentence on what is missing: a GPU, or the library.
struct NcclGpu {
    std::shared_ptr<cuda::Device> device;
    std::string why_none;
};

[[nodiscard]] const NcclGpu& nccl_gpu();

}  // namespace lossmap::test
