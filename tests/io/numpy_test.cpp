#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/npy.hpp"
#include "io/npz.hpp"
#include "tests/io/expect_input_error.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::expect_input_error;
using testing::ElementsAre;
using testing::ElementsAreArray;

std::filesystem::path fixture(const std::string& name) { return test::source_dir() / "tests/io/fixtures" / name; }

std::string npy_of(const std::string& header, const std::string& elements) {
    std::string file("\x93NUMPY\x01\x00", 8);
    file += static_cast<char>(header.size() & 0xff);
    file += static_cast<char>(header.size() >> 8);
    return file + header + elements;
}

TEST(Npy, ReadsWhatNumpyWrites) {
    const Tensor half = map_npy(fixture("half.npy")).to_tensor();
    EXPECT_EQ(half.shape(), (Shape{2, 3}));
    EXPECT_EQ(half.dtype(), DType::f32);
    // numpy rounded 1e-7 to fp16's 2^-23.
    EXPECT_THAT(half.as<float>(), ElementsAreArray({0.5f, -2.0f, 65504.0f, std::numeric_limits<float>::infinity(),
                                                    std::ldexp(1.0f, -23), -0.0f}));
}

TEST(Npy, RefusesWhatItDoesNotRead) {
    expect_input_error([] { (void)map_npy(fixture("fortran.npy")); }, {"fortran.npy", "Fortran order"});
    expect_input_error([] { (void)map_npy(fixture("big_endian.npy")); }, {"big_endian.npy", "'>f4'", "big endian"});
    expect_input_error([] { (void)map_npy(fixture("objects.npy")); }, {"objects.npy", "'|O'"});
}

TEST(Npy, RoundTripsEveryType) {
    const test::TemporaryDirectory folder;
    for (const DType dtype : {DType::f32, DType::f64, DType::i8, DType::i16, DType::i32, DType::i64, DType::u8,
                              DType::u16, DType::u32, DType::u64, DType::boolean}) {
        for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 3}, Shape{0, 4}, Shape{2, 1, 3}}) {
            Tensor tensor(dtype, shape);
            for (std::size_t i = 0; i < tensor.size_bytes(); ++i)
                static_cast<unsigned char*>(tensor.data())[i] = i % 2;
            write_npy(folder / "a.npy", tensor.view());
            const ArrayBytes array = map_npy(folder / "a.npy");
            EXPECT_EQ(array.dtype, dtype);
            EXPECT_EQ(array.shape, shape);
            EXPECT_EQ(parse_npy_header(array.file->bytes(), "a").data_offset % 64, 0u);
            const Tensor back = array.to_tensor();
            ASSERT_EQ(back.size_bytes(), tensor.size_bytes());
            EXPECT_TRUE(tensor.count() == 0 || std::memcmp(back.data(), tensor.data(), tensor.size_bytes()) == 0);
        }
    }
}

TEST(Npy, AcceptsAllHeaderVersions) {
    const std::string dictionary = "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }\n";
    const std::string elements("\x01\x00\xff\xff", 4);
    for (const char version : {'\1', '\2', '\3'}) {
        std::string file("\x93NUMPY", 6);
        file += {version, '\0', static_cast<char>(dictionary.size()), '\0'};
        if (version > 1) file += std::string(2, '\0');
        file += dictionary + elements;
        const ArrayBytes array = parse_npy(std::as_bytes(std::span(file)), "file");
        EXPECT_THAT(array.to_tensor().as<std::int16_t>(), ElementsAre(1, -1));
    }
}

TEST(Npy, RefusesDamagedFiles) {
    const auto read = [](const std::string& content) { return parse_npy(std::as_bytes(std::span(content)), "x.npy"); };
    const std::string good =
        npy_of("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", std::string(24, '\0'));
    EXPECT_EQ(read(good).shape, (Shape{2, 3}));
    test::expect_truncation_errors(good, 1, read);
    test::expect_robust_against_flips(good, 1, read);
    expect_input_error([&] { read(good + "x"); },
                       {"x.npy: holds 25 bytes of elements, expected 24 for f32 of shape [2, 3]"});
    for (const char* header :
         {"{'descr': '<f4', 'fortran_order': False, }", "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}", "{'descr", "", "[]", "{'other': 1}"}) {
        expect_input_error([&] { read(npy_of(header, "")); }, {"x.npy", "malformed"});
    }
    expect_input_error([&] { read(npy_of("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", "")); },
                       {"structured"});
    expect_input_error(
        [&] { read(npy_of("{'descr': '<f8', 'fortran_order': False, 'shape': (3037000500, 3037000500)}", "")); },
        {"x.npy"});
    expect_input_error(
        [&] { read(npy_of("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904,)}", "")); },
        {"x.npy"});
}

TEST(Npz, ReadsWhatNumpyWrites) {
    for (const char* name : {"compressed.npz", "stored.npz"}) {
        const NpzFile file(fixture(name));
        EXPECT_TRUE(file.contains("x"));
        EXPECT_FALSE(file.contains("z"));
        const Tensor x = file.load("x");
        EXPECT_EQ(x.shape(), (Shape{2, 3, 2, 2}));
        EXPECT_EQ(x.as<std::uint8_t>()[23], 230);
        EXPECT_THAT(file.load("y").as<std::int64_t>(), ElementsAre(3, 1));
        expect_input_error([&] { (void)file.array("z"); }, {name, "no array 'z'", "x, y"});
    }
    EXPECT_THAT(NpzFile(fixture("compressed.npz")).load("w").as<float>(), testing::Each(2.5f));
    EXPECT_THAT(NpzFile(fixture("stored.npz")).names(), ElementsAre("x", "y"));
}

TEST(Npz, RoundTripsAndRepeatsItsBytes) {
    const test::TemporaryDirectory folder;
    const Tensor weight = Tensor::from<float>(std::vector<float>{1, -2, 3}, {3, 1});
    const Tensor count = Tensor::scalar<std::int64_t>(7);
    for (const char* name : {"a.npz", "b.npz"})
        write_npz(folder / name, {{"fc.weight", weight.view()}, {"count", count.view()}});
    EXPECT_EQ(test::read_file(folder / "a.npz"), test::read_file(folder / "b.npz"));
    const NpzFile file(folder / "a.npz");
    EXPECT_THAT(file.names(), ElementsAre("fc.weight", "count"));
    EXPECT_THAT(file.load("fc.weight").as<float>(), ElementsAre(1.0f, -2.0f, 3.0f));
    EXPECT_EQ(file.load("count").as<std::int64_t>()[0], 7);
}

TEST(Npz, RefusesDamagedFiles) {
    const test::TemporaryDirectory folder;
    const auto read = [&](const std::string& content) {
        test::write_file(folder / "a.npz", content);
        const NpzFile file(folder / "a.npz");
        for (const std::string& name : file.names())
            (void)file.load(name);
    };
    for (const char* name : {"compressed.npz", "stored.npz"}) {
        const std::string good = test::read_file(fixture(name));
        test::expect_truncation_errors(good, 5, read);
        test::expect_robust_against_flips(good, 5, read);
    }
    std::string damaged = test::read_file(fixture("stored.npz"));
    damaged[damaged.find("NUMPY") + 130] ^= 1;
    expect_input_error([&] { read(damaged); }, {"a.npz: entry 'x.npy'", "checksum"});
    expect_input_error([&] { read("no archive at all, but long enough"); }, {"a.npz: is not a zip archive"});
}

// The directory of a zip64 archive, as numpy writes it for arrays above 4 GiB.
TEST(Npz, ReadsZip64) {
    const test::TemporaryDirectory folder;
    const auto number = [](std::uint64_t value, int size) {
        std::string text;
        for (int i = 0; i < size; ++i)
            text += static_cast<char>(value >> (8 * i) & 0xff);
        return text;
    };
    const std::string name = "x.npy";
    const std::string content = npy_header(DType::u8, {3}) + "abc";
    ZipWriter writer;
    writer.add(name, content);
    const std::string plain = writer.finish();
    const std::string local = plain.substr(0, 30 + name.size() + content.size());
    const std::string crc = plain.substr(14, 4);
    const std::string directory = number(0x02014b50, 4) + number(45, 2) + number(45, 2) + number(0, 2 + 2 + 4) + crc +
                                  number(0xffffffff, 4) + number(0xffffffff, 4) + number(name.size(), 2) +
                                  number(28, 2) + std::string(2 + 2 + 2 + 4, '\0') + number(0xffffffff, 4) + name +
                                  number(1, 2) + number(24, 2) + number(content.size(), 8) + number(content.size(), 8) +
                                  number(0, 8);
    const std::string end64 = number(0x06064b50, 4) + number(44, 8) + number(45, 2) + number(45, 2) + number(0, 4 + 4) +
                              number(1, 8) + number(1, 8) + number(directory.size(), 8) + number(local.size(), 8);
    const std::string locator =
        number(0x07064b50, 4) + number(0, 4) + number(local.size() + directory.size(), 8) + number(1, 4);
    const std::string end = number(0x06054b50, 4) + number(0, 2 + 2) + number(0xffff, 2) + number(0xffff, 2) +
                            number(0xffffffff, 4) + number(0xffffffff, 4) + number(0, 2);
    test::write_file(folder / "a.npz", local + directory + end64 + locator + end);
    EXPECT_THAT(NpzFile(folder / "a.npz").load("x").as<std::uint8_t>(), ElementsAre('a', 'b', 'c'));
}

TEST(ArrayBytes, ConvertsToFloatExactlyOrNotAtAll) {
    const std::vector<std::int64_t> values = {0, -5, (1 << 24) + 1};
    ArrayBytes array{"f.npz: array 'w'", DType::i64, {3}, std::as_bytes(std::span(values)), nullptr, nullptr};
    expect_input_error([&] { (void)to_float32(array); }, {"f.npz: array 'w': element 2 is 16777217"});
    array.shape = {2};
    EXPECT_THAT(to_float32(array).as<float>(), ElementsAre(0.0f, -5.0f));
}

}  // namespace
}  // namespace lossmap
