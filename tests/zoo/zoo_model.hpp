#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "core/tensor.hpp"

namespace lossmap::test {

/// A file of the model zoo (models/zoo in the reference folder) and where PyTorch's results for it are.
struct ZooModel {
    std::string file;                    ///< "resnet8_bn-folded.onnx"
    std::string reference;               ///< archive with samples, logits and losses
    std::string direction;               ///< archive with the direction in this file's layout
    bool direction_lost = false;         ///< an exporter merged a parameter: the direction cannot be applied
    std::int64_t trained_elements = -1;  ///< of all parameters, where the file holds each as PyTorch does; else -1

    /// The file's name without its extension, of letters, digits and underscores.
    [[nodiscard]] std::string test_name() const;
};

/// For GoogleTest's messages.
void PrintTo(const ZooModel& model, std::ostream* stream);

/// PyTorch's results at the origin and along a direction.
struct ZooReference {
    SampleChunk chunk;
    std::vector<FieldInfo> inputs;  ///< in the order of the graph's
    FieldInfo target;
    LossSpec loss;
    std::vector<double> alphas;  ///< 0 first
    std::vector<double> losses;  ///< mean loss at each of them: fp64 sums over fp32 logits
    std::vector<Tensor> logits;  ///< f32 [samples, ..] at each of them
};

/// $LOSSMAP_ZOO_DIR, another folder of that form (compare_classics.py writes such), else the reference folder's zoo.
[[nodiscard]] std::filesystem::path zoo_dir();

/// The rows of index.json; none where the folder is absent.
[[nodiscard]] std::vector<ZooModel> zoo_models();

[[nodiscard]] ZooReference read_zoo_reference(const ZooModel& model);

/// Direction of each initializer that is listed, f32 in the file's layout, by name.
[[nodiscard]] std::map<std::string, Tensor> read_zoo_direction(const ZooModel& model);

}  // namespace lossmap::test
