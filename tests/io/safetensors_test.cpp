#include "io/safetensors.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/io/expect_input_error.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::expect_input_error;
using testing::ElementsAre;

std::string file_of(const std::string& header, const std::string& data) {
    std::string file;
    for (int i = 0; i < 8; ++i)
        file += static_cast<char>(header.size() >> (8 * i) & 0xff);
    return file + header + data;
}

class Safetensors : public testing::Test {
protected:
    SafetensorsFile read(const std::string& content) {
        test::write_file(folder_ / "a.safetensors", content);
        return SafetensorsFile(folder_ / "a.safetensors");
    }
    test::TemporaryDirectory folder_;
};

TEST_F(Safetensors, RoundTripsInOrder) {
    const Tensor weight = Tensor::from<float>(std::vector<float>{1, -2, 3}, {3, 1});
    const Tensor count = Tensor::scalar<std::int64_t>(7);
    const Tensor empty(DType::f32, {0, 2});
    for (const char* name : {"a", "b"}) {
        write_safetensors(folder_ / name, {{"w", weight.view()}, {"empty", empty.view()}, {"count", count.view()}},
                          {{"format", "pt"}});
    }
    EXPECT_EQ(test::read_file(folder_ / "a"), test::read_file(folder_ / "b"));
    const SafetensorsFile file(folder_ / "a");
    EXPECT_THAT(file.names(), ElementsAre("w", "empty", "count"));
    EXPECT_THAT(file.load("w").as<float>(), ElementsAre(1.0f, -2.0f, 3.0f));
    EXPECT_EQ(file.load("w").shape(), (Shape{3, 1}));
    EXPECT_EQ(file.load("empty").count(), 0);
    EXPECT_EQ(file.load("count").as<std::int64_t>()[0], 7);
    EXPECT_EQ(file.metadata().at("format"), "pt");
    expect_input_error([&] { (void)file.load("x"); }, {"no tensor 'x'"});
}

TEST_F(Safetensors, WidensHalfTypes) {
    // 1.0 and -2.0 as fp16, then as bf16.
    const SafetensorsFile file = read(file_of(R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                                              R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]}})",
                                              std::string("\x00\x3c\x00\xc0\x80\x3f\x00\xc0", 8)));
    EXPECT_THAT(file.load("h").as<float>(), ElementsAre(1.0f, -2.0f));
    EXPECT_THAT(file.load("b").as<float>(), ElementsAre(1.0f, -2.0f));
}

TEST_F(Safetensors, RefusesDamagedFiles) {
    const auto header = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
        return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
    };
    const std::string data(8, '\0');
    const std::string good = file_of(header("F32", "[2]", "[0,8]"), data);
    EXPECT_TRUE(read(good).contains("w"));
    test::expect_truncation_errors(good, 1, [&](const std::string& content) { read(content); });
    test::expect_robust_against_flips(good, 1, [&](const std::string& content) { read(content); });
    const auto refused = [&](const std::string& content, const std::string& part) {
        expect_input_error([&] { read(content); }, {"a.safetensors", part});
    };
    refused(good + "x", "other bytes follow");
    refused(file_of(header("F32", "[2]", "[0,12]"), data), "outside the file");
    refused(file_of(header("F32", "[2]", "[8,0]"), data), "outside the file");
    refused(file_of(header("F32", "[3]", "[0,8]"), data), "expected 12");
    refused(file_of(header("F32", "[-2]", "[0,8]"), data), "natural numbers");
    refused(file_of(header("F32", "[18446744073709551615]", "[0,8]"), data), "natural numbers");
    refused(file_of(header("F32", "[9223372036854775807, 4]", "[0,8]"), data), "w");
    refused(file_of(header("F8_E4M3", "[8]", "[0,8]"), data), "F8_E4M3");
    refused(file_of(R"({"w":{"dtype":"F32","shape":[2]}})", data), "data_offsets");
    refused(file_of(R"({"w":3})", data), "shape");
    refused(file_of(R"(["w"])", data), "JSON object");
    refused(file_of("{", data), "JSON object");
    refused(file_of(std::string(100'000, '['), data), "JSON object");
    refused(
        file_of(
            R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[6],"data_offsets":[2,8]}})",
            data),
        "overlap");
    refused(std::string(8, '\xff') + data, "header of 18446744073709551615 bytes");
    refused("abc", "too short");
}

}  // namespace
}  // namespace lossmap
