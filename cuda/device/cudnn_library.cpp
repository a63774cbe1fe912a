#include "cuda/device/cudnn_library.hpp"

#include <cstdlib>

#include "cuda/device/shared_library.hpp"

namespace lossmap::cuda {

void* open_cudnn() {
    // Of several runtimes the frontend takes the oldest unless it is told.
    setenv("CUDNN_FRONTEND_CUDART_LIB_NAME", "libcudart.so.13", 0);
    for (const char* name : {"libcudart.so.13", "libnvrtc.so.13", "libcublasLt.so.13", "libcublas.so.13"})
        static_cast<void>(SharedLibrary::preload(name));
    // What kernels are compiled with looks for its other half by name.
    static_cast<void>(SharedLibrary::preload_beside("libnvrtc.so.13", "libnvrtc-builtins.so.*"));
    static const SharedLibrary kLibrary("libcudnn.so.9");
    return kLibrary.handle();
}

}  // namespace lossmap::cuda
