#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.hpp"

namespace lossmap {

enum class DataFormat : std::uint8_t { cifar10, idx, npz, npy, synthetic };

/// Files of one split. cifar10: `files`; idx: `images`, `labels`; npz: `files` (one); npy: `arrays` (x, y, or the names
/// that `inputs` / `target` of DataSpec use).
struct SplitFiles {
    std::vector<std::filesystem::path> files;
    std::vector<std::filesystem::path> images;
    std::vector<std::filesystem::path> labels;
    std::map<std::string, std::filesystem::path> arrays;
};

/// Which samples of a split are used.
struct SubsetSpec {
    std::int64_t start = 0;
    std::optional<std::int64_t> count;  ///< all from `start` on when absent
    bool stratified = false;            ///< drawn at random, class proportions kept (largest remainder)
    std::uint64_t seed = 0;
};

/// What the `data` object of a configuration says about one split.
struct DataSpec {
    DataFormat format = DataFormat::synthetic;
    SplitFiles files;
    std::vector<float> mean;  ///< a value a channel (dimension 0 of a sample), after scaling to 0..1; empty: none
    std::vector<float> std;
    std::optional<SubsetSpec> subset;
    std::map<std::string, std::string> inputs;  ///< graph input -> array
    std::string target = "y";                   ///< array of the targets
    std::int64_t synthetic_count = 1000;
    std::uint64_t synthetic_seed = 0;
};

/// What the model and the loss expect of the data.
struct DataExpectation {
    std::vector<FieldInfo> inputs;  ///< the graph's fed inputs; extents of -1 accept anything
    bool integer_targets = true;    ///< class labels; else float targets
    std::int64_t classes = -1;      ///< labels must lie in [0, classes), `ignore_index` aside; -1: not checked
    std::optional<std::int64_t> ignore_index;
    std::optional<Shape> synthetic_target_shape;  ///< a sample's target shape, for synthetic data
    bool needs_target = true;                     ///< false: targets, if there are any, are not looked at
    bool bytes = false;  ///< chunks may hold an input's bytes, where the data are such, instead of what they stand for
};

/// Opens a split and checks it against the model. Files are checked (size, magic, shapes, all labels in range) before
/// anything is computed; every error is one InputError sentence naming the file and what was expected. Data are not
/// held in memory beyond what the format forces (gzip and npz-deflate are decoded once; plain files are memory-mapped).
[[nodiscard]] std::unique_ptr<Dataset> open_dataset(const DataSpec& spec, const DataExpectation& expectation);

}  // namespace lossmap
