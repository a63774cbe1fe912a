#include "cuda/backend/lower/windows.hpp"

#include <algorithm>

namespace lossmap::cuda {

kernels::WindowGeometry geometry_of(const ops::Window& window) {
    kernels::WindowGeometry geometry;
    std::copy(window.input.begin(), window.input.end(), geometry.input);
    std::copy(window.output.begin(), window.output.end(), geometry.output);
    std::copy(window.kernel.begin(), window.kernel.end(), geometry.kernel);
    std::copy(window.stride.begin(), window.stride.end(), geometry.stride);
    std::copy(window.dilation.begin(), window.dilation.end(), geometry.dilation);
    std::copy(window.pad_begin.begin(), window.pad_begin.end(), geometry.pad_begin);
    std::copy(window.pad_end.begin(), window.pad_end.end(), geometry.pad_end);
    return geometry;
}

kernels::PlaneStrides plane_strides(const Located& array) {
    kernels::PlaneStrides strides;
    strides.sample = array.strides[0];
    strides.channel = array.strides[1];
    const std::size_t spatial = array.shape.size() - 2;
    for (std::size_t k = 0; k < spatial; ++k)
        strides.spatial[3 - spatial + k] = array.strides[2 + k];
    return strides;
}

}  // namespace lossmap::cuda
