#include "cli/run/checkpoint_weights.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include "cli/run/model_source.hpp"
#include "io/npz.hpp"
#include "io/safetensors.hpp"
#include "onnx_import/initializer_bytes.hpp"

namespace lossmap {
namespace {

/// Elements compared at a time.
constexpr std::int64_t kCompared = std::int64_t{1} << 18;

/// The arrays of a file by name that lie in it as they are.
std::map<std::string, ArrayBytes> locate_arrays(const std::filesystem::path& file) {
    const std::string kind = file.extension().string();
    if (kind == ".onnx") return locate_initializers(file);
    std::map<std::string, ArrayBytes> arrays;
    const auto add_all = [&arrays](const auto& source) {
        for (const std::string& name : source.names()) {
            ArrayBytes array = source.array(name);
            if (array.file) arrays.emplace(name, std::move(array));
        }
    };
    if (kind == ".npz") add_all(NpzFile(file));
    if (kind == ".safetensors") add_all(SafetensorsFile(file));
    return arrays;
}

void copy_part(const ArrayBytes& array, std::int64_t first, std::span<float> part) {
    copy_float32(array, first, part);
    const std::size_t element_bytes = size_of(array.dtype);
    array.release(array.bytes.subspan(static_cast<std::size_t>(first) * element_bytes, part.size() * element_bytes));
}

/// Whether the array holds just these values, bit by bit.
bool holds(const ArrayBytes& array, std::span<const float> values) {
    if (element_count(array.shape) != static_cast<std::int64_t>(values.size())) return false;
    std::vector<float> part;
    for (std::size_t first = 0; first < values.size(); first += part.size()) {
        part.resize(std::min(static_cast<std::size_t>(kCompared), values.size() - first));
        copy_part(array, static_cast<std::int64_t>(first), part);
        if (std::memcmp(part.data(), values.data() + first, part.size() * sizeof(float)) != 0) return false;
    }
    return true;
}

/// Calls body(k, first element of parameter k, first element of the part, count) for what parameters have of a part.
template <typename Body>
void each_overlap(const std::vector<Parameter>& weights, std::int64_t first, std::int64_t count, const Body& body) {
    for (std::size_t k = 0; k < weights.size(); ++k) {
        const std::int64_t begin = std::max(first, weights[k].offset);
        const std::int64_t end = std::min(first + count, weights[k].offset + weights[k].size);
        if (begin < end) body(k, begin - weights[k].offset, begin - first, end - begin);
    }
}

}  // namespace

CheckpointWeights::CheckpointWeights(const std::vector<ModelConfig>& checkpoints, const ParameterRules& rules,
                                     const ParameterSpace& space)
    : checkpoints_(checkpoints), rules_(rules), space_(space), opened_(checkpoints.size()) {}

void CheckpointWeights::read(std::int64_t index, std::int64_t first, std::span<float> part) {
    const auto number = static_cast<std::size_t>(index);
    const std::optional<Arrays>& arrays = opened_.at(number);
    if (!arrays || arrays->empty()) return read_whole(number, first, part);
    each_overlap(space_.weights, first, static_cast<std::int64_t>(part.size()),
                 [&](std::size_t k, std::int64_t from, std::int64_t to, std::int64_t count) {
                     copy_part((*arrays)[k], from,
                               part.subspan(static_cast<std::size_t>(to), static_cast<std::size_t>(count)));
                 });
}

void CheckpointWeights::read_whole(std::size_t index, std::int64_t first, std::span<float> part) {
    const ModelConfig& checkpoint = checkpoints_.at(index);
    const MatchedState whole = load_matched(checkpoint, rules_, space_);
    ++whole_reads_;
    std::copy_n(whole.state.weights.begin() + first, part.size(), part.begin());
    if (opened_[index]) return;
    // What is found by name counts only where it holds what the whole reading gave.
    Arrays& arrays = opened_[index].emplace();
    std::map<std::string, ArrayBytes> located =
        locate_arrays(checkpoint.checkpoint ? *checkpoint.checkpoint : checkpoint.path);
    for (std::size_t k = 0; k < space_.weights.size(); ++k) {
        const Parameter& parameter = space_.weights[k];
        const auto found = located.find(whole.weight_names[k]);
        const auto values =
            std::span(whole.state.weights)
                .subspan(static_cast<std::size_t>(parameter.offset), static_cast<std::size_t>(parameter.size));
        if (found == located.end() || !holds(found->second, values)) return arrays.clear();
        arrays.push_back(std::move(found->second));
    }
}

}  // namespace lossmap
