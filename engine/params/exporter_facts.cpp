#include "params/exporter_facts.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/error.hpp"

namespace lossmap {
namespace {

constexpr const char* kParameterList = "lossmap.parameters";
constexpr const char* kFoldedFrom = "pkg.onnxscript.optimizer.folded_from";
constexpr const char* kInputKind = "pkg.torch.export.graph_signature.InputSpec.kind";

/// torch operators that move elements without changing them, or make constants such as an initial state; torch.export
/// names values after them ("transpose_1").
constexpr std::array<std::string_view, 28> kLayoutOperators = {
    "t",     "transpose", "permute", "view",  "reshape",   "unsqueeze", "squeeze", "expand",     "clone",   "cat",
    "slice", "select",    "chunk",   "split", "embedding", "index",     "arange",  "contiguous", "flatten", "unflatten",
    "to",    "_to_copy",  "detach",  "alias", "getitem",   "zeros",     "ones",    "full"};

std::vector<std::string> parse_list(const std::string& text) {
    const auto parsed = nlohmann::json::parse(text, nullptr, false);
    if (!parsed.is_array()) throw InputError("the metadata entry '{}' is not a JSON list of names", kParameterList);
    std::vector<std::string> names;
    std::set<std::string> seen;
    for (const auto& entry : parsed) {
        if (!entry.is_string()) throw InputError("the metadata entry '{}' is not a JSON list of names", kParameterList);
        names.push_back(entry.get<std::string>());
        if (!seen.insert(names.back()).second) {
            throw InputError("the metadata entry '{}' lists '{}' twice", kParameterList, names.back());
        }
    }
    return names;
}

/// The strings of a Python list as repr() writes it: ['a', "b"].
std::vector<std::string> quoted_strings(const std::string& text) {
    std::vector<std::string> result;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\'' && text[at] != '"') continue;
        const std::size_t end = text.find(text[at], at + 1);
        if (end == std::string::npos) break;
        result.push_back(text.substr(at + 1, end - at - 1));
        at = end;
    }
    return result;
}

bool is_number(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// "transpose_1" -> "transpose".
std::string_view without_number(std::string_view name) {
    const std::size_t underscore = name.rfind('_');
    if (underscore == std::string_view::npos || !is_number(name.substr(underscore + 1))) return name;
    return name.substr(0, underscore);
}

bool moves_only(std::string_view name) {
    const std::string_view base = without_number(name);
    return base == "val" || std::find(kLayoutOperators.begin(), kLayoutOperators.end(), base) != kLayoutOperators.end();
}

const std::string* find_metadata(const Value& value, const char* key) {
    const auto found = value.metadata.find(key);
    return found == value.metadata.end() ? nullptr : &found->second;
}

}  // namespace

ExporterFacts::ExporterFacts(const Graph& graph) {
    for (const auto& [key, text] : graph.metadata) {
        if (key == kParameterList) listed_ = parse_list(text);
        if (key.find("graph_signature") != std::string::npos) read_signature(text);
    }
    for (const ValueId id : graph.initializers) {
        const Value& value = graph.value(id);
        if (value.shape) stored_counts_[value.name] = element_count(*value.shape);
        const std::string* kind = find_metadata(value, kInputKind);
        if (kind != nullptr && *kind == "PARAMETER") trained_names_.insert(value.name);
    }
}

// Lines such as "p_conv1_weight: PARAMETER target='conv1.weight'".
void ExporterFacts::read_signature(const std::string& text) {
    for (std::size_t start = 0; start < text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        const std::string line = text.substr(start, end - start);
        start = end + 1;
        const std::vector<std::string> target = quoted_strings(line);
        if (target.empty()) continue;
        if (line.find(": PARAMETER target=") != std::string::npos) {
            has_signature_ = true;
            if (trained_names_.insert(target.front()).second) trained_.push_back(target.front());
        } else if (line.find(": BUFFER target=") != std::string::npos) {
            buffer_names_.insert(target.front());
        }
    }
}

int ExporterFacts::missing_batch_norms() const {
    return static_cast<int>(std::count_if(buffer_names_.begin(), buffer_names_.end(), [&](const std::string& name) {
        return name.ends_with("running_var") && !stored_counts_.contains(name);
    }));
}

Origin ExporterFacts::origin_of(const Value& value) const {
    if (const std::string* kind = find_metadata(value, kInputKind)) {
        if (*kind == "PARAMETER") return Origin::trained;
        if (*kind == "BUFFER") return Origin::buffer;
    }
    if (trained_names_.contains(value.name)) return Origin::trained;
    if (buffer_names_.contains(value.name)) return Origin::buffer;
    if (!has_signature_) return Origin::unknown;
    return find_metadata(value, kFoldedFrom) != nullptr ? folded_origin(value) : Origin::exporter;
}

Origin ExporterFacts::folded_origin(const Value& value) const {
    if (uses_shapes_only(value)) return Origin::exporter;
    for (const std::string& name : quoted_strings(*find_metadata(value, kFoldedFrom))) {
        if (!trained_names_.contains(name) && !buffer_names_.contains(name) && !moves_only(name))
            return Origin::computed;
    }
    return Origin::relaid;
}

// A zero bias is made from Shape(weight): the weight is named as a source, yet it is still there, and of another size.
bool ExporterFacts::uses_shapes_only(const Value& value) const {
    std::int64_t count = 0;
    for (const std::string& source : sources_of(value)) {
        const auto stored = stored_counts_.find(source);
        if (stored == stored_counts_.end()) return false;
        count += stored->second;
    }
    return count == 0 || !value.shape || count != element_count(*value.shape);
}

std::vector<std::string> ExporterFacts::sources_of(const Value& value) const {
    std::vector<std::string> sources;
    const std::string* note = find_metadata(value, kFoldedFrom);
    if (note == nullptr) return sources;
    for (const std::string& name : quoted_strings(*note)) {
        if (trained_names_.contains(name)) sources.push_back(name);
    }
    return sources;
}

bool is_anonymous(const std::string& name) {
    const std::string_view base = without_number(name);
    if (is_number(name) || base == "val" || base == "const" || base == "Constant") return true;
    return name.starts_with("onnx::") || name.starts_with("lifted_tensor") ||
           (name.starts_with("/") && name.find("Constant") != std::string::npos);
}

bool is_legacy_folded(const std::string& name) {
    const std::string_view base = without_number(name);
    if (base.size() == name.size()) return false;
    return base == "onnx::Conv" || base == "onnx::ConvTranspose" || base == "onnx::Gemm";
}

}  // namespace lossmap
