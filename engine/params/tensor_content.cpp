#include "params/tensor_content.hpp"

#include <algorithm>

namespace lossmap {

TensorContent inspect_content(const Tensor& tensor) {
    TensorContent content;
    if (tensor.dtype() != DType::f32 || tensor.count() == 0) return content;
    const auto values = tensor.as<float>();
    const float first = values.front();
    content.uniform = std::all_of(values.begin(), values.end(), [&](float value) { return value == first; });
    content.zero = content.uniform && first == 0.0F;
    content.mask = std::any_of(values.begin(), values.end(), [](float value) { return value <= -1e30F; });
    return content;
}

int wide_dimensions(const Shape& shape) {
    return static_cast<int>(std::count_if(shape.begin(), shape.end(), [](std::int64_t extent) { return extent != 1; }));
}

}  // namespace lossmap
