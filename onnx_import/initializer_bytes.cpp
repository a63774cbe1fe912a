#include "onnx_import/initializer_bytes.hpp"

#include <limits>
#include <memory>
#include <optional>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <onnx/onnx_pb.h>

#include "core/error.hpp"
#include "onnx_import/element_type.hpp"
#include "onnx_import/external_data.hpp"

namespace lossmap {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using namespace onnx_import;

constexpr std::uint32_t kMostBytes = std::numeric_limits<std::int32_t>::max();  // of a protobuf message

/// Walks the messages of a model down to its initializers and steps over their values: pages of the file that hold
/// nothing else are not touched.
class InitializerWalk {
public:
    explicit InitializerWalk(const std::filesystem::path& file)
        : external_(file.parent_path()), file_(std::make_shared<const MappedFile>(file)) {}

    std::map<std::string, ArrayBytes> run() {
        const std::span<const std::byte> bytes = file_->bytes();
        if (bytes.size() > kMostBytes) return {};
        google::protobuf::io::ArrayInputStream array(bytes.data(), static_cast<int>(bytes.size()));
        CodedInputStream input(&array);
        input.SetTotalBytesLimit(kMostBytes);
        each_field(input, [&](std::uint32_t tag) {
            return enter(input, tag, onnx::ModelProto::kGraphFieldNumber, [&] { walk_graph(input); });
        });
        return std::move(found_);
    }

private:
    /// Hands every tag of a message to `handle`, and skips the fields that it answers with false.
    template <typename Handle>
    static void each_field(CodedInputStream& input, const Handle& handle) {
        while (const std::uint32_t tag = input.ReadTag()) {
            if (!handle(tag) && !WireFormatLite::SkipField(&input, tag)) return;
        }
    }

    /// Runs `body` inside the message when `tag` is field `number`.
    template <typename Body>
    static bool enter(CodedInputStream& input, std::uint32_t tag, int number, const Body& body) {
        if (tag != WireFormatLite::MakeTag(number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED)) return false;
        std::uint32_t length = 0;
        if (!input.ReadVarint32(&length) || length > kMostBytes) return true;
        const auto limit = input.PushLimit(static_cast<int>(length));
        body();
        input.Skip(input.BytesUntilLimit());
        input.PopLimit(limit);
        return true;
    }

    void walk_graph(CodedInputStream& input) {
        each_field(input, [&](std::uint32_t tag) {
            return enter(input, tag, onnx::GraphProto::kInitializerFieldNumber, [&] { walk_tensor(input); });
        });
    }

    void walk_tensor(CodedInputStream& input) {
        std::string rest;  // the tensor without its values
        std::optional<std::span<const std::byte>> values;
        int begin = input.CurrentPosition();
        while (const std::uint32_t tag = input.ReadTag()) {
            const int number = WireFormatLite::GetTagFieldNumber(tag);
            if (number == onnx::TensorProto::kRawDataFieldNumber ||
                number == onnx::TensorProto::kFloatDataFieldNumber) {
                // fp32 values without raw data are packed: a run of bytes as well.
                const bool packed = WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
                std::uint32_t length = 0;
                if (!packed || values || !input.ReadVarint32(&length)) return;
                values = part_of(*file_, static_cast<std::uint64_t>(input.CurrentPosition()), length);
                if (!values) return;
                input.Skip(static_cast<int>(length));
            } else {
                if (!WireFormatLite::SkipField(&input, tag)) return;
                const auto part = file_->bytes().subspan(static_cast<std::size_t>(begin),
                                                         static_cast<std::size_t>(input.CurrentPosition() - begin));
                rest.append(reinterpret_cast<const char*>(part.data()), part.size());
            }
            begin = input.CurrentPosition();
        }
        onnx::TensorProto tensor;
        if (tensor.ParseFromString(rest)) add(tensor, values);
    }

    void add(const onnx::TensorProto& tensor, const std::optional<std::span<const std::byte>>& values) {
        const std::optional<DType> dtype = stored_type(tensor.data_type());
        if (!dtype || !is_floating_point(*dtype)) return;
        ArrayBytes array;
        array.source = fmt::format("{}: initializer '{}'", file_->path().string(), tensor.name());
        array.dtype = *dtype;
        array.shape.assign(tensor.dims().begin(), tensor.dims().end());
        const std::size_t size_bytes = checked_size_bytes(array.dtype, array.shape, array.source);
        if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
            const ExternalData::Range range = external_.locate(tensor, static_cast<std::int64_t>(size_bytes));
            array.file = mapped(range.file);
            const auto part = part_of(*array.file, static_cast<std::uint64_t>(range.offset), size_bytes);
            if (!part) return;
            array.bytes = *part;
        } else {
            if (!values || values->size() != size_bytes) return;
            array.file = file_;
            array.bytes = *values;
        }
        found_.emplace(tensor.name(), std::move(array));
    }

    /// Nothing when the file ends before.
    static std::optional<std::span<const std::byte>> part_of(const MappedFile& file, std::uint64_t offset,
                                                             std::uint64_t size_bytes) {
        const std::span<const std::byte> bytes = file.bytes();
        if (offset > bytes.size() || size_bytes > bytes.size() - offset) return std::nullopt;
        return bytes.subspan(offset, size_bytes);
    }

    std::shared_ptr<const MappedFile> mapped(const std::filesystem::path& file) {
        std::shared_ptr<const MappedFile>& known = beside_[file];
        if (!known) known = std::make_shared<const MappedFile>(file);
        return known;
    }

    ExternalData external_;
    std::shared_ptr<const MappedFile> file_;
    std::map<std::filesystem::path, std::shared_ptr<const MappedFile>> beside_;
    std::map<std::string, ArrayBytes> found_;
};

}  // namespace

std::map<std::string, ArrayBytes> locate_initializers(const std::filesystem::path& file) {
    return with_context(file.string(), [&] { return InitializerWalk(file).run(); });
}

}  // namespace lossmap
