#include "onnx_import/model_file.hpp"

#include <cstdint>
#include <fstream>
#include <limits>
#include <system_error>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>

#include "core/error.hpp"
#include "onnx_import/element_type.hpp"

namespace lossmap::onnx_import {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kProtobufLimitBytes = std::numeric_limits<std::int32_t>::max();
/// Messages within messages. An If inside an If takes three levels, so this allows about 60 of them.
constexpr int kRecursionLimit = 200;

void check_file(const fs::path& file) {
    std::error_code error;
    const fs::file_status status = fs::status(file, error);
    if (!fs::exists(status)) throw InputError("there is no such file");
    if (!fs::is_regular_file(status)) throw InputError("this is not a regular file");
    const auto size_bytes = static_cast<std::int64_t>(fs::file_size(file, error));
    if (error) throw InputError("the size of the file cannot be read ({})", error.message());
    if (size_bytes == 0) throw InputError("the file is empty");
    if (size_bytes > kProtobufLimitBytes) {
        throw InputError(
            "the file has {} bytes, more than the 2 GiB of a protobuf message (store weights as external data)",
            size_bytes);
    }
}

}  // namespace

onnx::ModelProto read_model(const fs::path& file) {
    check_file(file);
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw InputError("the file cannot be opened");
    google::protobuf::io::IstreamInputStream input(&stream);
    google::protobuf::io::CodedInputStream coded(&input);
    coded.SetTotalBytesLimit(std::numeric_limits<std::int32_t>::max());
    coded.SetRecursionLimit(kRecursionLimit);
    onnx::ModelProto model;
    if (!model.ParseFromCodedStream(&coded) || !coded.ConsumedEntireMessage()) {
        throw InputError("this is not an ONNX file, or it is truncated or damaged");
    }
    if (!model.has_ir_version() || !model.has_graph()) {
        throw InputError("this is not an ONNX model, or it is truncated (no {})",
                         model.has_ir_version() ? "graph" : "IR version");
    }
    if (model.ir_version() < 1) throw InputError("the IR version is {}, expected 1 or more", model.ir_version());
    // Operator sets are required since IR 3; exporters write them behind the graph, so a cut file lacks them.
    if (model.ir_version() >= 3 && model.opset_import().empty()) {
        throw InputError("the model names no operator set, the file may be truncated");
    }
    return model;
}

std::string canonical_domain(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

Opsets read_opsets(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports) {
    Opsets opsets;
    for (const onnx::OperatorSetIdProto& import : imports) {
        const std::string domain = canonical_domain(import.domain());
        const std::string shown = printable(domain.empty() ? "ai.onnx" : domain);
        if (import.version() < 1) throw InputError("operator set {} has version {}", shown, import.version());
        const auto [entry, added] = opsets.emplace(domain, import.version());
        if (!added && entry->second != import.version()) throw InputError("operator set {} is imported twice", shown);
    }
    return opsets;
}

}  // namespace lossmap::onnx_import
