#include "io/cifar.hpp"

#include "core/error.hpp"

namespace lossmap {

ArrayBytes map_cifar(const std::filesystem::path& file) {
    auto mapped = std::make_shared<const MappedFile>(file);
    const std::size_t size_bytes = mapped->size_bytes();
    if (size_bytes == 0 || size_bytes % kCifarRecordBytes != 0) {
        throw InputError("{}: has {} bytes, expected whole CIFAR-10 records of {} bytes", file.string(), size_bytes,
                         kCifarRecordBytes);
    }
    ArrayBytes array;
    array.source = file.string();
    array.dtype = DType::u8;
    array.shape = {static_cast<std::int64_t>(size_bytes) / kCifarRecordBytes, kCifarRecordBytes};
    array.bytes = mapped->bytes();
    array.file = std::move(mapped);
    return array;
}

}  // namespace lossmap
