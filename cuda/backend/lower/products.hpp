#pragma once

#include <cstdint>
#include <optional>

#include "cuda/backend/program_builder.hpp"

namespace lossmap::cuda {

/// A batch of products of dense matrices at every point.
struct Product {
    Located a;
    Located b;
    Located result;
    std::optional<Located> bias;  ///< f32 [columns] a point
    bool relu = false;            ///< may be left to the library
    std::int64_t batch = 1;       ///< matrices a point
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::int64_t inner = 0;
    bool transpose_a = false;
    bool transpose_b = false;
};

/// Adds the product and says what of bias and activation it computes. One launch covers all points where the matrices
/// of all points lie evenly apart and the library takes so many, else there are several.
JoinedWork add_product(ProgramBuilder& builder, const Product& product, std::int64_t points, Phase phase);

}  // namespace lossmap::cuda
