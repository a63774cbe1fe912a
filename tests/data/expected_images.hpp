#pragma once

#include "data/dataset_factory.hpp"

namespace lossmap::test {

/// A model that takes one image of a shape, and tells so many classes apart.
inline DataExpectation images(const Shape& shape, std::int64_t classes = 10) {
    DataExpectation expectation;
    expectation.inputs = {{"input", DType::f32, shape}};
    expectation.classes = classes;
    return expectation;
}

}  // namespace lossmap::test
