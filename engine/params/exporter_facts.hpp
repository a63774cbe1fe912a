#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace lossmap {

/// Where an initializer comes from, as far as the file's metadata tells.
enum class Origin : std::uint8_t {
    unknown,   ///< the file does not say
    trained,   ///< a parameter of the network, in the framework's shape
    relaid,    ///< a parameter (or several, packed) transposed, reshaped or permuted by the exporter
    computed,  ///< the result of arithmetic on parameters: these are gone from the file
    buffer,    ///< a tensor of the network that is not trained
    exporter,  ///< made by the exporter: no parameter went into it
};

/// What exporters write about parameters: the list of tools/export_onnx.py (`lossmap.parameters`), torch.export's graph
/// signature, and the optimiser's notes on folded values.
class ExporterFacts {
public:
    /// Throws InputError when `lossmap.parameters` is not a JSON list of distinct names.
    explicit ExporterFacts(const Graph& graph);

    /// Names of the entry `lossmap.parameters`.
    [[nodiscard]] const std::optional<std::vector<std::string>>& listed() const { return listed_; }
    /// Trained parameters by the graph signature, in declaration order; empty without one.
    [[nodiscard]] const std::vector<std::string>& trained() const { return trained_; }

    /// Batch norms that the graph signature knows and whose running variance is not in the file.
    [[nodiscard]] int missing_batch_norms() const;

    [[nodiscard]] Origin origin_of(const Value& value) const;
    /// Trained parameters that went into a relaid or computed initializer.
    [[nodiscard]] std::vector<std::string> sources_of(const Value& value) const;

private:
    void read_signature(const std::string& text);
    [[nodiscard]] Origin folded_origin(const Value& value) const;
    [[nodiscard]] bool uses_shapes_only(const Value& value) const;

    std::optional<std::vector<std::string>> listed_;
    std::vector<std::string> trained_;
    std::set<std::string> trained_names_;
    std::set<std::string> buffer_names_;
    std::map<std::string, std::int64_t> stored_counts_;  ///< elements of each initializer
    bool has_signature_ = false;
};

/// A name that an exporter made up ("val_12", "onnx::Conv_89", "/layer/Constant_output_0", "123"), as against a
/// parameter's.
[[nodiscard]] bool is_anonymous(const std::string& name);

/// "onnx::Conv_89", "onnx::Gemm_12", ..: what the legacy exporter calls the weight and bias of a layer with a batch
/// norm folded in.
[[nodiscard]] bool is_legacy_folded(const std::string& name);

}  // namespace lossmap
