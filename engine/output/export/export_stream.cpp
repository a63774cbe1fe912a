#include "output/export/export_stream.hpp"

#include <cerrno>
#include <cstring>

#include "core/error.hpp"

namespace lossmap {

ExportStream::ExportStream(const std::filesystem::path& file)
    : file_(file), atomic_(file), stream_(atomic_.temporary(), std::ios::binary | std::ios::trunc) {}

void ExportStream::write(std::string_view bytes) {
    if (!stream_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
        throw Error("{}: cannot be written: {}", file_.string(), std::strerror(errno));
    }
}

void ExportStream::commit() {
    stream_.close();
    if (!stream_) throw Error("{}: cannot be written: {}", file_.string(), std::strerror(errno));
    atomic_.commit();
}

}  // namespace lossmap
