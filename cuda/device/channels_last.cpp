#include "cuda/device/channels_last.hpp"

namespace lossmap::cuda {

std::vector<std::size_t> spatial_axes(const ConvolutionProblem& p) {
    const bool flat = p.input[0] == 1 && p.kernel[0] == 1 && p.output[0] == 1;
    return flat ? std::vector<std::size_t>{1, 2} : std::vector<std::size_t>{0, 1, 2};
}

Dims selected(const std::array<std::int64_t, 3>& values, const std::vector<std::size_t>& axes) {
    Dims result;
    for (const std::size_t axis : axes)
        result.push_back(values[axis]);
    return result;
}

Dims with_channels(std::int64_t outer, std::int64_t channels, const Dims& spatial) {
    Dims result{outer, channels};
    result.insert(result.end(), spatial.begin(), spatial.end());
    return result;
}

Dims channels_last(const Dims& dims) {
    Dims strides(dims.size(), 1);
    std::int64_t step = dims[1];
    for (std::size_t axis = dims.size(); axis-- > 2;) {
        strides[axis] = step;
        step *= dims[axis];
    }
    strides[0] = step;
    return strides;
}

}  // namespace lossmap::cuda
