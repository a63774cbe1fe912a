#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <zlib.h>

#include "io/cifar.hpp"
#include "io/gzip.hpp"
#include "io/idx.hpp"
#include "tests/io/expect_input_error.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::expect_input_error;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }
std::string text_of(const std::vector<std::byte>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string gzip(const std::string& text) {
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
    std::string packed(deflateBound(&stream, text.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

TEST(Gzip, DecodesSeveralMembers) {
    const std::string packed = gzip("first ") + gzip(std::string(3'000'000, 'a'));
    EXPECT_TRUE(is_gzip(bytes_of(packed)));
    EXPECT_EQ(text_of(decode_gzip(bytes_of(packed), 10'000'000, "file")), "first " + std::string(3'000'000, 'a'));
    EXPECT_EQ(text_of(decode_gzip(bytes_of(packed + std::string(512, '\0')), 3'000'006, "file")).size(), 3'000'006u);
    EXPECT_EQ(text_of(decode_gzip_prefix(bytes_of(packed), 5, "file")), "first");
}

TEST(Gzip, RefusesWhatIsDamagedOrTooLong) {
    const std::string packed = gzip(std::string(5000, 'a') + "bcdefgh");
    test::expect_truncation_errors(packed, 1,
                                   [](const std::string& part) { (void)decode_gzip(bytes_of(part), 100'000, "file"); });
    expect_input_error([&] { (void)decode_gzip(bytes_of(packed), 5006, "file.gz"); },
                       {"file.gz: holds more than the 5006 bytes"});
    expect_input_error([&] { (void)decode_gzip(bytes_of(packed + "x"), 100'000, "file.gz"); }, {"other bytes follow"});
    expect_input_error([&] { (void)decode_gzip(bytes_of("plain"), 100'000, "file.gz"); }, {"is not a gzip file"});
    std::string wrong_checksum = packed;
    wrong_checksum[packed.size() - 8] ^= 1;
    expect_input_error([&] { (void)decode_gzip(bytes_of(wrong_checksum), 100'000, "file.gz"); }, {"damaged"});
}

TEST(Deflate, RefusesAClaimBeyondWhatCanBeThere) {
    expect_input_error([&] { (void)decode_deflate(bytes_of("abc"), std::size_t{1} << 40, "entry"); },
                       {"entry", "claims"});
}

const std::string kIdx(
    "\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03"
    "abcdef",
    22);

TEST(Idx, ReadsPlainAndPackedFilesAlike) {
    const test::TemporaryDirectory folder;
    test::write_file(folder / "plain", kIdx);
    test::write_file(folder / "packed.gz", gzip(kIdx));
    for (const char* name : {"plain", "packed.gz"}) {
        const ArrayBytes array = read_idx(folder / name);
        EXPECT_EQ(array.shape, (Shape{2, 1, 3}));
        EXPECT_EQ(array.dtype, DType::u8);
        const Tensor tensor = array.to_tensor();
        EXPECT_EQ(tensor.as<std::uint8_t>()[5], 'f');
    }
}

TEST(Idx, RefusesOtherFiles) {
    const test::TemporaryDirectory folder;
    const auto read = [&](const std::string& content) {
        test::write_file(folder / "file.idx", content);
        return read_idx(folder / "file.idx");
    };
    test::expect_truncation_errors(kIdx, 1, read);
    const std::string packed = gzip(kIdx);
    test::expect_truncation_errors(packed, 1, read);
    expect_input_error([&] { read(kIdx + "g"); },
                       {"file.idx: holds 7 bytes of elements, expected 6 for shape [2, 1, 3]"});
    expect_input_error([&] { read(gzip(kIdx + "g")); }, {"file.idx", "more than the 22 bytes"});
    std::string floats = kIdx;
    floats[2] = 0x0d;
    expect_input_error([&] { read(floats); }, {"type 0x0d", "unsigned bytes"});
    std::string huge = kIdx;
    huge.replace(4, 12, std::string(12, '\xff'));
    expect_input_error([&] { read(huge); }, {"file.idx"});
    expect_input_error([&] { read(gzip(huge)); }, {"file.idx"});
    expect_input_error([&] { read("an image, perhaps"); }, {"is not an IDX file"});
}

TEST(Cifar, MapsWholeRecordsOnly) {
    const test::TemporaryDirectory folder;
    test::write_file(folder / "batch.bin", std::string(2 * 3073, '\1'));
    EXPECT_EQ(map_cifar(folder / "batch.bin").shape, (Shape{2, 3073}));
    test::write_file(folder / "batch.bin", std::string(2 * 3073 - 1, '\1'));
    expect_input_error([&] { (void)map_cifar(folder / "batch.bin"); }, {"batch.bin: has 6145 bytes", "3073"});
    test::write_file(folder / "batch.bin", "");
    expect_input_error([&] { (void)map_cifar(folder / "batch.bin"); }, {"has 0 bytes"});
}

}  // namespace
}  // namespace lossmap
