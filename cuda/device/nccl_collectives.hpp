#pragma once

#include <memory>

#include "backend/communicator.hpp"
#include "cuda/backend/device_communicator.hpp"

namespace lossmap::cuda {

/// One rank of NCCL on GPU `ordinal`. All ranks of `bootstrap`, threads or processes, call this at the same time, each
/// with a GPU of its own; bootstrap is used to agree on NCCL's identifier only.
/// @throws LibraryError without the library, CudaError when it does not start.
[[nodiscard]] std::unique_ptr<DeviceCollectives> make_nccl_collectives(int ordinal, Communicator& bootstrap);

}  // namespace lossmap::cuda
