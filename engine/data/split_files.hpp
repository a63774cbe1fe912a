#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/dataset_factory.hpp"
#include "data/row_source.hpp"

namespace lossmap {

/// What the files of a split hold, undecoded: one source for each input the model expects, in its order, and the
/// targets when they are needed.
struct OpenedSplit {
    std::vector<RowSource> inputs;
    std::optional<RowSource> target;
    std::string description;  ///< "cifar10 data from test_batch.bin"
};

/// Opens the files of a split in any format but synthetic. Throws InputError naming the file when one cannot be read,
/// is no file of that format, or arrays differ in their number of samples.
[[nodiscard]] OpenedSplit open_split(const DataSpec& spec, const DataExpectation& expectation);

}  // namespace lossmap
