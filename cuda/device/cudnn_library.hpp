#pragma once

namespace lossmap::cuda {

/// Opens cuDNN, and what it and its frontend open by name, once; its handle of dlopen.
/// @throws what SharedLibrary throws where there is none
[[nodiscard]] void* open_cudnn();

}  // namespace lossmap::cuda
